"""Windows: `window` consecutive frames of one night, one centred on each frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.errors import NightsiftError


class Windows(NamedTuple):
    """`rows` (N, T) int64 rows of the sequence; `mask` (N, T) bool, False where padded."""

    rows: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_]


def centred_windows(length: int, window: int) -> Windows:
    """The window of every frame of a sequence.

    Steps beyond either end repeat the end frame and are masked: they feed the GRU something
    like a frame, and never count in a loss.

    Args:
        length: frames in the sequence, >= 0.
        window: frames per window, odd, >= 1; may exceed `length`.

    Raises:
        NightsiftError: an even or non-positive `window`.

    Example:
        >>> centred_windows(3, 3).rows.tolist()
        [[0, 0, 1], [0, 1, 2], [1, 2, 2]]
    """
    check_window(window)
    steps = np.arange(length)[:, None] + np.arange(window)[None, :] - window // 2
    mask = (steps >= 0) & (steps < length)
    return Windows(np.clip(steps, 0, max(0, length - 1)), mask)


def check_window(window: int) -> None:
    """Raise NightsiftError unless `window` is odd and positive: it is centred on a frame."""
    if window < 1 or window % 2 == 0:
        raise NightsiftError(f"data.window must be an odd number >= 1, got {window}")
