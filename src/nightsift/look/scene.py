"""A frame with its sky and its stars: what every feature is measured on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.look.background import Sky
from nightsift.look.prepare import Prepared
from nightsift.look.reduction import Pixels, Reduced
from nightsift.look.shapes import Stars, measure_stars
from nightsift.look.stars import Detections, detect, typical_width

Floats = npt.NDArray[np.float64]

# Narrower than any star: hits of cosmic rays on a few pixels.
_SHARP_SHARE = 0.55
MIN_WIDTH_PX = 2.5


class StarList(NamedTuple):
    """Stars of a frame for matching: (N,) px, px, adu, brightest first; saturated ones not."""

    x: Floats
    y: Floats
    flux: Floats
    snr: Floats


NO_STARS = StarList(*(np.empty(0) for _ in range(4)))


class Scene(NamedTuple):
    """One frame, taken apart once for all features.

    Attributes:
        pixels: (H, W), fit to be measured (`nightsift.look.prepare`).
        reduced: block means of them.
        sky: of `reduced`.
        found: objects detected on `sky.residual`.
        width_px: typical full width at half maximum of the objects, px of the image that they
            were found on.
        stars: shapes of the objects, without hits of cosmic rays.
        cosmic_rays: number of hits that were taken for objects.
    """

    pixels: Pixels
    reduced: Reduced
    sky: Sky
    found: Detections
    width_px: float
    stars: Stars
    cosmic_rays: int

    @property
    def star_list(self) -> StarList:
        """The stars for matching with other frames."""
        order = np.argsort(-self.stars.flux, kind="stable")
        stars = self.stars
        return StarList(*(column[order] for column in (stars.x, stars.y, stars.flux, stars.snr)))


def make_scene(prepared: Prepared) -> Scene:
    """Find the stars of a frame and measure their shapes."""
    pixels, reduced, sky = prepared
    found = detect(sky.residual, sky.sigma, reduced.factor)
    width = typical_width(found.table)
    x, y = ((found.table[axis].astype(float) + 0.5) * found.factor - 0.5 for axis in "xy")
    stars = measure_stars(
        pixels,
        x,
        y,
        width_px=max(width * found.factor, MIN_WIDTH_PX),
        noise_adu=reduced.noise_adu,
        saturation_adu=reduced.saturation_adu,
    )
    sharp = stars.peak_share > _SHARP_SHARE
    shaped = Stars(*(column[~sharp] for column in stars))
    return Scene(pixels, reduced, sky, found, width, shaped, int(sharp.sum()))
