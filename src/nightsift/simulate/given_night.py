"""The detector of a night that is given: what stands still on it while the sky moves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects, label, maximum_filter, median_filter

from nightsift.fits.reader import read_frame
from nightsift.simulate.copies.catalogue import GivenNight
from nightsift.simulate.effect import Facts
from nightsift.simulate.inject import Parts, take_apart
from nightsift.simulate.inject_folder import header_of
from nightsift.simulate.sky import Image, Light

Mask = npt.NDArray[np.bool_]

# The frames that are looked at, spread over the night.
_LOOKED_AT = 7
_BRIGHTEST = 1.1
_WIDE_FWHM = 10
# In sigma of blank sky: what may be a halo, and the faintest structure that is told apart.
_HALO_SIGMA, _FAINTEST_SIGMA = 2.0, 0.7
# Of the shorter side: the size of the largest halo.
_HALO_SHARE = 0.2
_MARGIN_PX = 9


class Detector(NamedTuple):
    """What a night shows of its detector.

    Attributes:
        night: as copies need it.
        wide_adu: (H, W) light that is no star's and too narrow for the smooth background, such
            as the edge of a filter; 0 where there is none.
    """

    night: GivenNight
    wide_adu: Light


def look_at_detector(files: Sequence[Path]) -> Detector:
    """Tell the detector from the sky by the frames of a night, all of one shape.

    Stars are narrow; what is wider and no halo around one is taken for the detector's,
    and so is a nebula or a galaxy.
    """
    picks = np.unique(np.linspace(0, len(files) - 1, _LOOKED_AT).round().astype(int))
    parts = [_taken_apart(files[i]) for i in picks]
    facts = [part.facts for part in parts]
    fwhm = float(np.median([fact.fwhm_px for fact in facts]))
    noise = float(np.median([fact.noise_e / fact.gain_e_adu for fact in facts]))
    back = _median([part.back_adu for part in parts])
    whole = _median([part.back_adu + part.rest_adu + part.stars_adu for part in parts])
    wide = _without_stars(whole, fwhm) - back
    wide[_halos(wide, noise)] = 0
    wide[np.abs(wide) < _FAINTEST_SIGMA * noise] = 0
    night = GivenNight(
        frames=len(files), shape=facts[0].shape, fwhm_px=fwhm, light=_light(back + wide, facts)
    )
    return Detector(night, wide)


def _median(images: Sequence[Image]) -> Light:
    median: Light = np.median([image.astype(np.float32) for image in images], axis=0)
    return median


def _without_stars(picture: Light, fwhm_px: float) -> Light:
    """What is wider than ten FWHM along rows and columns."""
    length = 2 * round(_WIDE_FWHM * fwhm_px / 2) + 1
    wide: Light = median_filter(median_filter(picture, (1, length)), (length, 1))
    return wide


def _halos(wide: Light, noise_adu: float) -> Mask:
    """Where something wide is as small as the halo of a star, and no edge across the field."""
    areas, _ = label(wide > _HALO_SIGMA * noise_adu)
    largest = _HALO_SHARE * min(wide.shape)
    halos = [
        number
        for number, place in enumerate(find_objects(areas), start=1)
        if max(part.stop - part.start for part in place) < largest
    ]
    near: Mask = maximum_filter(np.isin(areas, halos), _MARGIN_PX)
    return near


def _taken_apart(path: Path) -> Parts:
    frame = read_frame(path)
    return take_apart(frame.pixels, header_of(path), frame.info.exposure_s)


def _light(picture: Light, facts: Sequence[Facts]) -> Image:
    """(H, W) share of the sky's light that each pixel gets, from how much darker it is."""
    level = float(np.median(picture))
    sky_adu = float(np.median([fact.sky_e / fact.gain_e_adu for fact in facts]))
    light: Image = np.clip(1 + (picture - level) / max(sky_adu, 1e-9), 0, _BRIGHTEST)
    # Where noise of the read-out is taken for the sky's there seems to be more of it than there is.
    share = min(1.0, level / sky_adu) if level > 0 else 1.0
    return light.astype(np.float64) * share
