"""Two lists of stars laid over each other: shift, rotation by any angle, and a little scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree
from scipy.special import gammainc

Points = npt.NDArray[np.float64]

# Brightest stars that vote: enough when a third is missing and another third has drifted out.
_VOTERS, _CANDIDATES = 50, 100
# More of them where brightnesses disagree: saturated stars are no part of a sharp frame's list.
_MANY_VOTERS, _MANY_CANDIDATES = 150, 250
# Brightest stars whose connecting lines vote for a rotation, and how many angles are tried.
_PAIRED, _ANGLES = 30, 3
_SHORTEST_PX, _LENGTH_PX, _ANGLE_BIN_DEG = 30.0, 2.0, 0.5
# Chance that stars strewn at random agree as well as this; over all places of the histogram.
_CHANCE = 1e-5
_MIN_PAIRS = 3
_NEAR_PX = 48.0
# Of the frame's bright stars, this share must have a partner: half may be new to the list.
_LEAST_SHARE = 0.3


class Alignment(NamedTuple):
    """How a frame lies on a reference: reference = rotation(frame - centre) + centre + offset.

    Attributes:
        rotation_deg: -180 to 180, of the frame's coordinates into the reference's.
        scale: close to 1.
        offset: (2,) x and y, px.
        pairs: (M, 2) indices into the frame's and the reference's list.
    """

    rotation_deg: float
    scale: float
    offset: Points
    pairs: npt.NDArray[np.intp]

    @property
    def flipped(self) -> bool:
        """Whether the frame is turned by more than a quarter."""
        return abs(self.rotation_deg) > 90

    def to_reference(self, points: Points, centre: Points) -> Points:
        """(N, 2) points of the frame in the reference's coordinates."""
        moved = (points - centre) @ _rotation(self.rotation_deg).T * self.scale
        return np.asarray(moved + centre + self.offset)

    def to_frame(self, points: Points, centre: Points) -> Points:
        """(N, 2) points of the reference in the frame's coordinates."""
        turned = (points - centre - self.offset) @ _rotation(self.rotation_deg)
        return np.asarray(turned / self.scale + centre)


def match(
    stars: Points,
    reference: Points,
    shape: tuple[int, int],
    *,
    near: Alignment | None = None,
    tolerance_px: float = 3.0,
) -> Alignment | None:
    """Find the alignment on which most stars agree, or None where chance explains it.

    All differences between stars of both lists, for the frame as it is and turned by 180
    degrees, vote for a shift; the fullest place wins, and least squares on the pairs that it
    makes refine shift, rotation and scale: rotations of up to about 1.5 degrees are found so.
    Where they are not, the same is tried at the angles that the lines between bright stars
    have most in common.

    Args:
        stars: (N, 2) x and y of the frame, brightest first.
        reference: (M, 2) of the reference, brightest first.
        shape: (H, W) of the frame, px.
        near: look only at its orientation and within 48 px of its shift: ten times faster.
        tolerance_px: how far apart the members of a pair may end up.
    """
    if len(stars) < _MIN_PAIRS or len(reference) < _MIN_PAIRS:
        return None
    if near is not None:
        return _at_angles(stars, reference, shape, [near.rotation_deg], near, _VOTERS, tolerance_px)
    turned = _common_angles(stars, reference)
    for voters in (_VOTERS, _MANY_VOTERS):
        for angles in ([0.0, 180.0], turned):
            found = _at_angles(stars, reference, shape, angles, None, voters, tolerance_px)
            if found is not None:
                return found
        if len(stars) <= _VOTERS and len(reference) <= _CANDIDATES:
            break
    return None


def _at_angles(
    stars: Points,
    reference: Points,
    shape: tuple[int, int],
    angles: Sequence[float],
    near: Alignment | None,
    voters: int,
    tolerance_px: float,
) -> Alignment | None:
    """The best alignment near one of some rotations, degrees."""
    centre = frame_centre(shape)
    # One bin holds what a rotation by half a degree smears.
    bin_px = max(4.0, max(shape) / 160)
    candidates = _CANDIDATES if voters == _VOTERS else _MANY_CANDIDATES
    best, best_chance = None, _CHANCE / max(len(angles) / 2, 1)
    for turn in angles:
        turned = (stars[:voters] - centre) @ _rotation(turn).T + centre
        difference = (reference[None, :candidates] - turned[:, None]).reshape(-1, 2)
        if near is not None:
            difference = difference[np.abs(difference - near.offset).max(axis=1) < _NEAR_PX]
        offset, chance = _vote(difference, bin_px)
        if chance < best_chance:
            best, best_chance = Alignment(turn, 1.0, offset, np.empty((0, 2), int)), chance
    if best is None:
        return None
    return _refined(best, stars, reference, centre, (3 * bin_px, 1.5 * bin_px, tolerance_px))


def _common_angles(stars: Points, reference: Points) -> list[float]:
    """Rotations that turn most lines between bright stars into lines of the reference, degrees.

    Lines of the same length in both lists vote for the angle between them. A line has no
    direction: each angle stands for itself and its opposite.
    """
    own, other = _lines(stars[:_PAIRED]), _lines(reference[: _PAIRED + _PAIRED // 3])
    first = np.searchsorted(other[:, 0], own[:, 0] - _LENGTH_PX)
    last = np.searchsorted(other[:, 0], own[:, 0] + _LENGTH_PX)
    count = last - first
    if not count.sum():
        return []
    line = np.repeat(np.arange(len(own)), count)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[line]
    angle = (other[place, 1] - own[line, 1]) % 180
    bins = round(180 / _ANGLE_BIN_DEG)
    votes = np.bincount((angle / _ANGLE_BIN_DEG).astype(int) % bins, minlength=bins).astype(float)
    votes = votes + np.roll(votes, 1) + np.roll(votes, -1)
    found: list[float] = []
    for _ in range(_ANGLES):
        top = int(np.argmax(votes))
        turn = (top + 0.5) * _ANGLE_BIN_DEG
        found += [turn, turn - 180]
        votes[np.arange(top - 2, top + 3) % bins] = 0
    return found


def _lines(points: Points) -> Points:
    """(K, 2) length, px, ascending, and direction, degrees, of the lines between points."""
    first, second = np.triu_indices(len(points), 1)
    step = points[second] - points[first]
    lines = np.column_stack([np.hypot(*step.T), np.degrees(np.arctan2(step[:, 1], step[:, 0]))])
    lines = lines[lines[:, 0] > _SHORTEST_PX]
    return np.asarray(lines[np.argsort(lines[:, 0], kind="stable")])


def frame_centre(shape: tuple[int, int]) -> Points:
    """(2,) x and y of the middle of a frame of (H, W) px."""
    return np.array([shape[1], shape[0]]) / 2 - 0.5


def _vote(difference: Points, bin_px: float) -> tuple[Points, float]:
    """The offset that most pairs share, and the probability that chance made it."""
    if len(difference) < _MIN_PAIRS:
        return np.zeros(2), 1.0
    low = difference.min(axis=0)
    cells = ((difference - low) / bin_px).astype(int)
    shape = tuple(cells.max(axis=0) + 1)
    flat = cells[:, 0] * shape[1] + cells[:, 1]
    single = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float32)
    votes = uniform_filter(single, 3, mode="constant") * 9
    # What chance gives here: the votes of a wider neighbourhood, where there are many.
    expected = np.maximum(uniform_filter(votes, 25, mode="constant"), 9 / votes.size)
    excess = votes - 3 * np.sqrt(expected) - expected
    place = np.unravel_index(int(np.argmax(excess)), shape)
    count, mean = float(votes[place]), float(expected[place])
    near = np.abs(cells - np.array(place)).max(axis=1) <= 1
    offset = np.median(difference[near], axis=0)
    # The place itself is part of its neighbourhood's mean.
    mean = max(mean - count * 9 / 625, 9 * len(difference) / max(votes.size, 2500))
    return offset, _at_least(round(count), mean) * votes.size / 9


def _at_least(count: int, mean: float) -> float:
    """Probability of `count` or more by Poisson's law."""
    return float(gammainc(count, mean)) if count > 0 else 1.0


def _refined(
    start: Alignment,
    stars: Points,
    reference: Points,
    centre: Points,
    radii: tuple[float, ...],
) -> Alignment | None:
    tree = cKDTree(reference)
    found = start
    for radius in (*radii, radii[-1]):
        moved = found.to_reference(stars, centre)
        pairs = _pairs(tree, moved, radius)
        if len(pairs) < _MIN_PAIRS:
            return None
        found = _fit(stars[pairs[:, 0]] - centre, reference[pairs[:, 1]] - centre, found)
        found = found._replace(pairs=pairs)
    turned = abs((found.rotation_deg - start.rotation_deg + 180) % 360 - 180)
    enough = len(found.pairs) >= min(20, _LEAST_SHARE * len(stars[:_VOTERS]))
    return found if enough and abs(found.scale - 1) < 0.02 and turned < 6 else None


def _pairs(tree: cKDTree, moved: Points, radius: float) -> npt.NDArray[np.intp]:
    """(M, 2) indices of mutual nearest neighbours within the radius."""
    found = tree.query(moved, distance_upper_bound=radius)
    distance, index = np.asarray(found[0]), np.asarray(found[1])
    own = np.flatnonzero(np.isfinite(distance))
    order = own[np.argsort(distance[own], kind="stable")]
    _, first = np.unique(index[order], return_index=True)
    kept = np.sort(order[first])
    return np.column_stack([kept, index[kept]])


def _fit(own: Points, other: Points, before: Alignment) -> Alignment:
    """Similarity by least squares; with few or huddled pairs the shift alone."""
    a, b = own[:, 0] + 1j * own[:, 1], other[:, 0] + 1j * other[:, 1]
    mean_a, mean_b = a.mean(), b.mean()
    spread = float(np.mean(np.abs(a - mean_a) ** 2))
    if len(a) >= 6 and spread > 30.0**2:
        factor = np.vdot(a - mean_a, b - mean_b) / (len(a) * spread)
    else:
        factor = np.exp(1j * np.radians(before.rotation_deg)) * before.scale
    offset = mean_b - factor * mean_a
    return before._replace(
        rotation_deg=float(np.degrees(np.angle(factor))),
        scale=float(abs(factor)),
        offset=np.array([offset.real, offset.imag]),
    )


def _rotation(angle_deg: float) -> Points:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[c, -s], [s, c]])
