from __future__ import annotations

import numpy as np
import pytest

from nightsift.data.windows import centred_windows


@pytest.mark.parametrize("length", [1, 3, 8, 9, 10, 50])
@pytest.mark.parametrize("window", [1, 3, 9])
def test_every_frame_has_one_window_centred_on_itself(length, window):
    rows, mask = centred_windows(length, window)
    assert rows.shape == mask.shape == (length, window)
    np.testing.assert_array_equal(rows[:, window // 2], np.arange(length))
    steps = np.arange(window) - window // 2
    for i in range(length):
        inside = (i + steps >= 0) & (i + steps < length)
        np.testing.assert_array_equal(mask[i], inside)
        np.testing.assert_array_equal(rows[i][inside], (i + steps)[inside])
    assert rows.min() >= 0
    assert rows.max() < length


def test_fault_1_there_are_as_many_windows_as_frames():
    """Published: n frames give n - 8 windows, so fusion by position never happens."""
    assert len(centred_windows(142, 9).rows) == 142


@pytest.mark.parametrize("window", [0, -3, 8])
def test_a_window_must_be_odd(window):
    with pytest.raises(ValueError, match="odd number"):
        centred_windows(10, window)
