"""How far a probability can be believed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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
