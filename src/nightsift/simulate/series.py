"""A frame or so a night for weeks: what differs from one night to the next."""

from __future__ import annotations

import numpy as np

from nightsift.simulate.sky import Image

_DAY_S = 86_164.0  # the field returns to the same height after a sidereal day
_POINTING_PX = 8.0


def draw_visits(rng: np.random.Generator, n: int) -> tuple[Image, Image]:
    """(T,) nights of the frames and (T,) times within them, both in s; their sum rises.

    One or two frames a night, a few nights without any.
    """
    same_night = rng.random(n) < rng.choice([0.0, 0.4])
    gaps = np.where(same_night, 0, rng.integers(1, 5, n))
    gaps[0] = 0
    night = np.cumsum(gaps)
    within = rng.uniform(0, 5400, n)
    order = np.lexsort((within, night))
    days_s: Image = night * _DAY_S
    return days_s, within[order]


def draw_changes(
    rng: np.random.Generator, days_s: Image, fwhm_px: Image, sky_e: Image
) -> tuple[Image, Image]:
    """FWHM and sky with each night's own seeing, moonlight and haze."""
    night = _number(days_s)
    seeing = np.exp(rng.normal(0, 0.15, night.max() + 1))
    moon = 10 ** (
        0.6 * np.clip(np.cos(days_s / (29.53 * _DAY_S) * 2 * np.pi + rng.uniform(0, 6)), 0, 1)
    )
    haze = np.exp(rng.normal(0, 0.15, night.max() + 1))
    return fwhm_px * seeing[night], sky_e * moon * haze[night]


def draw_pointings(rng: np.random.Generator, days_s: Image) -> Image:
    """(T, 2) px by which each night misses the place of the first."""
    night = _number(days_s)
    pointing: Image = rng.normal(0, _POINTING_PX, (night.max() + 1, 2))[night]
    return pointing


def _number(days_s: Image) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.unique(days_s, return_inverse=True)[1]
