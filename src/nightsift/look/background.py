"""The sky of a frame: level, shape on a coarse grid, gradient, and what is left without it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import sep

from nightsift.look.statistics import MAD_TO_SIGMA, quick_median, quick_sigma

Floats = npt.NDArray[np.float32]

GRID_ROWS, GRID_COLS = 6, 8
_MESH_FRACTION = 8
_MIN_MESH = 32
# Pixels looked at per cell of the grid: the median is then good to 3 % of the noise.
_PER_CELL = 1500


class Sky(NamedTuple):
    """The background of a reduced frame.

    Attributes:
        level_adu: median of the grid.
        grid_adu: (6, 8) clipped mean of each cell, rows from the first of the file.
        gradient: range of the plane fitted to the grid over the frame, in units of the level
            (or of the noise of one pixel where the level is below that).
        residual: (h, w) float32, image minus a smooth sky.
        sigma: noise of one pixel of `residual`, adu.
    """

    level_adu: float
    grid_adu: npt.NDArray[np.float64]
    gradient: float
    residual: Floats
    sigma: float


def measure_sky(image: Floats, noise_adu: float) -> Sky:
    """Level, grid, gradient and residual of a reduced frame.

    The smooth sky is SExtractor's (Bertin & Arnouts 1996, A&AS 117, 393,
    https://doi.org/10.1051/aas:1996164): a clipped mode per mesh of an eighth of the frame.

    Args:
        image: (h, w) float32.
        noise_adu: noise of one pixel of the unreduced frame.
    """
    grid = clipped_grid(image)
    level = float(np.median(grid))
    mesh = max(_MIN_MESH, min(image.shape) // _MESH_FRACTION)
    mesh = min(mesh, *image.shape)
    smooth = sep.Background(image, bw=mesh, bh=mesh, fw=3, fh=3)
    residual = image - smooth.back(dtype=np.float32)
    sigma = _clipped_sigma(residual)
    scale = max(abs(level), noise_adu, 1e-6)
    return Sky(level, grid, plane_range(grid) / scale, residual, sigma)


def clipped_grid(image: Floats) -> npt.NDArray[np.float64]:
    """(6, 8) mean of each cell after clipping at 3 sigma around its median."""
    h, w = image.shape[0] // GRID_ROWS, image.shape[1] // GRID_COLS
    step = max(1, int(np.sqrt(h * w / _PER_CELL)))
    cells = image[: h * GRID_ROWS, : w * GRID_COLS].reshape(GRID_ROWS, h, GRID_COLS, w)
    cells = cells[:, ::step, :, ::step].transpose(0, 2, 1, 3)
    flat = cells.reshape(GRID_ROWS * GRID_COLS, -1)
    middle = quick_median(flat, 1)[:, None]
    distance = np.abs(flat - middle)
    limit = 3 * MAD_TO_SIGMA * quick_median(distance, 1)[:, None]
    kept = distance <= limit
    mean = np.sum(flat * kept, axis=1, dtype=np.float64) / np.maximum(kept.sum(axis=1), 1)
    return np.asarray(mean.reshape(GRID_ROWS, GRID_COLS))


def plane_range(grid: npt.NDArray[np.float64]) -> float:
    """Highest minus lowest corner of the plane fitted to the grid by least squares, adu."""
    y, x = np.mgrid[-1 : 1 : GRID_ROWS * 1j, -1 : 1 : GRID_COLS * 1j]
    slope_x = float(np.sum(x * grid) / np.sum(x * x))
    slope_y = float(np.sum(y * grid) / np.sum(y * y))
    return 2 * (abs(slope_x) + abs(slope_y))


def _clipped_sigma(residual: Floats) -> float:
    part = residual[:: max(1, residual.shape[0] // 300), :: max(1, residual.shape[1] // 300)]
    return max(quick_sigma(part), 1e-6)
