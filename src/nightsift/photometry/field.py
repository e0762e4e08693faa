"""The frames of a night that show one field, and where its stars lie on each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.errors import NightsiftError
from nightsift.look.look import Look
from nightsift.look.scene import StarList
from nightsift.look.store import read_stars
from nightsift.night.alignment import Alignment, frame_centre
from nightsift.night.reference import align_night

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_FEWEST_FRAMES = 8
# A scatter needs two differences.
FEWEST_KEPT = 3


class Field(NamedTuple):
    """M frames laid on the reference frame of their night.

    Attributes:
        numbers: (M,) which frames of the night they are, ascending.
        alignments: M, how each lies on the reference.
        kept: (M,) frames that are not rejected, at least 3.
        stars: of the reference frame.
        centre: (2,) x and y of the middle of a frame, px.
    """

    numbers: npt.NDArray[np.intp]
    alignments: tuple[Alignment, ...]
    kept: Bools
    stars: StarList
    centre: Floats

    def on_frame(self, place: int, position: Floats) -> Floats:
        """(K, 2) points of the reference in the coordinates of the frame at `place` of M."""
        return self.alignments[place].to_frame(position, self.centre)

    def from_first_kept(self, point: tuple[float, float]) -> Floats:
        """(1, 2) a point of the first kept frame in the coordinates of the reference."""
        first = self.alignments[int(np.argmax(self.kept))]
        return first.to_reference(np.array([point], dtype=float), self.centre)


def recognise_field(looks: Sequence[Look], kept: Bools) -> Field:
    """Lay all frames of a night on the best kept one.

    Args:
        looks: at the frames of a night, in time order.
        kept: (N,) frames that are not rejected: one of them becomes the reference.

    Raises:
        NightsiftError: fewer than 8 frames show one field, or fewer than 3 of them are kept.
    """
    info = next((item.info for item in looks if item.info is not None), None)
    if info is None:
        raise NightsiftError("no frame of the night could be read")
    _check_count("kept frames", int(kept.sum()), FEWEST_KEPT)
    shape = (info.height, info.width)
    stars = read_stars(looks)
    field = align_night(stars, shape, _fitness(looks, kept))
    pairs = [(i, item) for i, item in enumerate(field.alignments) if item is not None]
    numbers = np.array([i for i, _ in pairs], dtype=np.intp)
    _check_count("frames of one field", len(pairs), _FEWEST_FRAMES)
    _check_count("kept frames of one field", int(kept[numbers].sum()), FEWEST_KEPT)
    alignments = tuple(item for _, item in pairs)
    return Field(numbers, alignments, kept[numbers], stars[field.reference], frame_centre(shape))


def fwhm_px(looks: Sequence[Look]) -> Floats:
    """(N,) width of the stars of each frame, NaN where it has none."""
    return np.array([item.features.get("fwhm_px", np.nan) for item in looks])


def _fitness(looks: Sequence[Look], kept: Bools) -> Floats:
    """(N,) number of stars with a shape over their width; NaN for rejected frames."""
    shapes = np.array([item.features.get("n_shapes", np.nan) for item in looks])
    return np.where(kept, shapes / np.maximum(fwhm_px(looks), 1.0), np.nan)


def _check_count(what: str, count: int, fewest: int) -> None:
    if count < fewest:
        raise NightsiftError(
            f"too few {what} for a light curve: {count}, expected at least {fewest}"
        )
