"""Telescopes that nobody has described: random relatives of those in the files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from nightsift.errors import NightsiftError
from nightsift.simulate.instrument import (
    HEADERS,
    MOUNTS,
    PSFS,
    Detector,
    Instrument,
    Mount,
    Optics,
    Site,
)
from nightsift.simulate.peculiarities import draw_files, draw_structure, draw_usage
from nightsift.simulate.structure import Structure
from nightsift.simulate.usage import Usage

_TRIES = 50
# Standard deviation of the natural logarithm of each number at a variety of 1.
_OPTICS = {"aperture_m": 0.35, "focal_mm": 0.4, "throughput": 0.2, "blur_arcsec": 0.4}
_OPTICS |= {"coma": 0.7, "tilt": 0.7, "vignetting": 0.5, "donuts": 0.7}
_DETECTOR = {"pixel_um": 0.3, "gain_e_adu": 0.5, "read_noise_e": 0.4, "bias_adu": 0.6}
_DETECTOR |= {"bias_structure_adu": 0.8, "dark_e_s": 0.8, "hot_per_mpx": 1.2, "full_well_e": 0.3}
_DETECTOR |= {"prnu": 0.5, "fringing": 0.5, "glow_e_s": 0.5, "cosmic_rays": 0.7}
_MOUNT = {"drift_px_h": 0.8, "jitter_arcsec": 0.4, "wander_px": 0.7, "rotation_deg_h": 0.6}
_MOUNT |= {"dither_px": 0.5}
_SITE = {"seeing_arcsec": 0.25, "extinction": 0.25, "overhead_s": 0.6}
# What a logarithm cannot make brighter or darker enough, magnitudes.
_SKY_MAG = 0.8
# Chance of a colour camera at a variety of 1, and how the filters lie on its pixels.
_COLOUR = 0.15
_MATRICES = ("RGGB", "BGGR", "GRBG", "GBRG")
# Beyond these a star is a pixel, or fills the frame.
_FWHM_PX = (1.3, 9.0)

Choice = TypeVar("Choice", str, int)
Part = TypeVar("Part", Optics, Detector, Mount, Site)


def vary(instrument: Instrument, rng: np.random.Generator, variety: float) -> Instrument:
    """Another telescope of the same sort.

    Every number is multiplied by a log-normal factor; what only some telescopes have
    (`nightsift.simulate.peculiarities`) is drawn anew; the profile of the stars, the mount, the
    habits of the header and the number of amplifiers are drawn anew with a chance of
    `variety` / 2.

    Args:
        instrument: to start from.
        rng: draws everything.
        variety: 0 (a copy) to 1.
    """
    for _ in range(_TRIES):
        try:
            other = _peculiar(_draw(instrument, rng, variety), rng, variety)
        except NightsiftError:  # an impossible combination
            continue
        if _FWHM_PX[0] <= other.typical_fwhm_px <= _FWHM_PX[1]:
            return other
    return instrument


def _draw(instrument: Instrument, rng: np.random.Generator, variety: float) -> Instrument:
    def other(choices: tuple[Choice, ...], own: Choice) -> Choice:
        return choices[int(rng.integers(len(choices)))] if rng.random() < variety / 2 else own

    optics = _scaled(instrument.optics, _OPTICS, rng, variety)
    detector = _scaled(instrument.detector, _DETECTOR, rng, variety)
    site = _scaled(instrument.site, _SITE, rng, variety)
    exposure = float(np.exp(rng.normal(0, 0.4 * variety)))
    return replace(
        instrument,
        header=other(HEADERS, instrument.header),
        optics=replace(
            optics,
            throughput=min(optics.throughput, 0.9),
            vignetting=min(optics.vignetting, 0.6),
            coma=min(optics.coma, 0.5),
            psf=other(PSFS, optics.psf),
        ),
        detector=replace(
            detector,
            bias_adu=round(detector.bias_adu),
            amplifiers=other((1, 2, 4), detector.amplifiers),
            colour_matrix=_matrix(rng) if rng.random() < _COLOUR * variety else [],
        ),
        mount=replace(
            _scaled(instrument.mount, _MOUNT, rng, variety),
            kind=other(MOUNTS, instrument.mount.kind),
        ),
        site=replace(
            site,
            sky_mag=float(np.clip(site.sky_mag + rng.normal(0, _SKY_MAG * variety), 17.5, 22)),
            exposures_s=[round(max(seconds * exposure, 2.0), 1) for seconds in site.exposures_s],
        ),
    )


def _peculiar(instrument: Instrument, rng: np.random.Generator, variety: float) -> Instrument:
    """With structure and use of its own; what the file describes stays where it says something."""
    dtype, step_adu = draw_files(rng, instrument.detector, variety)
    more = 10 ** float(rng.uniform(0, 1)) if rng.random() < 0.2 * variety else 1.0
    detector = replace(
        instrument.detector,
        dtype=dtype,
        step_adu=step_adu,
        cosmic_rays=instrument.detector.cosmic_rays * more,
    )
    structure, usage = instrument.structure, instrument.usage
    if structure == Structure():
        structure = draw_structure(rng, detector, variety)
    if usage == Usage():
        usage = draw_usage(rng, detector, variety)
    return replace(instrument, detector=detector, structure=structure, usage=usage)


def _matrix(rng: np.random.Generator) -> list[float]:
    """Of a night sky seen through red, green and blue filters."""
    sensitivity = {"R": rng.uniform(0.4, 0.95), "G": 1.0, "B": rng.uniform(0.3, 0.85)}
    return [float(sensitivity[letter]) for letter in str(rng.choice(_MATRICES))]


def _scaled(part: Part, spread: dict[str, float], rng: np.random.Generator, variety: float) -> Part:
    values: dict[str, Any] = {
        name: float(getattr(part, name) * np.exp(rng.normal(0, width * variety)))
        for name, width in spread.items()
    }
    return replace(part, **values)
