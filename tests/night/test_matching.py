from __future__ import annotations

import numpy as np
import pytest

from nightsift.night.alignment import frame_centre
from nightsift.night.matching import match

SHAPE = (600, 800)
SIZE = np.array([800.0, 600.0])
CENTRE = frame_centre(SHAPE)


def field(seed: int, n: int = 120) -> np.ndarray:
    """Stars on a sky of 1400 x 1000 px, brightest first."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(-300, 1100, n), rng.uniform(-200, 800, n)])


def placed(stars: np.ndarray, *, shift=(0.0, 0.0), angle=0.0, scale=1.0, mirrored=False):
    """Where the stars lie once the sky was turned around the frame's centre and shifted."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turned = (stars - CENTRE) @ np.array([[c, -s], [s, c]]).T * scale + CENTRE + shift
    return turned * [1, -1] + [0, SHAPE[0] - 1] if mirrored else turned


def seen(stars: np.ndarray, *, missing=0.0, seed=0, error=0.1, swapped=0.0, **pose) -> np.ndarray:
    """What falls into the frame, with errors of position and of the order of brightness."""
    rng = np.random.default_rng(seed)
    moved = placed(stars, **pose)
    inside = np.all((moved > 0) & (moved < SIZE), axis=1)
    kept = moved[inside & (rng.random(len(stars)) >= missing)]
    order = np.argsort(np.arange(len(kept)) + rng.normal(0, swapped * len(kept) + 1e-9, len(kept)))
    return kept[order] + rng.normal(0, error, (len(kept), 2))


def shift_of(alignment) -> np.ndarray:
    return alignment.to_frame(CENTRE[None], CENTRE)[0] - CENTRE


def assert_found(alignment, *, shift, angle):
    assert alignment is not None
    assert shift_of(alignment) == pytest.approx(np.array(shift), abs=0.2)
    assert (alignment.rotation_deg + angle + 180) % 360 - 180 == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("shift", "angle", "missing"),
    [
        ((60.0, 0.0), 0.0, 0.0),
        ((-31.4, 7.7), 0.3, 0.3),
        ((260.0, -30.0), -0.4, 0.1),
        ((12.0, 5.0), 180.0, 0.3),
        ((-90.0, 40.0), 179.5, 0.2),
        ((20.0, -5.0), 3.0, 0.3),
        ((8.0, 40.0), -12.0, 0.3),
        ((100.0, 20.0), 77.0, 0.3),
        ((400.0, 10.0), 4.0, 0.0),
    ],
)
@pytest.mark.parametrize("n", [150, 3000])
def test_any_shift_and_rotation_is_found(shift, angle, missing, n):
    stars = field(1, n)
    pose = {"shift": shift, "angle": angle}
    # Faint stars and blurred ones: the brightest of both lists are not the same.
    frame = seen(stars, missing=missing, seed=1, swapped=0.1, **pose)
    found = match(frame, seen(stars), SHAPE)
    assert_found(found, **pose)
    assert not found.mirrored


@pytest.mark.parametrize("angle", [0.0, 33.0, 180.0])
def test_a_mirrored_frame_is_found(angle):
    stars = field(3)
    pose = {"shift": (15.0, 4.0), "angle": angle, "mirrored": True}
    found = match(seen(stars, seed=4, **pose), seen(stars), SHAPE)
    assert found is not None
    assert found.mirrored
    here = found.to_frame(stars, CENTRE)
    np.testing.assert_allclose(here, placed(stars, **pose), atol=0.5)


@pytest.mark.parametrize("scale", [0.98, 1.02])
def test_another_scale_is_found(scale):
    stars = field(4)
    found = match(seen(stars, scale=scale, angle=8.0), seen(stars), SHAPE)
    assert found is not None
    assert found.scale == pytest.approx(1 / scale, abs=2e-4)


def test_six_stars_of_eight_are_enough():
    for seed in range(10):
        stars = np.random.default_rng(seed).uniform(0.2, 0.8, (8, 2)) * SIZE
        frame = seen(stars[2:], angle=12.0, shift=(5.0, 9.0), seed=seed)
        found = match(frame, stars, SHAPE)
        assert found is not None
        assert shift_of(found) == pytest.approx([5.0, 9.0], abs=0.5)


def test_a_frame_is_found_near_the_last_one():
    stars = field(5)
    last = match(seen(stars, angle=40.0, shift=(9.0, 3.0)), seen(stars), SHAPE)
    frame = seen(stars, angle=40.4, shift=(11.0, 0.0), seed=2)
    assert_found(match(frame, seen(stars), SHAPE, near=last), angle=40.4, shift=(11.0, 0.0))


def test_rings_with_several_detections_each_match():
    stars = field(6)
    rng = np.random.default_rng(6)
    rings = seen(stars, angle=5.0)[:, None] + rng.normal(0, 4.0, (3, 2))
    found = match(rings.reshape(-1, 2), seen(stars), SHAPE)
    assert found is not None
    assert found.rotation_deg == pytest.approx(-5.0, abs=0.5)


def test_sixty_pixels_are_sixty_pixels():
    stars = field(2)
    found = match(seen(stars, shift=(60.0, 0.0), seed=5), seen(stars), SHAPE)
    assert shift_of(found) == pytest.approx([60.0, 0.0], abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("n", [12, 40, 120, 600, 2400])
def test_chance_matches_are_refused(n):
    matched = [match(seen(field(s, n)), seen(field(s + 1000, n)), SHAPE) for s in range(100)]
    assert sum(item is not None for item in matched) == 0


def test_another_field_does_not_match():
    for seed in range(20):
        assert match(seen(field(seed)), seen(field(seed + 100)), SHAPE) is None


def test_two_stars_do_not_match():
    assert match(field(1)[:2], field(1), SHAPE) is None
