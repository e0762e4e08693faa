from __future__ import annotations

import numpy as np
import pytest

from nightsift.look.prepare import prepare_pixels
from nightsift.look.reduction import pixel_noise


@pytest.fixture
def sky() -> np.ndarray:
    """A sloping sky with stars, 301 x 400 px, noise 8 adu."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:301, :400].astype(np.float32)
    pixels = 500 + 0.5 * x + rng.normal(0, 8, x.shape)
    for cx, cy in rng.uniform(20, 280, (25, 2)):
        pixels += 900 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 1.4**2))
    return pixels


def test_pixels_of_a_plain_camera_stay_as_they_are(sky):
    for pixels in (sky.astype(np.float32), sky.astype(np.uint16), np.full((40, 40), 7)):
        assert prepare_pixels(pixels) is pixels


def test_the_sky_of_a_colour_matrix_becomes_one(sky):
    matrix = sky.copy()
    matrix[0::2, 0::2] *= 0.6
    matrix[1::2, 1::2] *= 0.4
    out = prepare_pixels(matrix.astype(np.uint16))
    for part in (np.s_[:, :60], np.s_[:, -60:]):  # also where the slope has changed it
        levels = [np.median(out[part][i::2, j::2]) for i in (0, 1) for j in (0, 1)]
        assert np.ptp(levels) < 6  # sigma is 8; 300 apart before
    assert out.max() - np.median(out) == pytest.approx(matrix.max() - np.median(matrix), rel=0.2)


@pytest.mark.parametrize("scale", [1.0, 1 / 65535])
def test_coarse_steps_no_longer_make_row_medians_jump(scale):
    rng = np.random.default_rng(0)
    whole = np.rint(rng.normal(1000.4, 1.0, (400, 500)))
    pixels = whole.astype(np.uint16) if scale == 1 else (whole * scale).astype(np.float32)
    out = prepare_pixels(pixels)
    rows = np.median(out, axis=1) / scale
    assert rows.mean() == pytest.approx(1000.4, abs=0.02)
    # What independent pixels give: 1.25 sigma / sqrt(n).
    assert 0.03 < rows.std() < 0.08
    assert pixel_noise(out) / scale == pytest.approx(1.04, rel=0.1)
    assert np.array_equal(out, prepare_pixels(pixels))


def test_values_that_are_no_light_are_cut(sky):
    pixels = sky.astype(np.float32)
    pixels[5, 5] = 3e38
    assert prepare_pixels(pixels).max() <= 1e15
