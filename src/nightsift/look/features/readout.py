"""Traces of the camera rather than of the sky: rows, columns, steps, dead parts; sharpness."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter, uniform_filter

from nightsift.look.features import FEATURES, Feature
from nightsift.look.scene import Scene
from nightsift.look.statistics import quick_median

Pixels = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

_LAGS = 12
_CROP = 256
_SMOOTH = 15
_PER_LINE = 200


class Readout(NamedTuple):
    """Row and column statistics of a frame.

    Attributes:
        banding_rows: scatter of the medians of rows around their neighbours', over what the
            noise explains; 1 in a clean frame.
        banding_cols: the same for columns.
        step_rows: largest jump of the row medians that lasts for a tenth of the frame, in
            units of the noise of one pixel.
        step_cols: the same for columns.
        constant_fraction: share of rows, or of columns if larger, whose pixels are all equal,
            0-1.
    """

    banding_rows: float
    banding_cols: float
    step_rows: float
    step_cols: float
    constant_fraction: float


def measure_readout(pixels: Pixels, image: Floats, residual: Floats, sigma: float) -> Readout:
    """Row and column statistics.

    Args:
        pixels: (H, W) full frame.
        image: (h, w) float32, reduced frame.
        residual: (h, w) float32, reduced frame without sky.
        sigma: noise of one pixel of the residual.
    """
    quantum = quantum_adu(pixels) if pixels.shape == image.shape else 0.0
    lines = [_line_medians(residual, axis) for axis in (1, 0)]
    banding = [
        _banding(medians, sigma, count, quantum)
        for medians, count in zip(lines, (residual.shape[1], residual.shape[0]), strict=True)
    ]
    # Whole numbers jump by one where the true level passes a half.
    steps = [max(_largest_step(image, axis) - quantum, 0.0) / sigma for axis in (1, 0)]
    return Readout(banding[0], banding[1], steps[0], steps[1], _constant_fraction(pixels))


def quantum_adu(pixels: Pixels) -> float:
    """Smallest difference between values of a frame, adu: its converter's step.

    From about 4000 pixels; 0 for a frame of one value.
    """
    step = max(1, int(np.sqrt(pixels.size / 4000)))
    values = np.unique(pixels[::step, ::step].astype(np.float64))
    return float(np.diff(values).min(initial=np.inf)) if len(values) > 1 else 0.0


def acf_width_px(pixels: Pixels, noise_adu: float) -> float:
    """Width of the autocorrelation of the middle of the frame: sharpness without stars, px.

    Twice the lag at which the correlation, extrapolated over the noise at lag 0, falls to one
    half; for Gaussian stars that is 1.41 times their FWHM. NaN where neighbouring pixels have
    nothing in common (noise alone).
    """
    h, w = (min(side, _CROP) for side in pixels.shape)
    top, left = (pixels.shape[0] - h) // 2, (pixels.shape[1] - w) // 2
    part = pixels[top : top + h, left : left + w].astype(np.float32)
    part = np.clip(part - quick_median(part[::3, ::3]), -5 * noise_adu, 50 * max(noise_adu, 1e-6))
    # Slopes of the sky correlate over the whole frame: take out what is wider than stars.
    part -= uniform_filter(part, 4 * _LAGS + 1, mode="nearest")
    curve = np.array([_correlation(part, lag) for lag in range(1, _LAGS + 1)])
    near = curve[0] + max(curve[0] - curve[1], 0.0) / 3
    if near <= 0 or near * part.size < 5 * float(np.mean(part * part)) * np.sqrt(part.size):
        return float("nan")
    ratio = np.concatenate([[1.0], curve / near])
    below = np.flatnonzero(ratio < 0.5)
    if not below.size:
        return 2.0 * _LAGS
    i = int(below[0])
    return float(2 * (i - 1 + (ratio[i - 1] - 0.5) / (ratio[i - 1] - ratio[i])))


def _line_medians(image: Floats, axis: int) -> npt.NDArray[np.float64]:
    """Median of each row (axis 1) or column (axis 0), from at most about 200 pixels each."""
    step = max(1, image.shape[axis] // _PER_LINE)
    part = image[:, ::step] if axis == 1 else image[::step].T
    return np.asarray(quick_median(np.ascontiguousarray(part), 1), dtype=np.float64)


def _banding(medians: npt.NDArray[np.float64], sigma: float, count: int, quantum: float) -> float:
    used = -(-count // max(1, count // _PER_LINE))
    rest = medians - median_filter(medians, _SMOOTH, mode="nearest")
    expected = np.hypot(1.2533 * sigma / np.sqrt(used), quantum / 2)
    return float(np.std(np.clip(rest, *np.percentile(rest, (1, 99)))) / expected)


def _largest_step(image: Floats, axis: int) -> float:
    """Largest lasting jump from one row (axis 1) or column (axis 0) to the next.

    Between the lower, middle and upper quarters of 10 % of the lines before and after. What
    changes as much on both sides of it (a slope, vignetting) is taken off; what does not happen
    within two lines, or not to all three quarters at the same line (the edge of a dome, a
    cloud), is no step.
    """
    jumps = [_jumps(lines) for lines in _line_quartiles(image, axis)]
    return float(np.min(jumps, axis=0).max(initial=0.0))


def _jumps(lines: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    n = len(lines)
    width = max(4, n // 10)
    if n < 4 * width:
        return np.zeros(1)
    windows = quick_median(np.lib.stride_tricks.sliding_window_view(lines, width // 2), 1)
    half = width // 2
    at = np.arange(2 * half, n - 2 * half + 1)
    jump = windows[at] - windows[at - half]
    around = (windows[at + half - 1] - windows[at]) + (windows[at - half] - windows[at - 2 * half])
    near = np.abs(lines[2:] - lines[:-2])
    sharp = np.maximum(near[at - 2], near[at - 1])
    return np.asarray(np.minimum(np.abs(jump - around / 2), sharp))


def _line_quartiles(image: Floats, axis: int) -> npt.NDArray[np.float64]:
    """(3, N) quartiles of each line, from at most about 150 pixels each."""
    step = max(1, image.shape[axis] // 150)
    part = image[:, ::step] if axis == 1 else image[::step].T
    # A slope along the lines would widen what the quartiles are taken of.
    part = np.sort(part - quick_median(part, 0), axis=1)
    n = part.shape[1]
    return np.asarray(part[:, [n // 4, n // 2, 3 * n // 4]].T, dtype=np.float64)


def _constant_fraction(pixels: Pixels) -> float:
    rows = pixels[:: max(1, pixels.shape[0] // 256)]
    cols = pixels[:, :: max(1, pixels.shape[1] // 256)]
    dead_rows = np.mean(rows.max(axis=1) == rows.min(axis=1))
    dead_cols = np.mean(cols.max(axis=0) == cols.min(axis=0))
    return float(max(dead_rows, dead_cols))


def _correlation(part: Floats, lag: int) -> float:
    """Mean product of pixels `lag` apart, rows and columns averaged."""
    along = float(np.mean(part[:, :-lag] * part[:, lag:]))
    down = float(np.mean(part[:-lag] * part[lag:]))
    return (along + down) / 2


def measure_lines(scene: Scene) -> dict[str, float]:
    """Row and column statistics, and the width of what is sharp."""
    readout = measure_readout(
        scene.pixels, scene.reduced.image, scene.sky.residual, scene.sky.sigma
    )
    sharpness = acf_width_px(scene.pixels, scene.reduced.noise_adu)
    return {**readout._asdict(), "acf_width_px": sharpness}


FEATURES.add("readout", Feature(measure_lines))
