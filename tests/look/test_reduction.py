from __future__ import annotations

import numpy as np
import pytest

from nightsift.look.reduction import pixel_noise, reduce_frame
from scenes import Scene, render


@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.float32])
def test_noise_is_that_of_the_sky_despite_stars_and_a_slope(kind):
    rng = np.random.default_rng(1)
    _, x = np.mgrid[:400, :500]
    image = 1000 + x * 2.0 + rng.normal(0, 7.0, x.shape)
    image[100:110, 200:210] += 20_000
    assert pixel_noise(image.astype(kind)) == pytest.approx(7.0, rel=0.05)


def test_noise_of_quantised_data_is_neither_zero_nor_doubled():
    image = np.random.default_rng(2).normal(100, 0.6, (300, 300))
    assert pixel_noise(np.round(image).astype(np.int16)) == pytest.approx(0.67, rel=0.15)


@pytest.mark.parametrize("side", [400, 2000])
def test_hot_pixels_go_and_stars_stay(side):
    shape = (side, side)
    clean = render(Scene(stars=100, fwhm=2.4), 3, shape)
    rng = np.random.default_rng(4)
    rows, cols = rng.integers(0, side, (2, 1000))
    hot = clean.copy()
    hot[rows, cols] = np.maximum(hot[rows, cols], 4000)
    a, b = reduce_frame(clean), reduce_frame(hot)
    assert b.hot_pixels - a.hot_pixels == pytest.approx(1000, abs=60)
    assert a.hot_pixels < 10
    assert np.mean(np.abs(a.image - b.image) > 100) < 5e-3


def test_saturation_is_where_pixels_pile_up():
    image = np.random.default_rng(5).normal(500, 10, (200, 200)).astype(np.uint16)
    image[50:60, 50:60] = 65535
    reduced = reduce_frame(image)
    assert reduced.saturation_adu > 65000
    assert reduced.saturated_fraction == pytest.approx(100 / image.size)
