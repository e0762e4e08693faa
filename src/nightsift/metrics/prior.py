"""The share of bad frames of a night, from the probabilities of its frames alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

Floats = npt.NDArray[np.float64]

_ITERATIONS = 50
_CLOSE = 1e-6
# However sure: the next night of clouds begins with a clear frame.
_LEAST, _MOST = 0.002, 0.8


def night_share(prob: npt.ArrayLike, *, prior: float, strength: float) -> float:
    """The likeliest share of bad frames among those of one night.

    Expectation maximisation for a shifted share of classes (Saerens, Latinne & Decaestecker
    2002, Neural Computation 14, 21, https://doi.org/10.1162/089976602753284446), with a beta
    distribution around `prior` that counts as much as `strength` frames: a short night hardly
    moves it.

    Args:
        prob: (N,) calibrated probabilities of *bad*, meant for `prior`; NaN is left out.
        prior: 0-1.
        strength: > 0.
    """
    known = np.asarray(prob, dtype=np.float64)
    known = np.clip(known[~np.isnan(known)], 1e-9, 1 - 1e-9)
    odds = logit(known)
    share = prior = _within(prior)
    for _ in range(_ITERATIONS):
        posterior = expit(odds + logit(share) - logit(prior))
        new = (float(posterior.sum()) + strength * prior) / (len(known) + strength)
        new = min(max(new, _LEAST), _MOST)
        if abs(new - share) < _CLOSE:
            break
        share = new
    return share


def night_shifts(
    prob: npt.ArrayLike, night: npt.ArrayLike, *, prior: float, strength: float
) -> Floats:
    """(N,) what is added to the logits of each frame for the share of bad ones of its night.

    Args:
        prob: (N,) calibrated probabilities of *bad*, meant for `prior`.
        night: (N,) name or number of each frame's night.
        prior: 0-1.
        strength: frames that `prior` counts as, > 0.
    """
    probs = np.asarray(prob, dtype=np.float64)
    prior = _within(prior)
    _, member = np.unique(np.asarray(night), return_inverse=True)
    shifts = np.zeros(len(probs))
    for number in range(int(member.max(initial=-1)) + 1):
        own = member == number
        share = night_share(probs[own], prior=prior, strength=strength)
        shifts[own] = logit(share) - logit(prior)
    return shifts


def _within(prior: float) -> float:
    """A share of 0 or 1 has no odds: the nearest that has."""
    return min(max(prior, _LEAST), 1 - _LEAST)
