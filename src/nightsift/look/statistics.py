"""Medians in a hurry, and widths of distributions that outliers do not widen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Standard deviation of a normal distribution over its median absolute deviation.
MAD_TO_SIGMA = 1.4826


def quick_median(values: npt.NDArray[Any], axis: int | None = None) -> npt.NDArray[Any]:
    """The upper median of at least one value, 0-dimensional without an axis.

    One selection instead of two: several times faster than `np.median`, and the same to within
    the distance of the two middle values.
    """
    flat = values.ravel() if axis is None else np.moveaxis(values, axis, -1)
    middle = flat.shape[-1] // 2
    return np.asarray(np.partition(flat, middle, axis=-1)[..., middle])


def quick_sigma(values: npt.NDArray[Any], centre: float | None = None) -> float:
    """Standard deviation of the bulk of the values, from the median absolute deviation.

    By `quick_median`, for pixels; `robust_sigma` is exact, for lists.

    Args:
        values: of any shape, at least one.
        centre: what they deviate from; None for their median.
    """
    middle = quick_median(values) if centre is None else centre
    return MAD_TO_SIGMA * float(quick_median(np.abs(values - middle)))


def robust_sigma(values: npt.NDArray[Any], centre: float | None = None) -> float:
    """As `quick_sigma`, but with numpy's median: the mean of the two middle values."""
    middle = np.median(values) if centre is None else centre
    return MAD_TO_SIGMA * float(np.median(np.abs(values - middle)))
