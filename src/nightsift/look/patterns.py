"""What the places of stars tell: the same pattern twice in a frame, rows moved sideways."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nightsift.night.matching import Points

Floats = npt.NDArray[np.float64]

# Brightest objects whose distances are looked at: faint ones have partners by chance.
_LOOKED_AT = 250
_FEWEST = 6
# Two images of a star lie at most this many widths apart, or they count as two fields.
_REACH = 12.0
# Stars may be this far from where they belong, px.
_TOLERANCE_PX = 2.0
_LEAST_SHIFT_PX = 8.0


def paired_share(points: Points, width_px: float) -> float:
    """Share of the objects that have a partner in the same direction and distance, 0-1.

    A mount that jumps during the exposure makes two images of every star. What chance gives
    at the density of the field is taken off. NaN for fewer than 6 objects.

    Args:
        points: (N, 2) x and y, px, brightest first.
        width_px: typical full width of a star.
    """
    points = points[:_LOOKED_AT]
    if len(points) < _FEWEST:
        return float("nan")
    reach, bin_px = _REACH * width_px, max(0.5 * width_px, 1.0)
    ahead, behind = np.triu_indices(len(points), 1)
    apart = points[ahead] - points[behind]
    apart = apart[np.abs(apart).max(axis=1) < reach]
    # Each pair once, whichever of the two is brighter.
    apart[apart[:, 1] < 0] *= -1
    cells = np.floor((apart + np.array([reach, 0.0])) / bin_px).astype(np.intp)
    side = int(2 * reach / bin_px) + 2
    votes = np.zeros((side, side))
    np.add.at(votes, (cells[:, 0], cells[:, 1]), 1)
    # A pattern may lie on the border of cells: four of them count together.
    votes = votes[:-1, :-1] + votes[1:, :-1] + votes[:-1, 1:] + votes[1:, 1:]
    mean = 8 * len(apart) / side**2
    return float(np.clip(2 * (votes.max() - mean - 3 * np.sqrt(mean) - 1) / len(points), 0, 1))


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
