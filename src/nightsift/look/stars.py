"""Stars of a frame: found on the reduced image, told from everything that is not a star."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sep

from nightsift.look.blocks import block_mean
from nightsift.look.statistics import quick_sigma

Floats = npt.NDArray[np.float32]

DETECT_SIGMA = 5.0
# Stars wider than this on the image that they are found on fall into pieces (donuts).
_MAX_WIDTH_PX = 5.0
_KERNEL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=np.float32)


class Detections(NamedTuple):
    """What was found on one image, in px of that image.

    Attributes:
        table: structured array of `sep.extract`, brightest first.
        segments: (h, w) int32, 0 where there is nothing, else the number of the object in
            the order in which it was found.
        numbers: (N,) number in `segments` of each row of `table`.
        factor: px of the frame per px of the image searched.
    """

    table: npt.NDArray[Any]
    segments: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.int64]
    factor: int


def detect(residual: Floats, sigma: float, factor: int) -> Detections:
    """Find objects; where they are larger than stars in focus, once more on a coarser image.

    Args:
        residual: (h, w) float32 without sky.
        sigma: its noise.
        factor: px of the frame per px of `residual`.
    """
    found = _extract(residual, sigma, factor)
    while min(found.segments.shape) >= 128 and typical_width(found.table) > _MAX_WIDTH_PX:
        # Turned: pixels side by side are added before those above each other, to the last bit
        # what shipped weights were made on.
        residual = np.ascontiguousarray(block_mean(residual.T, 2).T)
        # The noise of the coarser image as it is: neighbours need not be independent.
        factor *= 2
        found = _extract(residual, max(quick_sigma(residual), 1e-6), factor)
    return found


def typical_width(table: npt.NDArray[Any]) -> float:
    """Median FWHM of the 30 brightest objects, px, from light and peak as if Gaussian.

    Objects much larger than most (trails, galaxies, the glare of a very bright star) do not
    move a median. 0 for fewer than 3 objects.
    """
    # A plane of noise that is no noise (saturated, constant) gives objects without a peak.
    top = table[:30][table[:30]["peak"] > 0]
    if len(top) < 3:
        return 0.0
    # A Gaussian of peak 1 holds 1.133 FWHM^2.
    return float(np.median(np.sqrt(np.maximum(top["flux"], 0) / (1.133 * top["peak"]))))


def _extract(residual: Floats, sigma: float, factor: int) -> Detections:
    minarea = 5 if factor == 1 else 4
    threshold = DETECT_SIGMA
    while True:
        try:
            table, segments = sep.extract(
                residual,
                threshold,
                err=sigma,
                minarea=minarea,
                filter_kernel=_KERNEL,
                deblend_nthresh=8,
                deblend_cont=0.05,
                clean=False,
                segmentation_map=True,
            )
            break
        except Exception as error:  # sep raises bare Exception, told apart by its text
            if "overflow" not in str(error) and "limit" not in str(error):
                raise
            threshold *= 4
    order = np.argsort(-table["flux"], kind="stable")
    return Detections(table[order], segments, order + 1, factor)
