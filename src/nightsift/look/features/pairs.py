"""The same pattern of stars twice in one frame."""

from __future__ import annotations

import numpy as np

from nightsift.look.features import FEATURES, Feature
from nightsift.look.scene import MIN_WIDTH_PX, Floats, Scene

# Brightest objects whose distances are looked at: faint ones have partners by chance.
_LOOKED_AT = 250
_FEWEST = 6
# Two images of a star lie at most this many widths apart, or they count as two fields.
_REACH = 12.0


def measure_pairs(scene: Scene) -> dict[str, float]:
    """`paired_share` of the objects of a frame."""
    objects = np.column_stack([scene.found.table["x"], scene.found.table["y"]])
    return {"paired_share": paired_share(objects, max(scene.width_px, MIN_WIDTH_PX))}


def paired_share(points: Floats, width_px: float) -> float:
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


FEATURES.add("pairs", Feature(measure_pairs))
