"""How far a probability can be believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

BINS = 15
Floats = npt.NDArray[np.float64]


class Reliability(NamedTuple):
    """Per bin of probability: mean probability, share of bad frames (NaN if empty), count."""

    edges: Floats
    mean_prob: Floats
    bad_fraction: Floats
    counts: Floats


def bin_of(prob: npt.ArrayLike, bins: int = BINS) -> npt.NDArray[np.int64]:
    """Equal-width bin of each probability, 0 to bins - 1; 1.0 belongs to the last."""
    scaled = (np.asarray(prob, dtype=np.float64) * bins).astype(np.int64)
    return np.clip(scaled, 0, bins - 1)


def reliability(prob: npt.ArrayLike, label: npt.ArrayLike, bins: int = BINS) -> Reliability:
    """Reliability of (N,) probabilities against (N,) labels, 1 bad and 0 good."""
    probs = np.asarray(prob, dtype=np.float64)
    truth = np.asarray(label, dtype=np.float64)
    place = bin_of(probs, bins)
    count = np.bincount(place, minlength=bins).astype(np.float64)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, weights=probs, minlength=bins) / count
        bad = np.bincount(place, weights=truth, minlength=bins) / count
    return Reliability(np.linspace(0, 1, bins + 1), mean, bad, count)


def fit_temperature(
    frame_logit: npt.ArrayLike,
    seq_logit: npt.ArrayLike,
    label: npt.ArrayLike,
    fuse: Callable[[Floats, Floats], Floats],
) -> float:
    """The temperature at which the fused probability is likeliest (Guo et al. 2017).

    Both heads share it, because it is their weighted mean that is believed
    (https://arxiv.org/abs/1706.04599).

    Args:
        frame_logit: (N,).
        seq_logit: (N,), NaN without a window.
        label: (N,) 1 bad, 0 good; anything else is left out.
        fuse: probabilities of both heads to the fused one.

    Returns:
        0.05 to 20; 1 without both classes.
    """
    truth = np.asarray(label, dtype=np.float64)
    known = (truth == 0) | (truth == 1)
    frame, seq = (np.asarray(logit, dtype=np.float64)[known] for logit in (frame_logit, seq_logit))
    truth = truth[known]
    if len(np.unique(truth)) < 2:
        return 1.0

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        prob = np.clip(fuse(expit(frame * scale), expit(seq * scale)), 1e-12, 1 - 1e-12)
        return float(-np.mean(np.where(truth == 1, np.log(prob), np.log1p(-prob))))

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def prior_shift(prior: float, share: float) -> float:
    """What turns logits of a training set with `share` of bad frames into those of `prior`.

    Difference of the log odds (Saerens et al. 2002, Neural Computation 14, 21); 0 where either
    is 0 or 1.
    """
    if not (0 < prior < 1 and 0 < share < 1):
        return 0.0
    return float(logit(prior) - logit(share))


def review_bound(
    prob: npt.ArrayLike,
    label: npt.ArrayLike,
    night: npt.ArrayLike,
    *,
    missed: float,
    looked_at: float,
) -> float | None:
    """The probability from which on a frame is worth a look.

    Below it lies at most a share `missed` of the bad frames of a night; but above it not more
    than a share `looked_at` of the good ones, which is the stricter of the two where the classes
    cannot be told apart.

    Args:
        prob: (N,) fused probabilities.
        label: (N,) 1 bad, 0 good; anything else is left out.
        night: (N,) name of each frame's night.
        missed: 0-1.
        looked_at: 0-1.

    Returns:
        A probability, or None without bad frames.
    """
    truth, probs, names = np.asarray(label), np.asarray(prob, dtype=np.float64), np.asarray(night)
    bad, good = truth == 1, truth == 0
    if not bad.any():
        return None
    low = lower_bound(probs[bad], names[bad], missed)
    return max(low, -lower_bound(-probs[good], names[good], looked_at)) if good.any() else low


def lower_bound(score: Floats, night: npt.NDArray[Any], share: float) -> float:
    """The bound below which at most `share` of the scores of a night lies.

    Split-conformal with nights as the exchangeable unit: the distribution functions of the
    nights are averaged (Dunn, Wasserman & Ramdas 2023, JASA 118, 2491, CDF pooling), so that a
    night with many frames counts as one. The bound holds for the average of new nights like
    these; with fewer than 1 / share nights the finite-sample term is left out.

    Args:
        score: (N,), N >= 1.
        night: (N,) name of each score's night.
        share: 0-1.
    """
    nights, member, counts = np.unique(night, return_inverse=True, return_counts=True)
    extra = 1.0 if len(nights) * share >= 1 else 0.0
    weight = 1.0 / counts[member] / (len(nights) + extra)
    order = np.argsort(score, kind="stable")
    below = np.cumsum(weight[order]) - weight[order] + extra / (len(nights) + extra)
    allowed = np.flatnonzero(below <= share + 1e-12)
    return float(score[order][allowed[-1]] if len(allowed) else score.min())
