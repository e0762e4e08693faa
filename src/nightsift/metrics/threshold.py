"""The one comparison of probability and threshold, and the exact choice of the threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nightsift.errors import NightsiftError

DEFAULT_THRESHOLD = 0.5
OBJECTIVES = ("f1", "max_false_rejection", "cost")
Floats = npt.NDArray[np.float64]


def is_bad(prob: npt.ArrayLike, threshold: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether each frame is bad: `prob >= threshold`; a NaN probability is not.

    Args:
        prob: (N,) or one.
        threshold: one for all frames, or (N,).
    """
    return np.asarray(np.asarray(prob, dtype=np.float64) >= np.asarray(threshold, np.float64))


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a threshold is tuned for.

    Attributes:
        name: `f1` maximises F1; `max_false_rejection` maximises recall while at most that
            share of good frames is rejected; `cost` minimises rejected good frames times
            `cost_ratio` plus kept bad frames.
        max_false_rejection: 0-1.
        cost_ratio: cost of a rejected good frame relative to a kept bad one, > 0.
    """

    name: str = "f1"
    max_false_rejection: float = 0.01
    cost_ratio: float = 5.0

    def __post_init__(self) -> None:
        if self.name not in OBJECTIVES:
            raise NightsiftError(
                f"calibration.objective must be one of {', '.join(OBJECTIVES)}, got {self.name!r}"
            )
        if not 0 <= self.max_false_rejection <= 1 or self.cost_ratio <= 0:
            raise NightsiftError("calibration: max_false_rejection must lie in 0-1, cost_ratio > 0")


@dataclass(frozen=True, kw_only=True)
class ThresholdChoice:
    """A threshold and what it reached on the frames that it was tuned on.

    `value` is the F1, the recall, or the cost per frame; `note` says why a default was taken.
    """

    threshold: float
    objective: str
    value: float | None
    false_rejection: float | None
    recall: float | None
    n_good: int
    n_bad: int
    note: str = ""


def choose_threshold(
    prob: npt.ArrayLike, label: npt.ArrayLike, objective: Objective
) -> ThresholdChoice:
    """The best threshold over all that the scores can tell apart.

    Every distinct score and "reject nothing" is tried; the threshold lies midway between the
    two scores it separates. Among equally good thresholds the one that rejects fewest wins.

    The default 0.5 is taken, and the note says so, when no frame is labelled, when all scores
    are equal, when only bad frames are labelled, and when only good ones are and the objective
    is not `max_false_rejection` (which needs no bad frames).

    Args:
        prob: (N,) probabilities of bad; frames with NaN are left out.
        label: (N,) 1 bad, 0 good; NaN or -1 unlabelled, left out.
        objective: what to tune for.
    """
    scores = np.asarray(prob, dtype=np.float64)
    truth = np.asarray(label, dtype=np.float64)
    known = ~np.isnan(scores) & ((truth == 0) | (truth == 1))
    scores, truth = scores[known], truth[known]
    n_bad = int(truth.sum())
    n_good = len(truth) - n_bad
    note = _why_default(scores, n_good, n_bad, objective)
    if note:
        return ThresholdChoice(
            threshold=DEFAULT_THRESHOLD,
            objective=objective.name,
            value=None,
            false_rejection=None,
            recall=None,
            n_good=n_good,
            n_bad=n_bad,
            note=note,
        )
    distinct = np.unique(scores)
    # How many good and bad frames are rejected when the k highest distinct scores are.
    false = np.append(0, np.cumsum(_count(distinct, scores[truth == 0])[::-1]))
    true = np.append(0, np.cumsum(_count(distinct, scores[truth == 1])[::-1]))
    value, best = _best(false, true, n_good, n_bad, objective)
    return ThresholdChoice(
        threshold=_between(distinct, len(distinct) - best),
        objective=objective.name,
        value=None if np.isnan(value) else float(value),
        false_rejection=float(false[best] / n_good) if n_good else None,
        recall=float(true[best] / n_bad) if n_bad else None,
        n_good=n_good,
        n_bad=n_bad,
    )


def _why_default(scores: Floats, n_good: int, n_bad: int, objective: Objective) -> str:
    if n_good + n_bad == 0:
        return "default: no labelled frame"
    if n_good == 0:
        return "default: only bad frames are labelled"
    if n_bad == 0 and objective.name != "max_false_rejection":
        return "default: only good frames are labelled"
    if scores.min() == scores.max():
        return "default: all scores are equal"
    return ""


def _count(distinct: Floats, scores: Floats) -> npt.NDArray[np.int64]:
    return np.bincount(np.searchsorted(distinct, scores), minlength=len(distinct))


def _best(
    false: npt.NDArray[np.int64],
    true: npt.NDArray[np.int64],
    n_good: int,
    n_bad: int,
    objective: Objective,
) -> tuple[float, int]:
    """Value and number of rejected scores of the best candidate; argmax takes the first."""
    if objective.name == "f1":
        gain = 2 * true / np.maximum(1, true + false + n_bad)
    elif objective.name == "cost":
        gain = -(objective.cost_ratio * false + (n_bad - true)) / (n_good + n_bad)
    else:
        allowed = false / n_good <= objective.max_false_rejection
        if n_bad == 0:
            best = int(np.flatnonzero(allowed)[-1])
            return float("nan"), best
        gain = np.where(allowed, true / n_bad, -1.0)
    best = int(np.argmax(gain))
    return abs(float(gain[best])), best


def _between(distinct: Floats, first_bad: int) -> float:
    """A threshold below `distinct[first_bad]` and above the score before it."""
    if first_bad == len(distinct):  # reject nothing
        return float(np.nextafter(max(1.0, distinct[-1]), 2.0))
    if first_bad == 0:
        return float(distinct[0])
    low, high = distinct[first_bad - 1], distinct[first_bad]
    middle = (low + high) / 2
    return float(middle if middle > low else high)
