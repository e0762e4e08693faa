from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nightsift.night.displaced import displaced_stars
from scenes import smooth_night


def strewn(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1000, (n, 2))


def test_moved_rows_move_their_stars_by_the_same_way():
    stars = strewn(80, 1)
    block = stars[:, 1] > 900
    moved = stars[block].copy()
    moved[:, 0] = (moved[:, 0] + 700) % 1000
    rows = stars[~block, 1]
    assert displaced_stars(moved, stars[block], rows, 1000) > 3
    # Stars that went in all directions, or that others stand between, are no block.
    assert displaced_stars(strewn(len(moved), 2), stars[block], rows, 1000) < 1
    assert displaced_stars(moved, stars[block], stars[:, 1], 1000) < 3.5
    assert displaced_stars(moved[:0], stars[block], rows, 1000) == 0


@pytest.mark.parametrize("reference", [False, True])
def test_the_night_tells_which_frame_has_moved_rows(judge_night, reference):
    scenes = smooth_night(14, 4)
    # The sharpest frame is the one that the others are laid on.
    scenes[5] = replace(scenes[5], moved_rows=0.15, fwhm=2.2 if reference else scenes[5].fwhm)
    scenes[9] = replace(scenes[9], twice_px=10.0)
    table = judge_night(scenes, seed=4)
    assert list(np.flatnonzero(table["flag_any"])) == [5, 9]
    assert table["reason"][5] == "readout"
    assert "rows moved sideways" in table["explanation"][5]
    assert "seen twice" in table["explanation"][9]
