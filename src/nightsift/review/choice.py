"""Which frames to show, and in which order; pure functions of labels and scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from nightsift.errors import NightsiftError
from nightsift.review.frames import Score

FILTERS = ("bad", "good", "unlabelled", "disagree", "uncertain", "all")
ORDERS = ("time", "score", "disagreement")
# Odds within a factor of five of the threshold's are worth a look; threshold 0.5: 0.17 to 0.83.
_LOG_ODDS = math.log(5)


class Judged(NamedTuple):
    """A frame's label (1 bad, 0 good, None) and score."""

    label: int | None
    score: Score


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise NightsiftError unless `value` is one of `known`."""
    if value not in known:
        raise NightsiftError(f"{name}={value}: expected one of {', '.join(known)}")


def choose(frames: Sequence[Judged], keep: str, threshold: float) -> list[int]:
    """Indices of the frames that a filter keeps, in the order given.

    Args:
        frames: of the night in time order.
        keep: one of `FILTERS`.
        threshold: of the score, NaN if unknown.
    """
    tests: dict[str, Callable[[Judged], bool]] = {
        "bad": lambda f: f.label == 1,
        "good": lambda f: f.label == 0,
        "unlabelled": lambda f: f.label is None,
        "disagree": lambda f: None not in (f.label, f.score.flagged) and f.label != f.score.flagged,
        "uncertain": _uncertain(frames, threshold),
        "all": lambda f: True,
    }
    return [i for i, frame in enumerate(frames) if tests[keep](frame)]


def fall_back(frames: Sequence[Judged], keep: str, order: str) -> tuple[str, str]:
    """Filter and order to use where `keep` leaves nothing: unlabelled frames, worst score first."""
    scored = any(not math.isnan(frame.score.score) for frame in frames)
    unlabelled = any(frame.label is None for frame in frames)
    if keep == "unlabelled" or not unlabelled:
        return "all", order
    return "unlabelled", "score" if scored else order


def arrange(frames: Sequence[Judged], chosen: Sequence[int], order: str) -> list[int]:
    """The chosen frames in one of `ORDERS`; those without a value come last, in time order.

    `disagreement` is the distance between label and probability; for unlabelled frames, which
    follow, the distance between the two heads.
    """
    if order == "time":
        return sorted(chosen)
    key = _suspicion if order == "score" else _disagreement
    return sorted(chosen, key=lambda i: (*key(frames[i]), i))


def _uncertain(frames: Sequence[Judged], threshold: float) -> Callable[[Judged], bool]:
    scores = [f.score for f in frames if not math.isnan(f.score.score)]
    if all(0 <= score.score <= 1 for score in scores):
        centre = _logit(0.5 if math.isnan(threshold) else threshold)
        return lambda f: abs(_logit(f.score.score) - centre) < _LOG_ODDS
    # Scores without a scale: where flagged and unflagged frames overlap.
    low = min((s.score for s in scores if s.flagged), default=math.inf)
    high = max((s.score for s in scores if not s.flagged), default=-math.inf)
    return lambda f: low <= f.score.score <= high


def _logit(prob: float) -> float:
    if prob in (0, 1):
        return math.copysign(math.inf, prob - 0.5)
    return math.log(prob / (1 - prob))


def _suspicion(frame: Judged) -> tuple[bool, float]:
    return math.isnan(frame.score.score), -_or_zero(frame.score.score)


def _disagreement(frame: Judged) -> tuple[int, float]:
    score = frame.score
    if frame.label is not None and not math.isnan(score.score):
        return 0, -abs(frame.label - min(1.0, max(0.0, score.score)))
    if not math.isnan(score.heads):
        return 1, -score.heads
    return 2, 0.0


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
