"""The stars of a frame moved over the detector, which stays where it is."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import affine_transform

from nightsift.simulate.inject import Parts
from nightsift.simulate.sky import Image

# Share of the variance of white noise that interpolation by cubic splines leaves, measured.
_KEPT_VARIANCE = 0.764
# What stands out of the noise by more is the detector's, also below a star.
_DEEP_SIGMA = 5.0
_BRIGHTER = 1.5


def move_stars(
    parts: Parts,
    *,
    turn_deg: float,
    centre: tuple[float, float],
    shift_px: tuple[int, int],
    rng: np.random.Generator,
) -> Parts:
    """The stars turned, then shifted by whole px; what comes in at the edges is a mirror image.

    Blank sky where they were gets the noise of blank sky. A star that comes into a darker
    corner of the field loses as much light as the sky does there.

    Args:
        parts: of a frame.
        turn_deg: counter-clockwise where y grows upwards.
        centre: (x, y) of the rotation in units of width and height.
        shift_px: (dx, dy).
        rng: draws the noise.
    """
    if not turn_deg and shift_px == (0, 0):
        return parts
    noise = _noise_adu(parts)
    stars, stellar, came_from = (
        _shifted(_turned(image, turn_deg, centre), shift_px)
        for image in (parts.stars_adu, parts.stellar, parts.lit)
    )
    stellar = (stellar > 0.5).astype(np.float64)
    if turn_deg % 180:
        stars = stars + np.sqrt(1 - _KEPT_VARIANCE) * noise * rng.standard_normal(stars.shape)
    # Splines overshoot beside a saturated star, down to pixels that are blacker than black.
    stars = np.maximum(stars, -_DEEP_SIGMA * noise) * stellar
    stars = stars * np.clip(parts.lit / np.maximum(came_from, 0.05), 0, _BRIGHTER)
    # Where stars were the rest holds no noise; where they come to it must hold none.
    rest = parts.rest_adu + parts.stellar * noise * rng.standard_normal(stars.shape)
    rest = np.where((stellar > 0) & (np.abs(rest) < _DEEP_SIGMA * noise), 0.0, rest)
    return parts._replace(stars_adu=stars, stellar=stellar, rest_adu=rest)


def _noise_adu(parts: Parts) -> Image:
    """(H, W) RMS of blank sky: of the read-out alone where no light falls."""
    facts = parts.facts
    read = max(facts.noise_e**2 - facts.sky_e, 0.0)
    noise: Image = np.sqrt(read + facts.sky_e * parts.lit) / facts.gain_e_adu
    return noise


def _turned(image: Image, turn_deg: float, centre: tuple[float, float]) -> Image:
    if not turn_deg:
        return image
    if turn_deg % 360 == 180 and centre == (0.5, 0.5):
        return image[::-1, ::-1]
    angle = np.deg2rad(turn_deg)
    cos, sin = np.cos(angle), np.sin(angle)
    # From a place in the result to the place in `image`, both (y, x).
    back = np.array([[cos, -sin], [sin, cos]])
    middle = np.array([centre[1] * (image.shape[0] - 1), centre[0] * (image.shape[1] - 1)])
    turned: Image = affine_transform(
        image, back, offset=middle - back @ middle, order=3, mode="mirror"
    )
    return turned


def _shifted(image: Image, shift_px: tuple[int, int]) -> Image:
    dx, dy = shift_px
    if not dx and not dy:
        return image
    height, width = image.shape
    padded = np.pad(image, ((abs(dy), abs(dy)), (abs(dx), abs(dx))), mode="reflect")
    y, x = abs(dy) - dy, abs(dx) - dx
    return padded[y : y + height, x : x + width]
