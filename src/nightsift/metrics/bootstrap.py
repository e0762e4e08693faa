"""Scores with intervals that know that frames of one night are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nightsift.metrics.scores import binary_scores

COUNTS = ("n", "n_bad", "n_good")
INTERVAL = (2.5, 97.5)
_BLOCK = 4_000_000


def score_table(
    prob: npt.ArrayLike,
    label: npt.ArrayLike,
    group: npt.ArrayLike,
    threshold: float,
    *,
    pred: npt.ArrayLike | None = None,
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
        threshold: for the scores that need one; NaN where there is none.
        pred: (N,) verdicts, 1 bad, 0 good, where no single threshold decided; `threshold` is
            then not looked at.
        resamples: how many to draw; 0 gives no intervals.
        seed: of the draws.

    Returns:
        `{score: {"value", "low", "high"}, ..., "interval_over": "nights" or "frames"}`, None
        where undefined; counts are whole numbers.
    """
    truth = np.asarray(label, dtype=np.float64)
    known = ((truth == 0) | (truth == 1)) & ~np.isnan(np.asarray(prob, dtype=np.float64))
    probs, truth = np.asarray(prob, dtype=np.float64)[known], truth[known]
    decided = None if pred is None else np.asarray(pred, dtype=np.float64)[known]
    names, member = np.unique(np.asarray(group)[known], return_inverse=True)
    over_nights = len(names) > 1
    units = member if over_nights else np.arange(len(probs))
    rng = np.random.default_rng(seed)
    n_units = len(names) if over_nights else len(probs)
    share = np.full(n_units, 1 / max(1, n_units))
    draws = rng.multinomial(n_units, share, size=resamples) if n_units else np.empty((0, 0), int)

    def scores(weights: npt.ArrayLike | None = None) -> dict[str, npt.NDArray[np.float64]]:
        return binary_scores(probs, truth, threshold, pred=decided, weights=weights)

    # Worked through in blocks that bound memory.
    step = max(1, _BLOCK // max(1, len(probs)))
    parts = [scores(draws[i : i + step][:, units]) for i in range(0, len(draws), step)]
    table: dict[str, Any] = {
        name: _entry(float(value), [part[name] for part in parts], is_count=name in COUNTS)
        for name, value in scores().items()
    }
    table["interval_over"] = "nights" if over_nights else "frames"
    return table


def _entry(
    value: float, resampled: list[npt.NDArray[np.float64]], *, is_count: bool
) -> dict[str, float | int | None]:
    if is_count:
        return {"value": round(value), "low": None, "high": None}
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    drawn = np.concatenate([*resampled, []])
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) == 0:
        return {"value": value, "low": None, "high": None}
    low, high = np.percentile(drawn, INTERVAL)
    return {"value": value, "low": float(low), "high": float(high)}
