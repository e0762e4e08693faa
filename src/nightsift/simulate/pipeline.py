"""What a reduction program does to finished frames before an observer keeps them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform, convolve

from nightsift.simulate.sky import Light
from nightsift.simulate.usage import Usage

# Bilinear interpolation of each colour of the matrix, summed to a luminance.
_DEBAYER = np.outer([1.0, 2.0, 1.0], [1.0, 2.0, 1.0]) / 16


class Place(NamedTuple):
    """Where the field lies on the detector against the night's usual place.

    Attributes:
        shift_px: (dx, dy).
        rotation_deg: about the centre, before the shift.
        flipped: turned by half a circle.
    """

    shift_px: tuple[float, float] = (0.0, 0.0)
    rotation_deg: float = 0.0
    flipped: bool = False

    @property
    def angle(self) -> float:
        """Of all the rotation, radians."""
        return float(np.radians(self.rotation_deg + (180.0 if self.flipped else 0.0)))


def debayer(adu: Light) -> Light:
    """(H, W) luminance of a colour matrix, as smooth as bilinear interpolation makes it."""
    out: Light = convolve(adu, _DEBAYER.astype(np.float32), mode="nearest")
    return out


def finish(pixels: npt.NDArray[np.float32], usage: Usage, place: Place) -> npt.NDArray[np.float32]:
    """Sky subtracted and moved onto the usual place, as `usage` says.

    Args:
        pixels: (H, W) calibrated.
        usage: which steps there are.
        place: of the field in this frame; beyond its pixels the moved frame is blank.
    """
    if usage.sky_subtracted:
        pixels = pixels - np.float32(np.median(pixels))
    if usage.aligned:
        pixels = aligned(pixels, place, np.nan if usage.blank_nan else 0.0)
    return pixels


def aligned(pixels: npt.NDArray[np.float32], place: Place, blank: float) -> npt.NDArray[np.float32]:
    """The frame moved so that its stars lie at the usual place, by linear interpolation."""
    height, width = pixels.shape
    cosine, sine = np.cos(place.angle), np.sin(place.angle)
    # Rows first: (y, x) of the frame from (y, x) of the usual place.
    matrix = np.array([[cosine, sine], [-sine, cosine]])
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    offset = centre - matrix @ centre + np.array(place.shift_px[::-1])
    moved: npt.NDArray[np.float32] = affine_transform(
        pixels, matrix, offset, order=1, mode="constant", cval=blank
    )
    return moved
