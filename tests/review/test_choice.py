from __future__ import annotations

import math

import pytest

from nightsift.errors import NightsiftError
from nightsift.review.choice import FILTERS, Judged, arrange, check_choice, choose, fall_back
from nightsift.review.frames import Score

FRAMES = [
    Judged(1, Score(0.95, True)),  # 0 agreed bad
    Judged(0, Score(0.99, True)),  # 1 labelled good against its score
    Judged(None, Score(0.60, True, heads=0.1)),  # 2 near the threshold
    Judged(None, Score(0.02, False, heads=0.7)),  # 3
    Judged(1, Score(0.40, False)),  # 4 labelled bad against its score
    Judged(None, Score()),  # 5 never scored
]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("bad", [0, 4]),
        ("good", [1]),
        ("unlabelled", [2, 3, 5]),
        ("disagree", [1, 4]),
        ("uncertain", [2, 4]),
        ("all", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_filters(keep, expected):
    assert choose(FRAMES, keep, 0.5) == expected


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.5, [2, 4]), (math.nan, [2, 4]), (0.02, [3]), (0.97, [0, 1])]
)
def test_uncertain_is_about_the_threshold_in_use(threshold, expected):
    assert choose(FRAMES, "uncertain", threshold) == expected


def test_uncertain_scores_without_a_scale_are_where_flags_overlap():
    frames = [
        Judged(None, Score(score, flag))
        for score, flag in [(9, True), (5, True), (6, False), (4, False), (5.5, True)]
    ]
    assert choose(frames, "uncertain", math.nan) == [1, 2, 4]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("time", [0, 1, 2, 3, 4, 5]),
        ("score", [1, 0, 2, 4, 3, 5]),
        ("disagreement", [1, 4, 0, 3, 2, 5]),
    ],
)
def test_orders(order, expected):
    assert arrange(FRAMES, range(6), order) == expected


@pytest.mark.parametrize(
    ("frames", "keep", "expected"),
    [
        (FRAMES[2:4], "bad", ("unlabelled", "score")),
        ([Judged(None, Score())], "bad", ("unlabelled", "time")),
        ([Judged(1, Score())], "unlabelled", ("all", "time")),
        ([Judged(1, Score())], "disagree", ("all", "time")),
    ],
)
def test_an_empty_choice_falls_back_to_one_that_is_not(frames, keep, expected):
    found = fall_back(frames, keep, "time")
    assert found == expected
    assert choose(frames, found[0], math.nan)


def test_an_unknown_name_is_refused():
    with pytest.raises(NightsiftError, match="filter=best: expected one of bad, good"):
        check_choice("filter", "best", FILTERS)
