"""Rows that were read out of step: their stars stand at other columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nightsift.night.alignment import Points

Floats = npt.NDArray[np.float64]

# Stars may be this far from where they belong, px.
_TOLERANCE_PX = 2.0
_LEAST_SHIFT_PX = 8.0


def displaced_stars(fresh: Points, lost: Points, rows: Floats, width: int) -> float:
    """Stars in one block of rows that are moved sideways, times their share of the block.

    Rows that are read out of step keep their stars, at other columns. Looks for the largest
    group of stars with one common sideways distance from where stars are missing (around the
    edge, as rows are rolled), less what chance gives.

    Args:
        fresh: (N, 2) x and y of stars of the frame that other frames do not have, px.
        lost: (M, 2) where stars of other frames should be and are not.
        rows: (K,) y of the stars that are where they belong.
        width: of the frame, px.
    """
    apart = (fresh[:, None] - lost[None]).reshape(-1, 2)
    star = np.repeat(np.arange(len(fresh)), len(lost))
    level = np.abs(apart[:, 1]) < _TOLERANCE_PX
    star, sideways = star[level], apart[level, 0] % width
    far = (sideways > _LEAST_SHIFT_PX) & (sideways < width - _LEAST_SHIFT_PX)
    star, sideways = star[far], sideways[far]
    if not len(sideways):
        return 0.0
    order = np.argsort(sideways, kind="stable")
    last = np.searchsorted(sideways[order], sideways[order] + 2 * _TOLERANCE_PX, "right")
    first = int(np.argmax(last - np.arange(len(order))))
    members = fresh[np.unique(star[order[first : last[first]]]), 1]
    if len(members) < 3:  # somewhere along the frame two agree by accident
        return 0.0
    others = np.count_nonzero((rows >= members.min()) & (rows <= members.max()))
    chance = 2 * _TOLERANCE_PX * len(sideways) / width
    count = max(len(members) - 1 - chance - 3 * np.sqrt(chance), 0.0)
    return float(count * len(members) / (len(members) + others))
