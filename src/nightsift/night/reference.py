"""The night's star list: built from the frame most others agree with, so that it may drift."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from nightsift.look.scene import StarList
from nightsift.night.alignment import Alignment, Points, frame_centre
from nightsift.night.fixed import star_masks
from nightsift.night.matching import match

# Frames of a night that are matched with each other to find its reference.
_SAMPLE = 10
# Only frames with this many pairs add stars: a chance match must not poison the list.
_MIN_PAIRS_TO_ADD = 8
_ADD_SNR = 20.0
_MOST_STARS = 4000
_SAME_STAR_PX = 4.0
# Frames on either side, placed already, that a lost frame is laid on.
_NEIGHBOURS, _ROUNDS = 1, 2
# More lost frames than this are no accident but another field; each costs a long search.
_MOST_LOST = 30


class NightField(NamedTuple):
    """The stars of a night and how each frame lies on them.

    Attributes:
        position: (K, 2) x and y in the coordinates of the reference frame, px.
        alignments: one per frame; None where the field was not recognised.
        reference: index of the reference frame, -1 where there is none.
    """

    position: Points
    alignments: list[Alignment | None]
    reference: int


def align_night(
    stars: Sequence[StarList], shape: tuple[int, int], quality: npt.NDArray[np.float64]
) -> NightField:
    """Lay all frames of a night on one list of stars.

    Args:
        stars: one list per frame, in time order.
        shape: (H, W) of the frames, px.
        quality: (N,) larger for frames that are fitter as reference; NaN for unfit ones.
    """
    points = [np.column_stack([item.x, item.y]) for item in stars]
    sample = _sample(points, quality)
    masks = star_masks(points, sample, shape)
    moving = [item[mask] for item, mask in zip(points, masks, strict=True)]
    reference = _choose_reference(moving, shape, quality, sample)
    if reference < 0:
        return NightField(np.empty((0, 2)), [None] * len(stars), -1)
    kept = [
        StarList(*(column[mask] for column in item))
        for item, mask in zip(stars, masks, strict=True)
    ]
    chain = _Chain(kept, moving, shape, reference)
    chain.place_outward()
    chain.place_lost()
    numbers = [np.flatnonzero(mask) for mask in masks]
    alignments = [
        found and found._replace(pairs=np.column_stack([own[found.pairs[:, 0]], found.pairs[:, 1]]))
        for found, own in zip(chain.alignments, numbers, strict=True)
    ]
    return NightField(chain.catalogue.position, alignments, reference)


class _Catalogue:
    """Positions and fluxes of the stars known so far; stars keep their number."""

    def __init__(self, position: Points, flux: Points) -> None:
        self.position, self.flux = position.copy(), flux.copy()

    def add(self, position: Points, flux: Points) -> None:
        """Append stars that are not there yet."""
        if not len(position) or len(self.position) >= _MOST_STARS:
            return
        distance, _ = cKDTree(self.position).query(position)
        fresh = distance > _SAME_STAR_PX
        self.position = np.concatenate([self.position, position[fresh]])
        self.flux = np.concatenate([self.flux, flux[fresh]])

    def near(
        self, last: Alignment | None, centre: Points, shape: tuple[int, int]
    ) -> npt.NDArray[np.intp]:
        """Numbers of the stars in and around the last frame's field, brightest first."""
        here = self.position if last is None else last.to_frame(self.position, centre)
        margin = 0.25 * np.array([shape[1], shape[0]])
        inside = np.all((here > -margin) & (here < 2 * centre + 1 + margin), axis=1)
        numbers = np.flatnonzero(inside)
        return numbers[np.argsort(-self.flux[numbers], kind="stable")]


class _Chain:
    """Places frames one after the other on a list of stars that grows with them."""

    def __init__(
        self,
        stars: Sequence[StarList],
        points: Sequence[Points],
        shape: tuple[int, int],
        reference: int,
    ) -> None:
        self.catalogue = _Catalogue(points[reference], stars[reference].flux)
        self.alignments: list[Alignment | None] = [None] * len(stars)
        self._stars, self._points, self._shape = stars, points, shape
        self._centre, self._reference = frame_centre(shape), reference

    def place_outward(self) -> None:
        """From the reference to both ends of the night, each frame after its neighbour."""
        order = sorted(range(len(self._stars)), key=lambda i: (abs(i - self._reference), i))
        last: dict[bool, Alignment | None] = {True: None, False: None}
        for i in order:
            later = i > self._reference
            found = self._matched(i, last[later])
            if found is not None:
                last[later] = found
                self._keep(i, found)

    def place_lost(self) -> None:
        """Frames that were not recognised, once more, on their neighbours that were."""
        for _ in range(_ROUNDS):
            lost = [i for i, item in enumerate(self.alignments) if item is None]
            before = len(lost)
            if before > _MOST_LOST:
                return
            for i in lost:
                found = self._by_neighbours(i)
                if found is not None:
                    self._keep(i, found)
                    before -= 1
            if before in (len(lost), 0):
                return

    def _by_neighbours(self, i: int) -> Alignment | None:
        known = [j for j, item in enumerate(self.alignments) if item is not None]
        at = int(np.searchsorted(known, i))
        around = known[max(at - _NEIGHBOURS, 0) : at + _NEIGHBOURS]
        for j in sorted(around, key=lambda j: abs(j - i)):
            direct = match(self._points[i], self._points[j], self._shape)
            placed = self.alignments[j]
            if direct is None or placed is None:
                continue
            guess = placed.after(direct)
            numbers = self.catalogue.near(guess, self._centre, self._shape)
            found = self._on(i, numbers, guess)
            if found is not None:
                return found
        return None

    def _matched(self, i: int, last: Alignment | None) -> Alignment | None:
        """Where the last frame was, then around its field, then on all stars (a jump)."""
        around = self.catalogue.near(last, self._centre, self._shape)
        trials = [(around, None)] if last is None else [(around, last), (around, None)]
        if len(around) < len(self.catalogue.flux):
            trials.append((np.argsort(-self.catalogue.flux, kind="stable"), None))
        for numbers, near in trials:
            found = self._on(i, numbers, near)
            if found is not None:
                return found
        return None

    def _on(
        self, i: int, numbers: npt.NDArray[np.intp], near: Alignment | None
    ) -> Alignment | None:
        position = self.catalogue.position[numbers]
        found = match(self._points[i], position, self._shape, near=near)
        if found is None:
            return None
        pairs = np.column_stack([found.pairs[:, 0], numbers[found.pairs[:, 1]]])
        return found._replace(pairs=pairs)

    def _keep(self, i: int, found: Alignment) -> None:
        self.alignments[i] = found
        if len(found.pairs) < _MIN_PAIRS_TO_ADD:
            return
        own, star = found.pairs.T
        fresh = self._stars[i].snr > _ADD_SNR
        fresh[own] = False
        ratio = self.catalogue.flux[star] / np.maximum(self._stars[i].flux[own], 1)
        moved = found.to_reference(self._points[i][fresh], self._centre)
        self.catalogue.add(moved, self._stars[i].flux[fresh] * np.median(ratio))


def _sample(points: Sequence[Points], quality: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """One frame of each of several parts of the night, the best and a middling one by turns.

    No spell may provide them all, and what is damaged may look best by its own numbers.
    """
    usable = np.flatnonzero(np.isfinite(quality) & (np.array([len(p) for p in points]) >= 3))
    if not len(usable):
        return usable
    parts = np.array_split(usable, min(_SAMPLE, len(usable)))
    ranked = [part[np.argsort(-quality[part], kind="stable")] for part in parts]
    picked = [part[(len(part) // 2) * (k % 2)] for k, part in enumerate(ranked)]
    return np.array(picked, dtype=np.intp)


def _choose_reference(
    points: Sequence[Points],
    shape: tuple[int, int],
    quality: npt.NDArray[np.float64],
    sample: npt.NDArray[np.intp],
) -> int:
    """The frame, of a sample, on which most others can be laid, and with most pairs.

    A frame that points elsewhere may be the sharpest of all, and one full of false stars may
    have the most: nothing agrees with it.
    """
    if not len(sample):
        return -1
    partners, agreed = np.zeros(len(sample), dtype=int), np.zeros(len(sample))
    for a, b in combinations(range(len(sample)), 2):
        found = match(points[sample[a]], points[sample[b]], shape)
        if found is not None:
            partners[[a, b]] += 1
            agreed[[a, b]] += len(found.pairs)
    # One partner more or less is chance: two pointings differ by more.
    most = partners >= 0.75 * partners.max()
    order = np.lexsort([quality[sample], agreed, most])
    return int(sample[order[-1]])
