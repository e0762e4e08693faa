"""A small picture of a frame that knows how bright it is to be shown."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.look.picture import BlockMeans, block_means


class Thumbnail(NamedTuple):
    """A frame averaged over blocks.

    Attributes:
        values: (h, w) float16, above the background in units of the noise of a block.
        background_adu: median of the blocks.
        noise_adu: 1.4826 MAD of the blocks; 1 where that is 0.
        low: lower limit of the frame's own stretch, in units of `values`.
        high: upper limit.
        error: why there is no picture; `values` is empty then.
    """

    values: npt.NDArray[np.float16]
    background_adu: float = float("nan")
    noise_adu: float = 1.0
    low: float = 0.0
    high: float = 1.0
    error: str = ""


def make_thumbnail(pixels: npt.NDArray[Any], side: int) -> Thumbnail:
    """Average a frame and find its background, noise and stretch.

    The stretch begins at the lower limit of zscale (IRAF's algorithm, astropy's
    `ZScaleInterval`) and ends well above the upper one, for the stars.
    """
    return stretched(block_means(pixels, side))


def stretched(picture: BlockMeans) -> Thumbnail:
    """A small picture with the limits between which it is shown by itself."""
    from astropy.visualization import ZScaleInterval  # it imports matplotlib: not before the window

    values = picture.values.astype(np.float64)
    low, high = (float(limit) for limit in ZScaleInterval().get_limits(values))
    return Thumbnail(*picture, low, max(high, low + 1e-3))
