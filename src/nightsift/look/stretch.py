"""From pixel values to grey: asinh between limits, of one frame or of the whole night."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from nightsift.look.thumbnail import Thumbnail

# zscale's range shows the sky; as much again above it keeps the cores of stars apart. The
# softening of asinh (Lupton et al. 1999, AJ 118, 1406) leaves the sky nearly linear.
_HEADROOM = 2.0
_SOFTENING = 0.2

Grey = npt.NDArray[np.uint8]


class Limits(NamedTuple):
    """Pixel values that become black and white, ADU."""

    low: float
    high: float


def own_limits(thumbnail: Thumbnail) -> Limits:
    """The stretch of a frame by itself."""
    low, high = thumbnail.low, thumbnail.low + _HEADROOM * (thumbnail.high - thumbnail.low)
    scale, zero = thumbnail.noise_adu, thumbnail.background_adu
    return Limits(zero + scale * low, zero + scale * high)


def night_limits(thumbnails: Iterable[Thumbnail]) -> Limits | None:
    """One stretch for all frames, under which a brighter sky looks brighter; None without any."""
    own = [own_limits(thumbnail) for thumbnail in thumbnails if not thumbnail.error]
    if not own:
        return None
    low, high = np.percentile(own, (10, 90), axis=0)
    return Limits(float(low[0]), float(high[1]))


def to_grey(values: npt.NDArray[Any], limits: Limits) -> Grey:
    """0-255 for values in ADU, the first row at the bottom as in FITS."""
    span = max(limits.high - limits.low, 1e-6)
    scaled = np.clip((values.astype(np.float32) - np.float32(limits.low)) / span, 0, 1)
    stretched = np.arcsinh(scaled / _SOFTENING) * (255 / np.arcsinh(1 / _SOFTENING))
    grey: Grey = (stretched + 0.5).astype(np.uint8)[::-1]
    return grey


def thumbnail_grey(thumbnail: Thumbnail, limits: Limits, width: int, height: int) -> Grey:
    """The picture as large as fits into width x height px, its shape kept."""
    values = thumbnail.values.astype(np.float32)
    size = fitted(values.shape[1], values.shape[0], width, height)
    smooth = np.asarray(resized(values, *size), dtype=np.float32)
    return to_grey(smooth * thumbnail.noise_adu + thumbnail.background_adu, limits)


def fitted(width: int, height: int, room_width: int, room_height: int) -> tuple[int, int]:
    """The largest size of the same shape that fits, px, each side at least 1."""
    scale = min(room_width / width, room_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resized(values: npt.NDArray[np.float32], width: int, height: int) -> npt.NDArray[np.float32]:
    """Averaged where smaller, single pixels to be seen where much larger."""
    larger = width > 3 * values.shape[1]
    method = Image.Resampling.NEAREST if larger else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(values).resize((width, height), method), dtype=np.float32)
