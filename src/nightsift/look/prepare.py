"""Pixels of any camera, made fit to be measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import sep

from nightsift.look.background import Sky, measure_sky
from nightsift.look.reduction import Floats, Pixels, Reduced, pixel_noise, reduce_frame
from nightsift.look.statistics import quick_median

# Squares of larger values overflow float32.
_LARGEST = 1e15
# A converter's step is coarse from this many steps per sigma of the noise down.
_STEPS = 4.0
_PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))
# Levels of the four kinds of pixels this far apart, in sigma of one pixel, are a colour matrix.
_APART = 1.0
# Side of the mesh that the sky of each kind is measured on, px of that kind.
_MESH = 64
# Fewer pixels than this per kind and axis have no mesh.
_SMALLEST = 16


class Prepared(NamedTuple):
    """What measuring a frame and making its network input both begin with.

    Attributes:
        pixels: (H, W), from `prepare_pixels`.
        reduced: of them.
        sky: of `reduced`.
    """

    pixels: Pixels
    reduced: Reduced
    sky: Sky


def prepare(pixels: Pixels) -> Prepared:
    """Pixels of any camera, (H, W), any real type, finite."""
    pixels = prepare_pixels(pixels)
    reduced = reduce_frame(pixels)
    return Prepared(pixels, reduced, measure_sky(reduced.image, reduced.noise_adu))


def prepare_pixels(pixels: Pixels) -> Pixels:
    """Cut values that are no light, smooth coarse steps, level the sky of a colour matrix.

    Args:
        pixels: (H, W), any real type, finite.

    Returns:
        (H, W), the same array where there is nothing to do.
    """
    if pixels.dtype.kind == "f" and np.abs(pixels).max() > _LARGEST:
        pixels = np.clip(pixels, -_LARGEST, _LARGEST)
    return _without_colour_matrix(_without_steps(pixels))


def _without_steps(pixels: Pixels) -> Pixels:
    """Spread each value over its step where the noise does not: medians of rows would jump.

    The same pixels always get the same noise. A constant plane stays one.
    """
    some = _sample(pixels)
    sample = np.unique(some)
    if len(sample) < 2:
        return pixels
    noise = pixel_noise(pixels)
    middle = quick_median(some)
    near = sample[np.abs(sample - middle) <= max(_STEPS * noise, np.diff(sample).min())]
    step = float(np.diff(near).min()) if len(near) > 1 else 0.0
    if not step > noise / _STEPS:
        return pixels
    spread = np.random.Generator(np.random.SFC64(0)).random(pixels.shape, dtype=np.float32)
    spread -= np.float32(0.5)
    spread *= np.float32(step)
    spread += pixels
    return spread


def _without_colour_matrix(pixels: Pixels) -> Pixels:
    """Bring the four kinds of pixels of a colour matrix (RGGB in any order) to one sky.

    The matrix is known by its sky, not by the header, which often does not name it. Each kind
    keeps its own stars: their light in red, green and blue pixels stays as it is.
    """
    if min(pixels.shape) < 2 * _SMALLEST:
        return pixels
    kinds = [pixels[row::2, col::2] for row, col in _PHASES]
    levels = [float(quick_median(_sample(kind))) for kind in kinds]
    if not max(levels) - min(levels) > _APART * pixel_noise(pixels):
        return pixels
    out = pixels.astype(np.float32)
    skies = [_sky(kind) for kind in kinds]
    h, w = pixels.shape[0] // 2, pixels.shape[1] // 2
    common = np.mean([sky[:h, :w] for sky in skies], axis=0)
    # An odd frame has one row or column more of some kinds.
    common = np.pad(common, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2)), mode="edge")
    for (row, col), sky in zip(_PHASES, skies, strict=True):
        out[row::2, col::2] += common[: sky.shape[0], : sky.shape[1]] - sky
    return out


def _sample(kind: Pixels) -> Floats:
    """At most about 20,000 pixels."""
    # Odd steps: even ones would see only some pixels of a colour matrix.
    steps = [length // 144 | 1 for length in kind.shape]
    return kind[:: steps[0], :: steps[1]].astype(np.float32)


def _sky(kind: Pixels) -> Floats:
    plane = np.ascontiguousarray(kind, dtype=np.float32)
    mesh = min(_MESH, *plane.shape)
    return np.asarray(sep.Background(plane, bw=mesh, bh=mesh).back(dtype=np.float32))
