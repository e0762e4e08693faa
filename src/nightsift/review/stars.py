"""A star's light against the distance from its centre: the quickest look at focus and trailing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sep

from nightsift.review.thumbnails import block_average

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
        background_adu: median of the rim of the box.
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
    cx, cy = x, y
    box = np.empty(0)
    for _ in range(4):  # the centroid moves the box, and the box the centroid
        left, top = (max(0, round(c) - _BOX) for c in (cx, cy))
        box = pixels[top : round(cy) + _BOX + 1, left : round(cx) + _BOX + 1].astype(np.float64)
        if min(box.shape, default=0) < 9:
            return None
        rim = np.concatenate([box[0], box[-1], box[:, 0], box[:, -1]])
        background, noise = (
            float(np.median(rim)),
            1.4826 * float(np.median(np.abs(rim - _mid(rim)))),
        )
        light = box - background
        bright = np.where(light > max(5 * noise, 0.2 * light.max()), light, 0.0)
        rows, cols = np.indices(box.shape)
        near = np.hypot(cols + left - cx, rows + top - cy) < _BOX * 0.75
        weight = bright * near
        if weight.sum() <= 0:
            return None
        cx = float((weight * cols).sum() / weight.sum()) + left
        cy = float((weight * rows).sum() / weight.sum()) + top
    radius = np.hypot(cols + left - cx, rows + top - cy).ravel()
    inside = radius < _BOX
    radius, value = radius[inside], light.ravel()[inside]
    peak = float(value[radius < _BOX / 2].max())
    return Profile(cx, cy, radius, value, _fwhm(radius, value), peak, background)


def brightest_star(pixels: npt.NDArray[Any]) -> tuple[float, float] | None:
    """Column and row from 0, px, of the brightest star that is not saturated and not at the rim."""
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
    found = found[inner & (found["peak"] < 0.8 * blocks.max())] if inner.any() else found
    if not len(found):
        return None
    best = found[np.argmax(found["flux"])]
    factor = pixels.shape[0] // height
    return float((best["x"] + 0.5) * factor - 0.5), float((best["y"] + 0.5) * factor - 0.5)


def _mid(values: npt.NDArray[np.float64]) -> float:
    return float(np.median(values))


def _fwhm(radius: npt.NDArray[np.float64], value: npt.NDArray[np.float64]) -> float:
    """Twice the radius at which the mean profile falls to half its maximum.

    For a round star this is the width; a donut's outer edge counts.
    """
    edges = np.arange(0, _BOX + 0.5, 0.5)
    which = np.digitize(radius, edges) - 1
    counts = np.bincount(which, minlength=len(edges))[: len(edges)]
    sums = np.bincount(which, value, minlength=len(edges))[: len(edges)]
    centres = np.bincount(which, radius, minlength=len(edges))[: len(edges)]
    used = counts > 0
    mean, at = sums[used] / counts[used], centres[used] / counts[used]
    above = np.flatnonzero(mean >= mean.max() / 2)
    last = int(above[-1])
    if last + 1 >= len(mean):
        return float("nan")
    half = mean.max() / 2
    share = (mean[last] - half) / (mean[last] - mean[last + 1])
    return float(2 * (at[last] + share * (at[last + 1] - at[last])))
