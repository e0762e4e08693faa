"""A frame at two scales: the whole field in cells, and stars as the camera saw them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from nightsift.look.blocks import pool_cells
from nightsift.look.prepare import Prepared, prepare
from nightsift.look.reduction import Reduced
from nightsift.look.statistics import quick_median
from nightsift.look.transforms import TRANSFORMS, Pixels

Floats = npt.NDArray[np.float32]

# Cut-outs per side of the mosaic.
CUTOUTS = 4
# Cells of one part of the field that are looked at closely before one is taken.
_TRIED = 4
# A star's brightest pixel holds less than this share of the light of 3x3.
_SHARP = 0.6


class TwoScale:
    """Three planes of the whole field and a mosaic of star cut-outs, free of the camera's units.

    The planes are, all as asinh(signal / (softening * noise)), clipped:

    1. mean of each cell above a smooth sky, in units of the noise of that mean;
    2. brightest pixel of each cell above the sky, after reduction and without hot pixels, so
       that streaks survive;
    3. the smooth sky itself above its median, in units of the noise of one pixel;
    4. a mosaic of 4x4 cut-outs of img_size / 4 unreduced pixels: from each part of the field the
       brightest star that is neither saturated nor a hot pixel, or what is brightest.

    Args:
        softening: signal-to-noise ratio at which asinh turns from linear to logarithmic.
        clip: largest absolute output value.
    """

    name = "two_scale"

    def __init__(self, *, softening: float = 3.0, clip: float = 8.0) -> None:
        if softening <= 0 or clip <= 0:
            raise ValueError("transform: softening and clip must be positive")
        self.softening = softening
        self.clip = clip

    def spec(self) -> dict[str, Any]:
        """Name and arguments."""
        return {"name": self.name, "softening": self.softening, "clip": self.clip}

    def __call__(self, pixels: Pixels, img_size: int) -> Floats:
        """Map (H, W) pixels to (4, img_size, img_size), within +-clip."""
        return self.render(prepare(pixels), img_size)

    def render(self, prepared: Prepared, img_size: int) -> Floats:
        """The same from pixels that are prepared already."""
        pixels, reduced, sky = prepared
        if not reduced.noise_adu > 0:  # a constant plane: nothing to scale by
            return np.zeros((4, img_size, img_size), dtype=np.float32)
        height, width = sky.residual.shape
        per_cell = max(1.0, height / img_size) * max(1.0, width / img_size)
        mean = pool_cells(sky.residual, img_size) / (sky.sigma / np.sqrt(per_cell))
        top = pool_cells(sky.residual, img_size, brightest=True) / sky.sigma
        smooth = pool_cells(reduced.image - sky.residual, img_size)
        level = (smooth - np.median(smooth)) / reduced.noise_adu
        mosaic = _mosaic(pixels, mean, reduced)
        planes = np.arcsinh(np.stack([mean, top, level, mosaic]) / self.softening)
        return np.nan_to_num(planes).clip(-self.clip, self.clip).astype(np.float32)


def _mosaic(pixels: Pixels, mean: Floats, reduced: Reduced) -> Floats:
    """Cut-outs of stars spread over the field, (S, S), above their median, in sigma."""
    part, side = len(mean) // CUTOUTS, len(mean) // CUTOUTS
    out = np.zeros_like(mean)
    for row in range(CUTOUTS):
        for col in range(CUTOUTS):
            cells = mean[row * part : (row + 1) * part, col * part : (col + 1) * part]
            best = np.argsort(-cells, axis=None, kind="stable")[:_TRIED]
            places = np.column_stack(np.unravel_index(best, cells.shape))
            places += np.array([row * part, col * part])
            centre = _star(pixels, places, len(mean), reduced)
            cut = _cut(pixels, centre, side)
            target = out[row * side : (row + 1) * side, col * side : (col + 1) * side]
            target[: cut.shape[0], : cut.shape[1]] = (cut - quick_median(cut)) / reduced.noise_adu
    return out


def _star(
    pixels: Pixels, cells: npt.NDArray[np.int64], size: int, reduced: Reduced
) -> tuple[int, int]:
    """The pixel in the middle of the first good star of `cells`, (N, 2), of a size x size grid."""
    found: list[tuple[bool, tuple[int, int]]] = []
    for row, col in cells:
        top, bottom = _span(row, size, pixels.shape[0])
        left, right = _span(col, size, pixels.shape[1])
        patch = pixels[top:bottom, left:right].astype(np.float32)
        level = quick_median(patch)
        smooth = uniform_filter(patch, 3, mode="nearest") - level
        y, x = (int(i) for i in np.unravel_index(int(np.argmax(smooth)), smooth.shape))
        sharp = patch[y, x] - level > _SHARP * 9 * smooth[y, x]
        saturated = patch.max() >= reduced.saturation_adu  # False where nothing saturates
        found.append((bool(sharp or saturated), (top + y, left + x)))
        if not found[-1][0]:
            break
    return min(found, key=lambda item: item[0])[1]


def _span(cell: int, size: int, length: int) -> tuple[int, int]:
    """First and last row of a cell, with two more on either side."""
    return max(0, cell * length // size - 2), min(length, -(-(cell + 1) * length // size) + 2)


def _cut(pixels: Pixels, centre: tuple[int, int], side: int) -> Floats:
    """(side, side) around `centre`, moved into the frame; less where the frame is smaller."""
    slices = []
    for middle, length in zip(centre, pixels.shape, strict=True):
        first = max(0, min(middle - side // 2, length - side))
        slices.append(slice(first, first + side))
    return np.asarray(pixels[tuple(slices)], dtype=np.float32)


TRANSFORMS.add("two_scale", TwoScale)
