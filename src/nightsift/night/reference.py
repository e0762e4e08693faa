"""The night's star list: built from its best frames outward, so that the field may drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from nightsift.look.scene import StarList
from nightsift.night.matching import Alignment, Points, frame_centre, match

# Frames that a reference is tried on, and references tried.
_TRIALS, _REFERENCES = 8, 4
# Stars in common with one frame count up to this: crowded frames decide no more than others.
_MOST_COMMON = 30
# Only frames with this many pairs add stars: a chance match must not poison the list.
_MIN_PAIRS_TO_ADD = 8
_ADD_SNR = 20.0
_MOST_STARS = 4000
_SAME_STAR_PX = 4.0


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
    reference = _choose_reference(points, shape, quality)
    if reference < 0:
        return NightField(np.empty((0, 2)), [None] * len(stars), -1)
    catalogue = _Catalogue(points[reference], stars[reference].flux)
    alignments: list[Alignment | None] = [None] * len(stars)
    centre = frame_centre(shape)
    order = sorted(range(len(stars)), key=lambda i: (abs(i - reference), i))
    last: dict[bool, Alignment | None] = {True: None, False: None}
    # Those that are not recognised are tried once more when the list has grown by all others.
    for i, again in [*((i, False) for i in order), *((i, True) for i in order)]:
        later = i > reference
        if again:
            if alignments[i] is not None:
                continue
            last[later] = _nearest(alignments, i)
        found = _match(points[i], catalogue, last[later], centre, shape)
        alignments[i] = found
        if found is None:
            continue
        last[later] = found
        if len(found.pairs) >= _MIN_PAIRS_TO_ADD:
            fresh = np.ones(len(points[i]), dtype=bool)
            fresh[found.pairs[:, 0]] = False
            fresh &= stars[i].snr > _ADD_SNR
            scale = np.median(
                catalogue.flux[found.pairs[:, 1]] / np.maximum(stars[i].flux[found.pairs[:, 0]], 1)
            )
            moved = found.to_reference(points[i][fresh], centre)
            catalogue.add(moved, stars[i].flux[fresh] * scale)
    return NightField(catalogue.position, alignments, reference)


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


def _match(
    points: Points,
    catalogue: _Catalogue,
    last: Alignment | None,
    centre: Points,
    shape: tuple[int, int],
) -> Alignment | None:
    """Match where the last frame was, then around its field, then on all stars (a jump)."""
    around = catalogue.near(last, centre, shape)
    everything = np.argsort(-catalogue.flux, kind="stable")
    trials = [(around, None)] if last is None else [(around, last), (around, None)]
    if len(around) < len(everything):
        trials.append((everything, None))
    for numbers, near in trials:
        found = match(points, catalogue.position[numbers], shape, near=near)
        if found is not None:
            pairs = np.column_stack([found.pairs[:, 0], numbers[found.pairs[:, 1]]])
            return found._replace(pairs=pairs)
    return None


def _choose_reference(
    points: Sequence[Points], shape: tuple[int, int], quality: npt.NDArray[np.float64]
) -> int:
    """The frame, of the best ones, that has most stars in common with a sample of frames.

    A frame that points elsewhere or is damaged may be the sharpest of all; little matches it.
    """
    usable = np.flatnonzero(np.isfinite(quality) & (np.array([len(p) for p in points]) >= 3))
    if not len(usable):
        return -1
    # Best of several parts of the night: one spell must not provide all candidates.
    parts = np.array_split(usable, min(_REFERENCES, len(usable)))
    candidates = [int(part[np.argmax(quality[part])]) for part in parts]
    sample = usable[np.unique(np.linspace(0, len(usable) - 1, _TRIALS).astype(int))]
    counts = [
        sum(_common_stars(points[i], points[candidate], shape) for i in sample)
        for candidate in candidates
    ]
    return max(zip(counts, quality[candidates], candidates, strict=True))[2]


def _common_stars(points: Points, candidate: Points, shape: tuple[int, int]) -> int:
    found = match(points, candidate, shape)
    return 0 if found is None else min(len(found.pairs), _MOST_COMMON)


def _nearest(alignments: Sequence[Alignment | None], place: int) -> Alignment | None:
    """The alignment of the frame nearest in time that has one."""
    known = [i for i, found in enumerate(alignments) if found is not None]
    return alignments[min(known, key=lambda i: abs(i - place))] if known else None
