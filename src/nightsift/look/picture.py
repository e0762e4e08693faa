"""Small pictures of frames: block means, in units of their own noise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.look.blocks import block_average
from nightsift.look.statistics import robust_sigma

# To be raised when the same pixels give other pictures.
VERSION = 1
_LARGEST = 65504  # of float16


class BlockMeans(NamedTuple):
    """A frame averaged over blocks.

    Attributes:
        values: (h, w) float16, above the background in units of the noise of a block.
        background_adu: median of the blocks.
        noise_adu: 1.4826 MAD of the blocks; 1 where that is 0.
    """

    values: npt.NDArray[np.float16]
    background_adu: float
    noise_adu: float


def block_means(pixels: npt.NDArray[Any], side: int) -> BlockMeans:
    """Average a frame and find its background and noise.

    Args:
        pixels: (H, W) of any real type.
        side: longer side of the picture at most, px.
    """
    blocks = block_average(pixels, side)
    background = float(np.median(blocks))
    noise = robust_sigma(blocks, background) or 1.0
    values = np.clip((blocks - background) / noise, -_LARGEST, _LARGEST)
    return BlockMeans(values.astype(np.float16), background, noise)


def pack(picture: BlockMeans) -> bytes:
    """The picture as bytes, for `unpack`."""
    shape = np.array(picture.values.shape, dtype=np.uint32)
    facts = np.array(picture[1:3], dtype=np.float64)
    return shape.tobytes() + facts.tobytes() + picture.values.tobytes()


def unpack(content: bytes) -> BlockMeans:
    """The picture that `pack` was given."""
    height, width = np.frombuffer(content, dtype=np.uint32, count=2)
    background, noise = np.frombuffer(content, dtype=np.float64, count=2, offset=8).tolist()
    values = np.frombuffer(content, dtype=np.float16, offset=24)
    return BlockMeans(values.reshape(height, width), background, noise)
