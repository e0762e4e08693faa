"""What is left of a frame without its stars, in cells: lines are looked for there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from nightsift.look.blocks import block_mean
from nightsift.look.scene import Scene
from nightsift.look.stars import Detections
from nightsift.look.statistics import quick_median

Floats = npt.NDArray[np.float32]
Cells = npt.NDArray[np.float16]

# Side of the square of cells that lines are summed over; a power of two.
GRID = 128
CLIP_SIGMA = 4.0
# Pixels of an object over its extent squared; of round ones it is 0.4.
_THIN = 0.1
# Side of the neighbourhood that a line must stand out from, cells.
_SMOOTH = 9
_BRIGHT, _LARGEST = 6.0, 100.0


def line_cells(scene: Scene) -> Cells:
    """(GRID, GRID) float16: residual of each cell in units of its noise, NaN where unknown.

    Compact objects are left out, and what is wider than a line (the neighbourhood of each
    cell), whole rows and whole columns are taken off. A frame that is not square, or smaller,
    fills a part of the cells.
    """
    residual, factor = scene.sky.residual, scene.reduced.factor
    masked = _mask(scene.found, residual.shape, factor)
    image = np.where(masked, np.float32(0), residual / scene.sky.sigma)
    image = np.clip(image, -CLIP_SIGMA, CLIP_SIGMA)
    step = _step(image.shape)
    h, w = image.shape[0] // step, image.shape[1] // step
    cells = block_mean(image, step) * step**2
    used = block_mean((image != 0).astype(np.float32), step) * step**2
    out = np.full((GRID, GRID), np.nan, dtype=np.float16)
    good = used > 0.3 * step**2
    if not good.any():
        return out
    values = cells / np.sqrt(np.maximum(used, 1))
    out[:h, :w] = without_wide(np.where(good, values, np.float32(np.nan)))
    return out


def without_wide(values: Floats) -> Floats:
    """Cells, (h, w), without what is no line: whole rows and columns, and what is wider.

    NaN stays where nothing is known.
    """
    good = np.isfinite(values)
    if not good.any():
        return values
    values = values - quick_median(values[good])
    # Rows and columns of the detector that differ as a whole.
    for axis in (1, 0):
        values = values - np.expand_dims(_known_median(values, axis), axis)
    # Dust, flat-field structure, wings of bright stars, the brightest of which must not dig a
    # hole around themselves.
    bounded = np.where(good, np.clip(values, -_BRIGHT, _BRIGHT), 0)
    near = uniform_filter(good.astype(np.float32), _SMOOTH, mode="constant")
    wide = uniform_filter(bounded, _SMOOTH, mode="constant") / np.maximum(near, 1e-3)
    return np.asarray(np.clip(values - wide, -_LARGEST, _LARGEST))


def _known_median(values: Floats, axis: int) -> Floats:
    """Median along an axis of what is known, 0 where nothing is."""
    ranked = np.sort(values, axis=axis)  # NaN last
    middle = np.isfinite(values).sum(axis=axis) // 2
    found = np.take_along_axis(
        ranked, np.expand_dims(middle, axis).clip(max=values.shape[axis] - 1), axis
    )
    return np.asarray(np.nan_to_num(found.squeeze(axis)))


def cell_px(shape: tuple[int, int], factor: int) -> int:
    """Side of a cell, px of the frame.

    Args:
        shape: (H, W) of the frame, px.
        factor: that it is reduced by (`nightsift.look.reduction.reduction_factor`).
    """
    return _step((shape[0] // factor, shape[1] // factor)) * factor


def _step(shape: tuple[int, ...]) -> int:
    return -(-max(shape) // GRID)


def _mask(found: Detections, shape: tuple[int, ...], factor: int) -> npt.NDArray[np.bool_]:
    """Pixels of compact objects and their surroundings; long thin objects stay to be seen."""
    table = found.table
    long = (table["a"] > 4 * table["b"]) & (table["npix"] > 20)
    # Where most stars are long, the frame is trailed: then these are no streaks.
    if len(table) and np.median(table["a"] / np.maximum(table["b"], 1e-3)) > 2.5:
        long[:] = False
    extent = np.hypot(table["xmax"] - table["xmin"], table["ymax"] - table["ymin"])
    # A bright streak that bends is not long in the sense of its second moments.
    giant = extent > 0.3 * min(found.segments.shape)
    keep = long | (giant & (table["npix"] < _THIN * extent**2))
    masked = np.zeros(int(found.numbers.max(initial=0)) + 1, dtype=bool)
    masked[found.numbers[~keep]] = True
    mask = masked[found.segments]
    for axis in (0, 1):  # a rim of 2 px for the faint outskirts
        wider = mask.copy()
        for shift in (1, 2):
            wider |= np.roll(mask, shift, axis) | np.roll(mask, -shift, axis)
        mask = wider
    scale = found.factor // factor
    if scale > 1:
        mask = np.kron(mask, np.ones((scale, scale), dtype=bool))
    out = np.zeros(shape, dtype=bool)
    out[: mask.shape[0], : mask.shape[1]] = mask[: shape[0], : shape[1]]
    return out
