"""The detector of a night that is given: what stands still on it while the sky moves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from nightsift.fits.reader import read_frame
from nightsift.simulate.copies.catalogue import GivenNight
from nightsift.simulate.inject import Parts, take_apart
from nightsift.simulate.inject_folder import header_of
from nightsift.simulate.sky import Image

Mask = npt.NDArray[np.bool_]

# The frames that are looked at, spread over the night.
_LOOKED_AT = 7
_FEWEST = 5
# What is a source in more of the frames than this stands still.
_STANDS_STILL = 0.6
# A field moves when at most this share of its sources stands still.
_MOVES = 0.3
_BRIGHTEST = 1.1
_SMOOTH_PX = 5


class Detector(NamedTuple):
    """What a night shows of its detector.

    Attributes:
        night: as copies need it.
        fixed: (H, W) where what looks like a star belongs to the detector.
    """

    night: GivenNight
    fixed: Mask


def look_at_detector(files: Sequence[Path]) -> Detector:
    """Tell the detector from the sky by the frames of a night, all of one shape.

    Where the field moved over the detector, what stands still is the detector's, also what
    looks like a star. Where it did not, only sharp peaks and the smooth background are the
    detector's; a nebula or galaxy wider than the mesh of the background is taken for it.
    """
    picks = np.unique(np.linspace(0, len(files) - 1, _LOOKED_AT).round().astype(int))
    parts = [_taken_apart(files[i]) for i in picks]
    stellar = np.array([part.stellar > 0.5 for part in parts])
    fixed: Mask = stellar.mean(axis=0) > _STANDS_STILL
    moves = len(parts) >= _FEWEST and fixed.sum() < _MOVES * stellar.sum() / len(parts)
    # Of a field that moves the median of the frames as they are has no stars.
    pictures = [
        (part.back_adu + part.rest_adu + part.stars_adu * moves).astype(np.float32)
        for part in parts
    ]
    facts = [part.facts for part in parts]
    sky_adu = float(np.median([fact.sky_e / fact.gain_e_adu for fact in facts]))
    night = GivenNight(
        frames=len(files),
        shape=facts[0].shape,
        fwhm_px=float(np.median([fact.fwhm_px for fact in facts])),
        light=_light(np.median(pictures, axis=0), sky_adu),
    )
    return Detector(night, fixed & moves)


def _taken_apart(path: Path) -> Parts:
    frame = read_frame(path)
    return take_apart(frame.pixels, header_of(path), frame.info.exposure_s)


def _light(picture: npt.NDArray[np.floating], sky_adu: float) -> Image:
    """(H, W) share of the sky's light that each pixel gets, from how much darker it is."""
    smooth = median_filter(picture, _SMOOTH_PX)
    above = (smooth - np.median(smooth)) / max(sky_adu, 1e-9)
    light: Image = np.clip(1 + above, 0, _BRIGHTEST).astype(np.float64)
    return light
