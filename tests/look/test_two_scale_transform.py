from __future__ import annotations

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.look.transforms import build_transform
from nightsift.look.transforms.two_scale import CUTOUTS, TwoScale

PLACES = [(90 + 150 * row, 100 + 150 * col) for row in range(3) for col in range(3)]


def scene(*, gain: float = 1.0, bias: float = 0.0, seed: int = 0, hot: int = 0) -> np.ndarray:
    """Nine stars on a sky of 400 electrons, 512 x 512 px."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:512, :512]
    electrons = rng.normal(400, 20, (512, 512))
    for sy, sx in PLACES:
        electrons += 4000 * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / (2 * 1.6**2))
    pixels = (electrons / gain + bias).astype(np.float32)
    pixels[rng.integers(0, 512, hot), rng.integers(0, 512, hot)] = 60000
    return pixels


def test_no_number_of_the_camera_reaches_the_network():
    one = TwoScale()(scene(), 128)
    other = TwoScale()(scene(gain=0.3, bias=2000), 128)
    assert one.shape == (4, 128, 128)
    np.testing.assert_allclose(one, other, atol=0.02)


def test_the_mosaic_shows_stars_in_the_middle_of_their_cut_outs():
    mosaic = TwoScale()(scene(), 128)[3]
    side = 128 // CUTOUTS
    starred = 0
    for row in range(CUTOUTS):
        for col in range(CUTOUTS):
            cut = mosaic[row * side : (row + 1) * side, col * side : (col + 1) * side]
            peak = np.unravel_index(int(cut.argmax()), cut.shape)
            if cut.max() > 3:
                starred += 1
                assert abs(peak[0] - side / 2) <= 1
                assert abs(peak[1] - side / 2) <= 1
    assert starred >= 9  # one part of the field may hold no star


def test_hot_pixels_are_neither_stars_nor_streaks():
    clean, hot = TwoScale()(scene(), 128), TwoScale()(scene(hot=400), 128)
    assert np.abs(hot[1] - clean[1]).max() < 1.5  # one of them alone would be 5 and more
    assert np.median(np.abs(hot[3] - clean[3])) < 0.5


def test_a_faint_streak_survives_in_the_brightest_pixels():
    pixels = scene()
    for x in range(512):
        pixels[100 + x // 2, x] += 100  # 5 sigma, one pixel wide
    planes = TwoScale()(pixels, 128)
    rows = np.arange(128)
    on, off = planes[1][25 + rows // 2, rows], planes[1][60 + rows // 2, rows]
    assert np.median(on) > np.median(off) + 0.3


def test_sky_that_is_uneven_shows_in_the_third_plane_alone():
    y = np.mgrid[:512, :512][0]
    tilted = scene() + np.float32(0.4) * y
    flat, slope = TwoScale()(scene(), 128), TwoScale()(tilted, 128)
    assert slope[2, -1].mean() - slope[2, 0].mean() > 2
    assert np.abs(slope[0] - flat[0]).mean() < 0.15


@pytest.mark.parametrize("shape", [(20, 24), (100, 61), (700, 333)])
@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_any_shape_and_type_gives_finite_planes(shape, dtype):
    rng = np.random.default_rng(1)
    planes = TwoScale()(rng.normal(1000, 30, shape).astype(dtype), 64)
    assert planes.shape == (4, 64, 64)
    assert np.isfinite(planes).all()


def test_a_constant_plane_is_nothing():
    assert not TwoScale()(np.full((200, 300), 7, dtype=np.uint16), 64).any()


def test_arguments_are_checked_and_the_spec_builds_it_again():
    assert build_transform(TwoScale(clip=6.0).spec()).spec() == TwoScale(clip=6.0).spec()
    with pytest.raises(NightsiftError, match="positive"):
        build_transform({"name": "two_scale", "clip": 0})
