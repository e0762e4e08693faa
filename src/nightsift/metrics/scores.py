"""Scores of a binary classifier, exact under ties and vectorised over resamples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nightsift.metrics.calibration import BINS, bin_of
from nightsift.metrics.threshold import is_bad

Floats = npt.NDArray[np.float64]
FALSE_REJECTION = 0.01
# Weights are worked through in blocks of about this many numbers.
_BLOCK = 4_000_000


def binary_scores(
    prob: npt.ArrayLike,
    label: npt.ArrayLike,
    threshold: float,
    *,
    pred: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
) -> dict[str, Floats]:
    """All scores of (N,) probabilities against (N,) labels.

    Args:
        prob: probabilities of bad, 0-1, none NaN.
        label: 1 bad, 0 good.
        threshold: for accuracy, precision, recall and f1, which are undefined where it is NaN.
        pred: (N,) verdicts, 1 bad, 0 good, where no single threshold decided; `threshold` is
            then not looked at.
        weights: (N,) or (B, N) non-negative, for example the counts of B resamples.

    Returns:
        accuracy, precision, recall, f1, auroc (Mann-Whitney, ties half), average_precision
        (step-wise sum over distinct scores), recall_at_1pct_false_rejection,
        brier (mean squared error), expected_calibration_error (15 equal bins, Naeini et al.
        2015), n, n_bad and n_good, each () or (B,); NaN where undefined.
    """
    probs = np.asarray(prob, dtype=np.float64)
    truth = np.asarray(label, dtype=np.float64)
    decided = _decided(probs, threshold) if pred is None else np.asarray(pred, np.float64)
    flat = np.ones(len(probs)) if weights is None else np.asarray(weights, dtype=np.float64)
    table = np.atleast_2d(flat)
    step = max(1, _BLOCK // max(1, len(probs)))
    blocks = [
        _scores(probs, truth, decided, table[i : i + step]) for i in range(0, len(table), step)
    ]
    joined = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    return joined if flat.ndim == 2 else {name: value[0] for name, value in joined.items()}


def _decided(probs: Floats, threshold: float) -> Floats:
    if np.isnan(threshold):
        return np.full(len(probs), np.nan)
    return is_bad(probs, threshold).astype(np.float64)


def _scores(probs: Floats, truth: Floats, pred: Floats, weights: Floats) -> dict[str, Floats]:
    bad = weights @ truth
    good = weights @ (1 - truth)
    total = bad + good
    true = weights @ (truth * pred)
    false = weights @ ((1 - truth) * pred)
    with np.errstate(invalid="ignore", divide="ignore"):
        out = {
            "accuracy": (true + good - false) / total,
            "precision": true / (true + false),
            "recall": true / bad,
            "f1": 2 * true / (true + false + bad),
            **_ranking(probs, truth, weights, bad, good),
            "brier": weights @ (probs - truth) ** 2 / total,
            "expected_calibration_error": _calibration_error(probs, truth, weights) / total,
        }
    out["f1"] = np.where(bad > 0, out["f1"], np.nan)
    return {**out, "n": total, "n_bad": bad, "n_good": good}


def _ranking(
    probs: Floats, truth: Floats, weights: Floats, bad: Floats, good: Floats
) -> dict[str, Floats]:
    """Scores that depend on the order alone; rejected frames add up from the highest score."""
    order = np.argsort(-probs, kind="stable")
    ordered = probs[order]
    last = ordered != np.append(ordered[1:], np.nan)  # last frame of each distinct score
    true = np.cumsum(weights[:, order] * truth[order], axis=1)[:, last]
    false = np.cumsum(weights[:, order] * (1 - truth[order]), axis=1)[:, last]
    zero = np.zeros((len(weights), 1))
    true_step = np.diff(true, axis=1, prepend=zero)
    false_before = np.concatenate([zero, false[:, :-1]], axis=1)
    rejected = true + false
    precision = np.divide(true, rejected, out=np.zeros_like(true), where=rejected > 0)
    # A pair counts when the bad frame scores higher, half when both score the same.
    pairs = true_step * (good[:, None] - (false + false_before) / 2)
    allowed = false <= FALSE_REJECTION * good[:, None] * (1 + 1e-12)
    both = (bad > 0) & (good > 0)
    return {
        "auroc": np.where(both, pairs.sum(axis=1) / (bad * good), np.nan),
        "average_precision": np.where(both, (true_step * precision).sum(axis=1) / bad, np.nan),
        "recall_at_1pct_false_rejection": np.where(
            both, np.max(true * allowed, axis=1, initial=0.0) / bad, np.nan
        ),
    }


def _calibration_error(probs: Floats, truth: Floats, weights: Floats) -> Floats:
    """Sum over bins of |sum of (prob - truth)|."""
    member = np.zeros((len(probs), BINS))
    member[np.arange(len(probs)), bin_of(probs)] = probs - truth
    errors: Floats = np.abs(weights @ member).sum(axis=1)
    return errors
