from __future__ import annotations

import numpy as np
import pytest

from nightsift.data.causes import cause_targets, known_causes
from nightsift.heuristics.rules import REASONS
from nightsift.night.night import Label

CAUSES = ["cloud", "streak", "bright_sky"]


@pytest.mark.parametrize(
    ("value", "notes", "expected"),
    [
        (0, "", [0, 0, 0]),
        (0, "cloud", [0, 0, 0]),
        (1, "cloud: thin, later a streak", [1, 1, 0]),
        (1, "Bright_Sky", [0, 0, 1]),
        (1, "cloudy streaks", [-1, -1, -1]),
        (1, "", [-1, -1, -1]),
        (None, "cloud", [-1, -1, -1]),
    ],
)
def test_what_the_notes_name_is_what_the_cause_head_is_taught(value, notes, expected):
    targets = cause_targets([Label(value, {"notes": notes})], CAUSES)
    assert targets.dtype == np.float32
    assert targets.tolist() == [expected]


def test_without_notes_or_causes_there_is_nothing_to_teach():
    assert cause_targets([Label(1)], CAUSES).tolist() == [[-1, -1, -1]]
    assert cause_targets([Label(1), Label(0)], []).shape == (2, 0)
    assert cause_targets([], CAUSES).shape == (0, 3)


def test_the_known_causes_are_the_reasons_but_unreadable():
    assert known_causes() == [reason for reason in REASONS if reason != "unreadable"]
