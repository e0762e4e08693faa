"""A star's light against the distance from its centre: the quickest look at focus and trailing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sep

from nightsift.look.blocks import block_average
from nightsift.look.statistics import robust_sigma

_BOX = 20
# sep's work grows with the number of pixels; the brightest star stands out in a smaller picture.
_SEARCH_SIDE = 1024


class Profile(NamedTuple):
    """Radial profile of one star.

    Attributes:
        x: centre, px, column from 0.
        y: centre, px, row from 0.
        radius_px: (N,) distance of each pixel from the centre.
        value_adu: (N,) above the local background.
        fwhm_px: full width at half maximum; NaN where the light never falls to half.
        peak_adu: brightest pixel above the background.
        background_adu: median around the star.
    """

    x: float
    y: float
    radius_px: npt.NDArray[np.float64]
    value_adu: npt.NDArray[np.float64]
    fwhm_px: float
    peak_adu: float
    background_adu: float


def star_profile(pixels: npt.NDArray[Any], x: float, y: float) -> Profile | None:
    """The profile of the star near a point; None where nothing stands out.

    Args:
        pixels: (H, W) frame.
        x: column from 0, px.
        y: row from 0, px.
    """
    from scipy import ndimage  # a third of a second that the first page does not wait for

    left, top = (max(0, round(c) - _BOX) for c in (x, y))
    box = pixels[top : round(y) + _BOX + 1, left : round(x) + _BOX + 1].astype(np.float64)
    if min(box.shape, default=0) < _BOX:
        return None
    background = float(np.median(box))
    light = box - background
    noise = robust_sigma(box, background)
    rows, cols = np.indices(box.shape)
    near = np.hypot(cols + left - x, rows + top - y) < _BOX / 2
    peak = float(light[near].max(initial=0.0))
    if peak <= 5 * noise:
        return None
    # Neighbours in a crowded field: only what hangs together with the peak is the star.
    islands, _ = ndimage.label(light > max(5 * noise, 0.25 * peak))
    star = np.where(islands == islands[near & (light == peak)][0], light, 0.0)
    cx, cy = ((star * place).sum() / star.sum() for place in (cols, rows))
    radius, value = np.hypot(cols - cx, rows - cy).ravel(), light.ravel()
    inside = radius < _BOX
    radius, value = radius[inside], value[inside]
    fwhm = _fwhm(radius, value)
    return Profile(float(cx) + left, float(cy) + top, radius, value, fwhm, peak, background)


def bright_star(pixels: npt.NDArray[Any]) -> tuple[float, float] | None:
    """Column and row from 0, px, of a bright star: not among the very brightest, nor at the rim."""
    blocks = block_average(pixels, _SEARCH_SIDE)
    sky = sep.Background(blocks)
    try:
        found = sep.extract(blocks - sky.back(), 8.0, err=sky.globalrms or 1.0, minarea=3)
    except Exception:  # sep raises its own errors for frames with more sources than its buffers
        return None
    height, width = blocks.shape
    margin = 0.05 * max(height, width)
    inner = (np.abs(found["x"] - width / 2) < width / 2 - margin) & (
        np.abs(found["y"] - height / 2) < height / 2 - margin
    )
    found = found[inner & (found["flag"] == 0)]
    if not len(found):
        return None
    # The brightest are saturated in most frames, and a ghost or a planet in some.
    best = found[np.argsort(found["flux"])[int(0.9 * (len(found) - 1))]]
    factor = pixels.shape[0] // height
    return float((best["x"] + 0.5) * factor - 0.5), float((best["y"] + 0.5) * factor - 0.5)


def _fwhm(radius: npt.NDArray[np.float64], value: npt.NDArray[np.float64]) -> float:
    """Twice the radius at which the mean profile first falls to half, outwards of its maximum.

    For a round star this is the width; of a donut it is the outer edge.
    """
    edges = np.arange(0, _BOX + 0.5, 0.5)
    which = np.digitize(radius, edges) - 1
    counts = np.bincount(which, minlength=len(edges))[: len(edges)]
    sums = np.bincount(which, value, minlength=len(edges))[: len(edges)]
    centres = np.bincount(which, radius, minlength=len(edges))[: len(edges)]
    used = counts > 0
    mean, at = sums[used] / counts[used], centres[used] / counts[used]
    top = int(np.argmax(mean[at < _BOX / 2]))
    half = mean[top] / 2
    below = np.flatnonzero(mean[top:] < half)
    if not below.size:
        return float("nan")
    last = top + int(below[0]) - 1
    share = (mean[last] - half) / (mean[last] - mean[last + 1])
    return float(2 * (at[last] + share * (at[last + 1] - at[last])))
