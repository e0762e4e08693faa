from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nightsift.look.lines import GRID, cell_px
from nightsift.look.reduction import reduction_factor
from nightsift.night.streaks import PIECE, Streak, _slopes, find_streak
from scenes import Scene, frame, measure

LIMIT = 7.0


def found(scene: Scene, seed: int, shape: tuple[int, int] = (320, 420)) -> Streak:
    cells = measure(frame(scene, seed, shape)).lines
    assert cells is not None
    return find_streak(cells.astype(np.float32), cell_px(shape, reduction_factor(shape)))


@pytest.mark.parametrize(
    ("angle", "seed"), [(12, 1), (31, 2), (58, 3), (77, 4), (-20, 5), (-65, 6)]
)
def test_a_streak_of_one_and_a_half_sigma_is_found(angle, seed):
    got = found(Scene(streak_sigma=1.5, streak_deg=float(angle)), seed)
    assert got.significance > LIMIT
    assert got.angle_deg == pytest.approx(angle, abs=1.5)
    assert got.length_px > 150


def test_a_faint_streak_is_found_on_a_large_frame():
    got = found(Scene(streak_sigma=1.0, stars=60), 7, (1900, 1900))
    assert got.significance > LIMIT
    assert got.length_px > 900


@pytest.mark.parametrize("sigma", [3.0, 40.0])
def test_pieces_show_a_line_that_bends(sigma):
    scene = Scene(streak_sigma=sigma, streak_bend_px=450.0, stars=60)
    bent, clean = found(scene, 10), found(Scene(stars=60), 10)
    assert bent.piece_significance > bent.significance
    assert bent.piece_significance > 9.5
    assert clean.piece_significance < LIMIT


def test_clean_frames_have_none():
    kinds = [Scene(), Scene(stars=500), Scene(stars=0), Scene(hot_pixels=1500, cosmic_rays=30)]
    kinds += [Scene(gradient=(0.5, -0.3)), Scene(ring=8.0), Scene(fwhm=6.0), Scene(trail=9.0)]
    most = [found(kind, seed).significance for seed, kind in enumerate(kinds * 3)]
    assert max(most) < LIMIT


def test_banding_is_no_streak():
    assert found(replace(Scene(), banding=0.5), 8).significance < LIMIT


def test_fault_6_the_streak_column_is_no_constant_share():
    with_streak = found(Scene(streak_sigma=3.0), 9).significance
    without = found(Scene(), 9).significance
    assert with_streak > 2 * without


def test_line_sums_are_those_of_a_plain_sum():
    image = np.zeros((GRID, GRID), dtype=np.float32)
    cols = np.arange(GRID)
    image[10 + np.rint(cols * 40 / (GRID - 1)).astype(int), cols] = 1.0
    pieces, sums = _slopes(image[None])
    # The transform's line is within half a cell of the straight one.
    assert sums[40, 0, GRID + 10] > 0.75 * GRID
    assert sums[0, 0, GRID:].sum() == pytest.approx(image.sum())
    place = np.unravel_index(np.argmax(sums[:, 0]), sums[:, 0].shape)
    assert place[0] == pytest.approx(40, abs=1)
    # A quarter of the width holds a quarter of it, at a quarter of the slope.
    assert pieces.shape == (PIECE, 1, GRID // PIECE, 2 * GRID)
    assert pieces[10, 0, :, GRID:].max(axis=1) == pytest.approx(PIECE, abs=0.3 * PIECE)
