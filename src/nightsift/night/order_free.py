"""Deviation of each frame from the others of a series, whose order in time tells nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nightsift.look.statistics import MAD_TO_SIGMA
from nightsift.night.trend import MIN_FRAMES, Deviation

Floats = npt.NDArray[np.float64]

# How little a handful of nights tells of what nights differ by: the scatter of K nights is taken
# (1 + 3 / K) times as large as it looks.
_DOUBT_NIGHTS = 3.0


def series_deviation(
    values: Floats, night: npt.NDArray[np.intp], *, floor: float = 0.0
) -> Deviation:
    """Deviation from the median of the other frames, with their scatter.

    A night of n frames counts like sqrt(n) single ones: neither does one long night outvote
    all others, nor one bad frame a long night.

    Args:
        values: (N,), NaN where there is none.
        night: (N,) number of the night of each.
        floor: least scatter, what nights may differ by.

    Returns:
        NaN where there are no more than `MIN_FRAMES` values.
    """
    value, scale = (np.full(len(values), np.nan) for _ in range(2))
    known = np.flatnonzero(np.isfinite(values))
    if len(known) <= MIN_FRAMES:
        return Deviation(value, scale)
    _, member, sizes = np.unique(night[known], return_inverse=True, return_counts=True)
    weight = 1 / np.sqrt(sizes[member])
    value[known] = values[known] - median_of_others(values[known], weight)
    sigma = MAD_TO_SIGMA * median_of_others(np.abs(value[known]), weight)
    scale[known] = np.maximum(sigma * (1 + _DOUBT_NIGHTS / len(sizes)), floor)
    return Deviation(value, scale)


def median_of_others(values: Floats, weight: Floats) -> Floats:
    """(N,) weighted median of all values but the one in question.

    Args:
        values: (N,) finite, at least two.
        weight: (N,) > 0.

    Example:
        >>> median_of_others(np.array([1.0, 2.0, 3.0, 10.0]), np.ones(4)).tolist()
        [3.0, 3.0, 2.0, 2.0]
    """
    order = np.argsort(values, kind="stable")
    grown = np.cumsum(weight[order])
    rank = np.empty(len(values), dtype=np.intp)
    rank[order] = np.arange(len(values))
    half = (grown[-1] - weight) / 2
    tiny = 1e-9 * grown[-1]
    # Lower and upper median: they differ where exactly half of the weight lies on either side.
    ends = [_place_without(grown, rank, weight, half + step) for step in (-tiny, tiny)]
    return np.asarray((values[order][ends[0]] + values[order][ends[1]]) / 2)


def _place_without(
    grown: Floats, rank: npt.NDArray[np.intp], weight: Floats, wanted: Floats
) -> npt.NDArray[np.intp]:
    """(N,) first place where the weights without one's own reach `wanted`."""
    before = np.searchsorted(grown, wanted)
    behind = np.maximum(np.searchsorted(grown, wanted + weight), rank + 1)
    last = np.where(rank == len(grown) - 1, len(grown) - 2, len(grown) - 1)
    return np.asarray(np.minimum(np.where(before < rank, before, behind), last))
