"""Medians in a hurry."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def quick_median(values: npt.NDArray[Any], axis: int | None = None) -> npt.NDArray[Any]:
    """The upper median of at least one value, 0-dimensional without an axis.

    One selection instead of two: several times faster than `np.median`, and the same to within
    the distance of the two middle values.
    """
    flat = values.ravel() if axis is None else np.moveaxis(values, axis, -1)
    middle = flat.shape[-1] // 2
    return np.asarray(np.partition(flat, middle, axis=-1)[..., middle])


def quick_sigma(values: npt.NDArray[Any]) -> float:
    """Standard deviation of the bulk of the values, from the median absolute deviation."""
    return 1.4826 * float(quick_median(np.abs(values - quick_median(values))))
