from __future__ import annotations

import numpy as np
import pytest

from nightsift.review.stars import bright_star, star_profile


def scene(places, sigma=2.0, sky=500.0, side=200, peak=5000.0, seed=0):
    y, x = np.mgrid[:side, :side]
    image = np.random.default_rng(seed).normal(sky, 10, (side, side))
    for cx, cy in places:
        image += peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2))
    return image.astype(np.float32)


@pytest.mark.parametrize("sigma", [1.2, 2.0, 3.5])
@pytest.mark.parametrize("offset", [(0, 0), (3, -2)])
def test_width_and_place_of_a_star(sigma, offset):
    star = star_profile(scene([(80.3, 91.7)], sigma), 80 + offset[0], 92 + offset[1])
    assert star.fwhm_px == pytest.approx(2.355 * sigma, rel=0.1)
    assert (star.x, star.y) == pytest.approx((80.3, 91.7), abs=0.1)
    assert star.background_adu == pytest.approx(500, abs=10)


def test_a_neighbour_does_not_widen_the_star():
    star = star_profile(scene([(80, 80), (93, 80)], 2.0), 80, 80)
    assert star.fwhm_px == pytest.approx(4.7, rel=0.1)
    assert star.x == pytest.approx(80, abs=0.2)


def test_a_donut_has_the_width_of_its_outer_edge():
    y, x = np.mgrid[:200, :200]
    radius = np.hypot(x - 100, y - 100)
    ring = 500 + 800 * np.exp(-((radius - 7) ** 2) / (2 * 1.5**2))
    assert 14 < star_profile(ring.astype(np.float32), 100, 104).fwhm_px < 21


@pytest.mark.parametrize("place", [(20, 20), (0, 0), (199, 100), (-500, 3), (1e5, 1e5)])
def test_no_star_no_profile(place):
    assert star_profile(scene([(150, 150)]), *place) is None


def test_a_bright_star_is_found_but_not_the_saturated_one():
    places = [(30 + 17 * i, 40 + (i * 53) % 120) for i in range(9)]
    image = np.minimum(scene(places, peak=4000) + scene([(100, 15)], 5, 0, peak=1e6), 65535)
    x, y = bright_star(image)
    assert min(np.hypot(x - px, y - py) for px, py in places) < 1


@pytest.mark.parametrize("image", [np.zeros((64, 64)), np.full((300, 20), 5.0)])
def test_frames_without_stars(image):
    assert bright_star(image.astype(np.float32)) is None


def test_places_in_frames_larger_than_the_search():
    image = np.zeros((2100, 1050), np.float32) + scene([], side=1)[0, 0]
    y, x = np.mgrid[:2100, :1050]
    image += np.random.default_rng(0).normal(0, 5, image.shape)
    image += 4000 * np.exp(-((x - 400) ** 2 + (y - 1200) ** 2) / (2 * 3.0**2))
    assert bright_star(image) == pytest.approx((400, 1200), abs=1.5)
