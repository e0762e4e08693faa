"""Scores with intervals that know that frames of one night are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nightsift.metrics.scores import binary_scores

COUNTS = ("n", "n_bad", "n_good")
INTERVAL = (2.5, 97.5)


def score_table(
    prob: npt.ArrayLike,
    label: npt.ArrayLike,
    group: npt.ArrayLike,
    threshold: float,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Each score with its 95 % percentile bootstrap interval (Efron & Tibshirani 1993).

    Whole groups (nights) are drawn with replacement; where there is only one, frames are, and
    `interval_over` says which. Resamples in which a score is undefined are left out of its
    interval.

    Args:
        prob: (N,) probabilities of bad.
        label: (N,) 1 bad, 0 good; anything else is unlabelled and left out.
        group: (N,) name of each frame's night.
        threshold: for the scores that need one.
        resamples: how many to draw; 0 gives no intervals.
        seed: of the draws.

    Returns:
        `{score: {"value", "low", "high"}, ..., "interval_over": "nights" or "frames"}`, None
        where undefined; counts are whole numbers.
    """
    truth = np.asarray(label, dtype=np.float64)
    known = ((truth == 0) | (truth == 1)) & ~np.isnan(np.asarray(prob, dtype=np.float64))
    probs, truth = np.asarray(prob, dtype=np.float64)[known], truth[known]
    names, member = np.unique(np.asarray(group)[known], return_inverse=True)
    over_nights = len(names) > 1
    units = member if over_nights else np.arange(len(probs))
    rng = np.random.default_rng(seed)
    n_units = len(names) if over_nights else len(probs)
    share = np.full(n_units, 1 / max(1, n_units))
    draws = rng.multinomial(n_units, share, size=resamples) if n_units else np.empty((0, 0), int)
    point = binary_scores(probs, truth, threshold)
    spread = _spread(probs, truth, threshold, draws, units)
    table: dict[str, Any] = {
        name: _entry(float(value), spread.get(name), is_count=name in COUNTS)
        for name, value in point.items()
    }
    table["interval_over"] = "nights" if over_nights else "frames"
    return table


def _spread(
    probs: npt.NDArray[np.float64],
    truth: npt.NDArray[np.float64],
    threshold: float,
    draws: npt.NDArray[np.int64],
    units: npt.NDArray[np.int64],
) -> dict[str, npt.NDArray[np.float64]]:
    """Scores of every resample, worked through in blocks that bound memory."""
    step = max(1, 4_000_000 // max(1, len(probs)))
    parts = [
        binary_scores(probs, truth, threshold, weights=draws[i : i + step][:, units])
        for i in range(0, len(draws), step)
    ]
    return (
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
    )


def _entry(
    value: float, resampled: npt.NDArray[np.float64] | None, *, is_count: bool
) -> dict[str, float | int | None]:
    if is_count:
        return {"value": round(value), "low": None, "high": None}
    defined = resampled[~np.isnan(resampled)] if resampled is not None else np.empty(0)
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    if len(defined) == 0:
        return {"value": value, "low": None, "high": None}
    low, high = np.percentile(defined, INTERVAL)
    return {"value": value, "low": float(low), "high": float(high)}
