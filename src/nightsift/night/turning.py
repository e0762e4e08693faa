"""Candidates for how a frame is turned: vectors between two stars that are as long in both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from nightsift.night.alignment import Alignment, Points

# Brightest stars whose vectors are compared; the list of a night covers more sky than a frame.
_OWN, _OTHER = 40, 90
_MOST_VECTORS, _MOST_VOTES = 300, 50_000
_SCALE_RANGE = 0.03
_TURN_BIN_DEG = 1.5
# Fullest places that are tried on more stars.
_TRIED, _TRIED_STARS = 60, 60


def turned_candidates(
    stars: Points, reference: Points, centre: Points, *, mirrored: bool, best: int = 3
) -> list[Alignment]:
    """Ways to lay a frame on a reference, for any rotation, those with most stars first.

    Each vector between two bright stars of the frame and each one of the reference that is as
    long within 3 % give a rotation and a shift; the fullest places of the histogram of these
    are tried on more stars.

    Args:
        stars: (N, 2) x and y of the frame, brightest first.
        reference: (M, 2) of the reference, brightest first.
        centre: (2,) middle of the frame, px.
        mirrored: whether the frame is looked at with y reversed.
        best: how many to return at most.
    """
    own = stars[:_OWN] - centre
    a = own[:, 0] + 1j * (-own[:, 1] if mirrored else own[:, 1])
    other = reference[:_OTHER] - centre
    b = other[:, 0] + 1j * other[:, 1]
    turn, offset = _votes(a, b, float(np.hypot(*centre)))
    if not len(turn):
        return []
    bin_px = max(6.0, float(centre.max()) / 50)
    found = [
        Alignment(
            float(np.degrees(np.angle(t))),
            1.0,
            np.array([o.real, o.imag]),
            np.empty((0, 2), dtype=np.intp),
            mirrored,
        )
        for t, o in _fullest(turn, offset, bin_px)
    ]
    tree = cKDTree(reference[: 4 * _TRIED_STARS])
    tried = stars[:_TRIED_STARS]
    moved = np.stack([item.to_reference(tried, centre) for item in found])
    distance = np.asarray(tree.query(moved, distance_upper_bound=bin_px)[0])
    # Near partners count more: half at two fifths of the radius.
    score = np.sum(1 / (1 + (distance / (0.4 * bin_px)) ** 2), axis=1)
    return [found[i] for i in np.argsort(-score, kind="stable")[:best]]


def _votes(
    a: npt.NDArray[np.complex128], b: npt.NDArray[np.complex128], radius: float
) -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.complex128]]:
    """(V,) turns, of length 1, and (V,) offsets of the centre that go with them."""
    i, j = np.triu_indices(len(a), 1)
    long = np.abs(a[j] - a[i])
    kept = np.flatnonzero(long > 0.15 * radius)
    # Drawn from all: the brightest few dozen may be no stars at all.
    kept = np.random.default_rng(0).permutation(kept)[:_MOST_VECTORS]
    i, j = i[kept], j[kept]
    k, m = np.nonzero(~np.eye(len(b), dtype=bool))
    order = np.argsort(np.abs(b[m] - b[k]), kind="stable")
    k, m = k[order], m[order]
    length = np.abs(b[m] - b[k])
    low = np.searchsorted(length, long[kept] * (1 - _SCALE_RANGE))
    count = np.searchsorted(length, long[kept] * (1 + _SCALE_RANGE)) - low
    if count.sum() > _MOST_VOTES:
        most = np.searchsorted(np.cumsum(count), _MOST_VOTES)
        i, j, low, count = i[:most], j[:most], low[:most], count[:most]
    own = np.repeat(np.arange(len(count)), count)
    at = np.arange(len(own)) - np.repeat(np.cumsum(count) - count, count) + low[own]
    i, j, k, m = i[own], j[own], k[at], m[at]
    turn = (b[m] - b[k]) / (a[j] - a[i])
    turn /= np.maximum(np.abs(turn), 1e-12)
    return turn, (b[k] + b[m]) / 2 - turn * (a[i] + a[j]) / 2


def _fullest(
    turn: npt.NDArray[np.complex128], offset: npt.NDArray[np.complex128], bin_px: float
) -> list[tuple[complex, complex]]:
    """Mean turn and offset of the places that most votes share."""
    around = round(360 / _TURN_BIN_DEG)
    angle = np.floor(np.degrees(np.angle(turn)) / _TURN_BIN_DEG).astype(np.int64) % around
    x, y = (np.floor(part / bin_px).astype(np.int64) for part in (offset.real, offset.imag))
    x, y = x - x.min(), y - y.min()
    key = (angle * (x.max() + 1) + x) * (y.max() + 1) + y
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    counts = np.diff(np.append(starts, len(key)))
    top = np.argsort(-counts, kind="stable")[:_TRIED]
    members = [order[starts[place] : starts[place] + counts[place]] for place in top]
    return [(complex(turn[own].mean()), complex(offset[own].mean())) for own in members]
