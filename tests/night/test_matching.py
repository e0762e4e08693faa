from __future__ import annotations

import numpy as np
import pytest

from nightsift.night.matching import match

SHAPE = (600, 800)
CENTRE = np.array([800, 600]) / 2 - 0.5


def field(seed: int, n: int = 120) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(-300, 1100, n), rng.uniform(-200, 800, n)])


def seen(stars: np.ndarray, *, shift=(0.0, 0.0), angle=0.0, missing=0.0, seed=0) -> np.ndarray:
    """What falls into the frame, turned around its centre, shifted, with errors of 0.1 px."""
    rng = np.random.default_rng(seed)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    moved = (stars - CENTRE) @ np.array([[c, -s], [s, c]]).T + CENTRE + shift
    inside = np.all((moved > 0) & (moved < [800, 600]), axis=1)
    kept = inside & (rng.random(len(stars)) >= missing)
    return moved[kept] + rng.normal(0, 0.1, (kept.sum(), 2))


def shift_of(alignment) -> np.ndarray:
    return alignment.to_frame(CENTRE[None], CENTRE)[0] - CENTRE


@pytest.mark.parametrize(
    ("shift", "angle", "missing"),
    [
        ((60.0, 0.0), 0.0, 0.0),
        ((-31.4, 7.7), 0.3, 0.3),
        ((260.0, -30.0), -0.4, 0.1),
        ((12.0, 5.0), 180.0, 0.3),
        ((-90.0, 40.0), 179.5, 0.2),
    ],
)
def test_shift_and_flip_are_found(shift, angle, missing):
    stars = field(1)
    found = match(seen(stars, shift=shift, angle=angle, missing=missing), seen(stars), SHAPE)
    assert found is not None
    assert found.flipped == (abs(angle) > 90)
    assert shift_of(found) == pytest.approx(np.array(shift), abs=1.0)
    assert (found.rotation_deg + angle + 180) % 360 - 180 == pytest.approx(0, abs=0.05)


def test_sixty_pixels_are_sixty_pixels():
    stars = field(2)
    found = match(seen(stars, shift=(60.0, 0.0), seed=5), seen(stars), SHAPE)
    assert shift_of(found) == pytest.approx([60.0, 0.0], abs=0.2)


def test_another_field_does_not_match():
    for seed in range(20):
        assert match(seen(field(seed)), seen(field(seed + 100)), SHAPE) is None


def test_two_stars_do_not_match():
    assert match(field(1)[:2], field(1), SHAPE) is None
