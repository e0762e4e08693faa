"""Fewer and larger pixels: blocks of a frame added, averaged or searched for their brightest.

Every pixel counts, so that faint trails and small stars stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

# So many pixels of 16 bits have a sum of 32.
_FIT_32_BITS = 32768


def block_sum(
    pixels: Pixels, factor: int, kind: type[np.float32 | np.float64] | None = None
) -> Pixels:
    """Sums of blocks of `factor` x `factor` px, (H // factor, W // factor).

    An incomplete margin is left out at the upper and right edge; a frame that is narrower than
    a block is one block wide.

    Args:
        pixels: (H, W), any real type.
        factor: side of a block, px.
        kind: type that floats are added in; None for their own. Whole numbers are added
            exactly.
    """
    if pixels.dtype.kind in "iu":
        small = pixels.dtype.itemsize <= 2 and factor**2 <= _FIT_32_BITS
        return _combined(pixels, factor, np.add, np.int32 if small else np.int64)
    return _combined(pixels, factor, np.add, kind)


def block_max(pixels: Pixels, factor: int) -> Pixels:
    """Brightest pixel of each block, of the type of `pixels`; blocks as in `block_sum`."""
    return _combined(pixels, factor, np.maximum, None)


def block_mean(
    pixels: Pixels, factor: int, kind: type[np.float32 | np.float64] | None = None
) -> Pixels:
    """Mean of each block: float32 of float32, float64 of whole numbers; else as `block_sum`."""
    rows, cols = (min(factor, length) for length in pixels.shape)
    return np.asarray(block_sum(pixels, factor, kind) / (rows * cols))


def block_average(pixels: Pixels, side: int) -> npt.NDArray[np.float64]:
    """Means of the smallest square blocks with which the longer side is at most `side` px."""
    return block_mean(pixels, -(-max(pixels.shape) // side), np.float64)


def pool_cells(image: Floats, size: int, *, brightest: bool = False) -> Floats:
    """(size, size) means of cells that cover the whole image, or maxima.

    Cells overlap by a pixel where a border falls into one, as in torch's adaptive pooling, which
    would cost every process that reads frames the seconds of importing torch.
    """
    combine = np.maximum.reduce if brightest else np.add.reduce
    for _ in range(2):
        first = np.arange(size) * len(image) // size
        last = -(-np.arange(1, size + 1) * len(image) // size)
        rows = np.stack([combine(image[i:j]) for i, j in zip(first, last, strict=True)])
        if not brightest:
            rows /= (last - first).astype(np.float32)[:, None]
        image = np.ascontiguousarray(rows.T)
    return image


def _combined(pixels: Pixels, factor: int, combine: np.ufunc, kind: type | None) -> Pixels:
    """Down the columns first: that runs along memory."""
    rows, cols = (min(factor, length) for length in pixels.shape)
    height, width = pixels.shape[0] // rows, pixels.shape[1] // cols
    blocks = pixels[: height * rows, : width * cols].reshape(height, rows, width * cols)
    lines = combine.reduce(blocks, axis=1, dtype=kind)
    out = lines if cols == 1 else combine(lines[:, ::cols], lines[:, 1::cols])
    for i in range(2, cols):
        combine(out, lines[:, i::cols], out=out)
    return np.asarray(out)
