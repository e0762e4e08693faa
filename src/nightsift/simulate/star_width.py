"""The width of the stars of a real frame, which is full of things that are sharper than stars."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label, map_coordinates

from nightsift.look.prepare import prepare
from nightsift.look.scene import make_scene
from nightsift.look.statistics import robust_sigma
from nightsift.simulate.effect import CLEAR_SNR

_FEWEST = 3
_MOST = 80
_FALLBACK_FWHM_PX = 3.0
# Points per px that a star is interpolated on.
_FINE = 5
# Widths at half maximum differ by this much at most from those of the Gaussians that fit best:
# with the wings of any profile from Moffat's of exponent 2.5 on.
_LOW, _HIGH = 0.7, 1.25
# Profiles have wings: a Gaussian that fits is wider than the half maximum by about as much.
_GAUSSIAN_EXCESS = 1.08
_NOISE_ROWS = 512
# A star that is dimmer in its middle than further out is a ring and has no half maximum.
_RING_DIP = 0.85


class StarWidth(NamedTuple):
    """What the stars of a frame look like.

    Attributes:
        fwhm_px: full width at half maximum, median of the stars.
        clear_stars: how many stars are bright enough to show what happens to them.
        noise_adu: of one pixel, blind to stars and slopes.
    """

    fwhm_px: float
    clear_stars: int
    noise_adu: float


def star_width(pixels: npt.NDArray[Any]) -> StarWidth:
    """Width at half maximum of stars, px; blind to hot pixels, cosmic rays and bad columns.

    The stars are those that `nightsift.look.shapes` measures, on pixels of which the ones that
    stand alone are taken out. The area above half of the maximum is that of a circle of this
    diameter; wings, of which the moments there are full, do not count. Rings have no such area:
    for them it is the width of the Gaussian that fits best.

    Args:
        pixels: (H, W) as read.
    """
    scene = make_scene(prepare(pixels))
    stars = scene.stars
    # Narrower than the rest by half, or longer than wide by three: neighbours that are hot,
    # hits of cosmic rays, columns.
    usual = float(np.median(stars.fwhm)) if len(stars.fwhm) else 0.0
    usable = (stars.snr > CLEAR_SNR) & (stars.fwhm > 0.5 * usual)
    usable &= np.hypot(stars.e1, stars.e2) < 0.8
    count, noise = int(usable.sum()), _pixel_noise(scene.pixels)
    if count < _FEWEST:
        few = max(usual / _GAUSSIAN_EXCESS, 1.0) if usual else _FALLBACK_FWHM_PX
        return StarWidth(few, count, noise)
    chosen = np.flatnonzero(usable)[np.argsort(-stars.snr[usable], kind="stable")[:_MOST]]
    fitted = float(np.median(stars.fwhm[chosen]))
    if np.median(stars.dip[chosen]) < _RING_DIP:
        return StarWidth(fitted, count, noise)
    sky = scene.sky.level_adu
    widths = [_half_maximum(pixels, stars.x[i], stars.y[i], sky, fitted) for i in chosen]
    fwhm = float(np.clip(np.median(widths), _LOW * fitted, _HIGH * fitted))
    return StarWidth(max(fwhm, 1.0), count, noise)


def _pixel_noise(pixels: npt.NDArray[Any]) -> float:
    """Of one pixel, from third differences along rows, adu: slopes and wide stars cancel."""
    rows = pixels[:: max(1, pixels.shape[0] // _NOISE_ROWS)].astype(np.float64)
    apart = np.diff(rows, n=3, axis=1)
    # The squares of 1, 3, 3, 1 add up to 20.
    return robust_sigma(apart) / float(np.sqrt(20))


def _half_maximum(
    pixels: npt.NDArray[Any], x: float, y: float, sky_adu: float, width_px: float
) -> float:
    """Diameter of a circle as large as the area around (x, y) above half of the maximum, px."""
    half = int(np.ceil(1.5 * width_px)) + 2
    steps = np.arange(-half * _FINE, half * _FINE + 1) / _FINE
    top, left = max(0, int(y) - half - 3), max(0, int(x) - half - 3)
    near = pixels[top : int(y) + half + 4, left : int(x) + half + 4].astype(np.float64)
    rim = np.concatenate([near[0], near[-1], near[:, 0], near[:, -1]])
    near -= min(float(np.median(rim)), max(sky_adu, float(rim.min())))
    places = np.meshgrid(y - top + steps, x - left + steps, indexing="ij")
    fine = map_coordinates(near, places, order=3, mode="nearest")
    middle = half * _FINE
    peak = fine[middle - 2 : middle + 3, middle - 2 : middle + 3].max()
    parts, _ = label(fine > peak / 2)
    area = np.sum(parts == parts[middle, middle]) if parts[middle, middle] else 0
    return float(2 * np.sqrt(area / np.pi) / _FINE)
