"""A frame to the smaller image that everything but the shapes of stars is measured on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.look.blocks import block_max, block_sum
from nightsift.look.statistics import quick_median

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[Any]

# Shorter side of the reduced image, px: at least this, if the frame has that many.
REDUCED_SIDE = 900
# Share of a block's light (above the sky) in its brightest pixel from which on it is no star:
# the narrowest that optics give, FWHM 1.2 px, puts less into one pixel.
_HOT_SHARE = 0.8
# The same for frames that are not reduced: brightest of the four neighbours against the pixel.
_HOT_NEIGHBOUR = 0.12
_HOT_SIGMA = 8.0
# Steps to the four neighbours in an image that was padded by one pixel.
_BESIDE = ((0, 1), (2, 1), (1, 0), (1, 2))


class Reduced(NamedTuple):
    """Block means of a frame, and what only the full frame tells.

    Attributes:
        image: (h, w) float32, mean of each block of `factor` x `factor` px, hot pixels and
            hits of cosmic rays on single pixels taken out, adu.
        factor: side of a block, px.
        noise_adu: standard deviation of one pixel of the frame.
        hot_pixels: number of single pixels that were taken out.
        saturation_adu: value at which pixels pile up; NaN where none do.
        saturated_fraction: share of pixels at that value, 0-1.
    """

    image: Floats
    factor: int
    noise_adu: float
    hot_pixels: int
    saturation_adu: float
    saturated_fraction: float


def reduce_frame(pixels: Pixels) -> Reduced:
    """Average blocks, without the single pixels that no star can make.

    Args:
        pixels: (H, W), any real type, finite.
    """
    noise = pixel_noise(pixels)
    factor = reduction_factor(pixels.shape)
    saturation, share = _saturation(pixels)
    if factor == 1:
        image, hot = _without_hot_pixels(pixels.astype(np.float32), noise)
    else:
        image, hot = _clean_block_means(pixels, factor, noise)
    return Reduced(image, factor, noise, hot, saturation, share)


def reduction_factor(shape: tuple[int, ...]) -> int:
    """Side of the blocks that a frame of (H, W) px is averaged over, px."""
    return max(1, min(shape) // REDUCED_SIDE)


def pixel_noise(pixels: Pixels) -> float:
    """Noise of one pixel, adu, from differences of neighbours, blind to stars and slopes.

    The mean absolute difference after clipping, which quantised data do not make jump as they
    do the median; at most about 65,000 pairs.
    """
    rows = pixels[:: max(1, pixels.shape[0] // 256)]
    step = max(1, pixels.shape[1] // 256)
    # Pixels two apart: colour matrices alternate from one pixel to the next.
    left = rows[:, :-2:step].astype(np.float32)
    right = rows[:, 2::step].astype(np.float32)
    apart = left - right
    apart = np.abs(apart - quick_median(apart))
    limit = max(4.5 * float(quick_median(apart)), 1.0)
    # For normal noise the mean of |a - b| is 2 sigma / sqrt(pi).
    return float(apart[apart <= limit].mean() * np.sqrt(np.pi) / 2)


def _clean_block_means(pixels: Pixels, factor: int, noise: float) -> tuple[Floats, int]:
    """Block means, and the number of hot pixels taken out of them."""
    total = block_sum(pixels, factor).astype(np.float32)
    top = block_max(pixels, factor).astype(np.float32)
    n = factor**2
    mean = total / np.float32(n)
    others = (total - top) / np.float32(n - 1)
    # The sky around: a block's other pixels, unless they belong to the star too.
    sky = np.minimum(others, quick_median(mean[::4, ::4]))
    light = total - n * sky
    hot = (top - sky > _HOT_SIGMA * max(noise, 1e-6)) & (top - sky > _HOT_SHARE * light)
    mean[hot] = others[hot]
    return mean, int(hot.sum())


def _without_hot_pixels(image: Floats, noise: float) -> tuple[Floats, int]:
    """Replace pixels that stand alone by the mean of their neighbours."""
    level = quick_median(image[::3, ::3])
    padded = np.pad(image, 1, mode="reflect")
    limit = np.float32(_HOT_SIGMA * max(noise, 1e-6))
    rows, cols = np.nonzero(image > level + limit)
    beside = np.stack([padded[rows + dy, cols + dx] for dy, dx in _BESIDE])
    height = image[rows, cols] - level
    # Three of four: two hot pixels side by side are no star either.
    second = np.partition(beside, 2, axis=0)[2] - level
    alone = second < _HOT_NEIGHBOUR * height + 3 * noise
    alone &= height - second > limit
    out = image.copy()
    out[rows[alone], cols[alone]] = np.median(beside[:, alone], axis=0)
    return out, int(alone.sum())


def _saturation(pixels: Pixels) -> tuple[float, float]:
    """The value at which pixels pile up and their share; (NaN, 0) where none do.

    The brightest value counts as saturation if at least 5 pixels have it to within 0.1 % and
    it is not what the whole frame is made of; else one that a converter of 12, 14, 15 or 16
    bits cannot pass does.
    """
    top = float(pixels.max())
    limit = pixels.dtype.type(top - abs(top) * 1e-3)
    at_top = int(np.count_nonzero(pixels >= limit))
    rail = any(abs(top - rail) <= 1 for rail in (4095, 16383, 32767, 65535))
    if (at_top >= 5 or rail) and at_top < pixels.size and top > float(pixels.min()):
        return float(limit), at_top / pixels.size
    return float("nan"), 0.0
