"""Frames in order of suspicion: how many bad and good ones lie above each distinct score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Counted(NamedTuple):
    """The frames that count: labelled and with a score.

    Attributes:
        prob: (M,) float64, probabilities of bad.
        label: (M,) float64, 1 = bad, 0 = good.
        mask: (N,) bool, which of the given frames these are.
    """

    prob: FloatArray
    label: FloatArray
    mask: BoolArray


class Ranking(NamedTuple):
    """Cumulative counts down the distinct scores, highest score first.

    Attributes:
        score: (K,) the distinct scores, descending.
        bad: (..., K) bad frames with at least this score.
        good: (..., K) good frames with at least this score.
    """

    score: FloatArray
    bad: FloatArray
    good: FloatArray


def counted(prob: npt.ArrayLike, label: npt.ArrayLike) -> Counted:
    """Leave out the unlabelled frames and those without a score.

    Args:
        prob: (N,) probabilities of bad; NaN where a frame has none.
        label: (N,) 1 = bad, 0 = good, NaN or -1 = unlabelled.

    Raises:
        ValueError: shapes that differ, another label value, or a score that is infinite or
            outside 0-1 by more than rounding.
    """
    scores = np.asarray(prob, dtype=np.float64)
    labels = np.asarray(label, dtype=np.float64)
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(
            f"prob and label must be (N,) and alike, got {scores.shape} and {labels.shape}"
        )
    if not np.all(np.isin(labels, (1.0, 0.0, -1.0)) | np.isnan(labels)):
        raise ValueError(f"labels must be 1, 0, -1 or NaN, got {np.unique(labels)}")
    # A weighted mean of two float32 probabilities may exceed 1 by rounding.
    if np.any(scores < -1e-6) or np.any(scores > 1 + 1e-6):
        raise ValueError("scores must be probabilities in 0-1; apply the sigmoid first")
    mask = (labels >= 0) & ~np.isnan(scores)
    return Counted(scores[mask], labels[mask], mask)


def rank(prob: FloatArray, label: FloatArray, *, weights: FloatArray | None = None) -> Ranking:
    """Count bad and good frames at or above each distinct score; equal scores are one step.

    Args:
        prob: (N,) probabilities, no NaN.
        label: (N,) 1 or 0.
        weights: (..., N) how often each frame counts; None counts each once.
    """
    order = np.argsort(-prob, kind="stable")
    score = prob[order]
    ends = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else order
    ordered = np.ones(len(prob)) if weights is None else weights[..., order]
    seen = np.cumsum(ordered, axis=-1)[..., ends]
    bad = np.cumsum(ordered * label[order], axis=-1)[..., ends]
    return Ranking(score[ends], bad, seen - bad)
