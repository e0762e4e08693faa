"""Two lists of stars laid over each other: any shift, rotation and parity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree
from scipy.special import gammainc

from nightsift.night.alignment import Alignment, Points, frame_centre
from nightsift.night.turning import turned_candidates

# Brightest stars that vote: enough when a third is missing and another third has drifted out;
# and where the brightest ones of both lists are not the same (saturation, blur, a dense field).
_VOTERS = ((50, 100), (200, 400))
# Chance that stars strewn at random agree as well as this; over all places of the histogram,
# and over all alignments that were looked at.
_CHANCE, _ACCEPTED = 1e-5, 2e-4
_MIN_PAIRS = 3
# A frame that lies as its neighbour does, has this share of the fewer stars this close, px.
_STILL_PX, _STILL_SHARE = 1.5, 0.5
_NEAR_PX = 48.0
_MOST_SCALE = 0.03
_NO_PAIRS = np.empty((0, 2), dtype=np.intp)


def match(
    stars: Points,
    reference: Points,
    shape: tuple[int, int],
    *,
    near: Alignment | None = None,
    tolerance_px: float = 3.0,
) -> Alignment | None:
    """Find the alignment on which most stars agree, or None where chance explains it.

    All differences between bright stars of both lists, for the frame as it is and turned by 180
    degrees, vote for a shift; where that fails, vectors between two stars vote for a rotation
    and a shift, as it is and mirrored. Least squares on the pairs that a candidate makes refine
    shift, rotation and scale; what random stars would reach as well is refused.

    Args:
        stars: (N, 2) x and y of the frame, brightest first.
        reference: (M, 2) of the reference, brightest first.
        shape: (H, W) of the frame, px.
        near: look only at its orientation and within 48 px of its shift: ten times faster.
        tolerance_px: how far apart the members of a pair may end up; twice as far where that
            gives nothing.
    """
    if len(stars) < _MIN_PAIRS or len(reference) < _MIN_PAIRS:
        return None
    judge = _Judge(stars, reference, shape, tolerance_px, wide=near is None)
    found = judge.still(near or Alignment(0.0, 1.0, np.zeros(2), _NO_PAIRS))
    if found is not None:
        return found
    for candidate in _shifted(stars, reference, judge, near):
        found = judge.refined(candidate)
        if found is not None:
            return found
    if near is not None:
        return None
    for mirrored in (False, True):
        turned = turned_candidates(stars, reference, judge.centre, mirrored=mirrored)
        known = [item for item in map(judge.refined, turned) if item is not None]
        if known:
            return max(known, key=lambda item: len(item.pairs))
    return None


def _shifted(
    stars: Points, reference: Points, judge: _Judge, near: Alignment | None
) -> Iterator[Alignment]:
    """Candidates by votes for a shift, the most significant of each round."""
    unturned = (Alignment(turn, 1.0, np.zeros(2), _NO_PAIRS) for turn in (0.0, 180.0))
    starts = tuple(unturned) if near is None else (near,)
    for voters, partners in _VOTERS if near is None else _VOTERS[:1]:
        best, best_chance = None, _CHANCE
        for start in starts:
            bare = start._replace(offset=np.zeros(2), pairs=_NO_PAIRS)
            turned = bare.to_reference(stars[:voters], judge.centre)
            difference = (reference[None, :partners] - turned[:, None]).reshape(-1, 2)
            if near is not None:
                close = np.abs(difference - near.offset).max(axis=1) < _NEAR_PX
                difference = difference[close]
            offset, chance = _vote(difference, judge.bin_px)
            if chance < best_chance:
                best, best_chance = bare._replace(offset=offset), chance
        if best is not None:
            yield best
        if len(stars) <= voters and len(reference) <= partners:
            break
    if near is not None:
        yield near


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


class _Judge:
    """Refines alignments of one frame on one reference, and refuses those that chance makes."""

    def __init__(
        self,
        stars: Points,
        reference: Points,
        shape: tuple[int, int],
        tolerance_px: float,
        *,
        wide: bool,
    ) -> None:
        self.stars, self.reference = stars, reference
        self.centre, self.tolerance_px = frame_centre(shape), tolerance_px
        # One bin holds what a rotation by half a degree smears.
        self.bin_px = max(4.0, max(shape) / 160)
        self._area = float(shape[0] * shape[1])
        self._tree = cKDTree(reference)
        cell = np.pi * tolerance_px**2
        self._trials = (2 * _NEAR_PX) ** 2 / cell
        if wide:  # shifts by up to a frame, turns in steps of the tolerance at the corner, parity
            turns = 2 * np.pi * float(np.hypot(*self.centre)) / (2 * tolerance_px)
            self._trials = 4 * self._area / cell * turns * 2

    def still(self, start: Alignment) -> Alignment | None:
        """Where most stars are within `_STILL_PX` of their partners as they stand, or None.

        One place is looked at, not all: a few stars of a narrow window are enough.
        """
        pairs = _pairs(self._tree, self._moved(start), _STILL_PX)
        fewer = min(len(self.stars), len(self.reference))
        if len(pairs) < max(_MIN_PAIRS, _STILL_SHARE * fewer):
            return None
        mean = len(self.stars) * len(self.reference) * np.pi * _STILL_PX**2 / self._area
        if _at_least(len(pairs), mean) > _CHANCE:
            return None
        found = self._fitted(start, pairs)
        return self._fitted(found, _pairs(self._tree, self._moved(found), self.tolerance_px))

    def refined(self, start: Alignment) -> Alignment | None:
        """Least squares on pairs within shrinking radii; None where chance explains it."""
        found = start
        for radius in (3 * self.bin_px, 1.5 * self.bin_px, 2 * self.tolerance_px):
            pairs = self._coarse_pairs(found, radius)
            if len(pairs) < _MIN_PAIRS:
                return None
            found = self._fitted(found, pairs)
        # Rings of a defocused frame and the corners of a wide field lie less exactly.
        for tolerance in (self.tolerance_px, 2 * self.tolerance_px):
            fine = self._within(found, tolerance)
            if fine is not None:
                return fine
        return None

    def _within(self, start: Alignment, radius: float) -> Alignment | None:
        found = start
        for _ in range(2):
            pairs = _pairs(self._tree, self._moved(found), radius)
            if len(pairs) < _MIN_PAIRS:
                return None
            found = self._fitted(found, pairs)
        plausible = abs(found.scale - 1) < _MOST_SCALE
        return found if plausible and self._chance(found, radius) < _ACCEPTED else None

    def _fitted(self, before: Alignment, pairs: npt.NDArray[np.intp]) -> Alignment:
        own, other = self.stars[pairs[:, 0]], self.reference[pairs[:, 1]]
        return before.fitted(own - self.centre, other - self.centre)._replace(pairs=pairs)

    def _moved(self, found: Alignment) -> Points:
        return found.to_reference(self.stars, self.centre)

    def _coarse_pairs(self, found: Alignment, radius: float) -> npt.NDArray[np.intp]:
        """Pairs of the brightest stars: so few that the nearest one mostly is the right one."""
        most = max(int(0.4 * self._area / (np.pi * radius**2)), 30)
        moved = found.to_reference(self.stars[:most], self.centre)
        tree = (
            self._tree if len(self.reference) <= 2 * most else cKDTree(self.reference[: 2 * most])
        )
        return _pairs(tree, moved, radius)

    def _chance(self, found: Alignment, radius: float) -> float:
        """Probability that stars strewn at random make as many pairs somewhere.

        The number of pairs by chance is taken from a ring round the stars, not from the mean of
        the frame: clusters and vignetted corners are in both lists.
        """
        moved = self._moved(found)
        inside = self._tree.query_ball_point(moved, 4 * radius, return_length=True)
        others = max(float(np.sum(inside)) - len(found.pairs), 0.0)
        ring = max(others - 2 * np.sqrt(others), 0.0) / 15
        low, high = moved.min(axis=0) - radius, moved.max(axis=0) + radius
        here = np.count_nonzero(np.all((self.reference > low) & (self.reference < high), axis=1))
        mean = len(moved) * here * np.pi * radius**2 / float(np.prod(high - low))
        return _at_least(len(found.pairs), max(ring, mean)) * self._trials


def _pairs(tree: cKDTree, moved: Points, radius: float) -> npt.NDArray[np.intp]:
    """(M, 2) indices of mutual nearest neighbours within the radius."""
    found = tree.query(moved, distance_upper_bound=radius)
    distance, index = np.asarray(found[0]), np.asarray(found[1])
    own = np.flatnonzero(np.isfinite(distance))
    order = own[np.argsort(distance[own], kind="stable")]
    _, first = np.unique(index[order], return_index=True)
    kept = np.sort(order[first])
    return np.column_stack([kept, index[kept]])
