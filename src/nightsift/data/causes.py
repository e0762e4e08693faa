"""What the cause head is taught: the reasons that people write into their notes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nightsift.heuristics.rules import all_reasons
from nightsift.night.night import Label

_WORD = re.compile(r"[a-z_]+")


def known_causes() -> list[str]:
    """The reasons that a frame can have, but for being unreadable."""
    return [reason for reason in all_reasons() if reason != "unreadable"]


def cause_targets(labels: Sequence[Label], causes: Sequence[str]) -> npt.NDArray[np.float32]:
    """(N, C): 1, 0 or -1 (unknown) for each frame and cause.

    A good frame has none. The causes of a bad one are the words of its notes that name one
    ("cloud: thin, later a streak" names two); without any they are unknown.
    """
    rows = [_targets(label, causes) for label in labels]
    return np.array(rows, dtype=np.float32).reshape(len(labels), len(causes))


def _targets(label: Label, causes: Sequence[str]) -> list[float]:
    if label.value == 0:
        return [0.0] * len(causes)
    words = set(_WORD.findall(label.extras.get("notes", "").casefold()))
    found = [float(cause in words) for cause in causes]
    return found if label.value == 1 and any(found) else [-1.0] * len(causes)
