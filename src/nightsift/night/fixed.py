"""Points that stay on the detector while the sky moves: hot pixels and dust, no stars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from nightsift.night.alignment import Points, frame_centre
from nightsift.night.matching import match

_SAME_PX = 0.6
# The sky has moved, where a frame's middle or edge has moved by this.
_MOVED_PX = 3.0
_LEAST_STILL = 3
# A place is fixed that stayed in this share of the pairs of frames whose sky moved.
_SHARE, _LEAST_TIMES = 0.2, 2


def star_masks(
    points: Sequence[Points], sample: npt.NDArray[np.intp], shape: tuple[int, int]
) -> list[npt.NDArray[np.bool_]]:
    """Which points of each frame are not fixed on the detector.

    Two frames whose stars lie on each other after a shift, and which have points at the same
    pixels besides, show what is no star. A field that never moves tells nothing, and needs not.

    Args:
        points: one (N, 2) list per frame, brightest first.
        sample: numbers of the frames that are compared.
        shape: (H, W) of the frames, px.
    """
    everything = [np.ones(len(item), dtype=bool) for item in points]
    places, moved = [], 0
    # Neighbours in time move least; frames far apart may share no sky.
    pairs = [(i, j) for step in (1, 3) for i, j in zip(sample, sample[step:], strict=False)]
    for i, j in pairs:
        still = _still(points[i], points[j])
        if np.count_nonzero(still) < _LEAST_STILL:
            continue
        if _sky_moved(points[i][~still], points[j][~_still(points[j], points[i])], shape):
            places.append(points[i][still])
            moved += 1
    if moved < _LEAST_TIMES:
        return everything
    found = np.concatenate(places)
    tree = cKDTree(found)
    times = np.asarray(tree.query_ball_point(found, _SAME_PX, return_length=True))
    fixed = found[times >= max(_LEAST_TIMES, _SHARE * moved)]
    if not len(fixed):
        return everything
    tree = cKDTree(fixed)
    return [
        np.asarray(tree.query(item)[0]) > _SAME_PX if len(item) else np.ones(0, dtype=bool)
        for item in points
    ]


def _still(points: Points, others: Points) -> npt.NDArray[np.bool_]:
    """(N,) points that have another frame's point at the same pixel."""
    if not len(points) or not len(others):
        return np.zeros(len(points), dtype=bool)
    return np.asarray(cKDTree(others).query(points)[0]) < _SAME_PX


def _sky_moved(points: Points, others: Points, shape: tuple[int, int]) -> bool:
    found = match(points, others, shape)
    if found is None:
        return False
    centre = frame_centre(shape)
    marks = centre + np.array([[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]) * centre
    apart = np.hypot(*(found.to_reference(marks, centre) - marks).T)
    return bool(apart.max() > _MOVED_PX)
