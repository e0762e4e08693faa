"""A plain telescope and scenes on it, whose every number is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from nightsift.simulate.detector import FixedPattern
from nightsift.simulate.exposure import Scene
from nightsift.simulate.instrument import Detector, Instrument, Mount, Optics, Site
from nightsift.simulate.psf import Psf

SIDE = 256


def plain_instrument(**detector: Any) -> Instrument:
    """A 0.3 m without any fault: 1 arcsec per pixel, gain 2, read noise 8 e."""
    camera: dict[str, Any] = {
        "width": SIDE,
        "height": SIDE,
        "pixel_um": 10.0,
        "quantum_efficiency": 0.8,
        "gain_e_adu": 2.0,
        "read_noise_e": 8.0,
        "bias_adu": 500.0,
        "bias_structure_adu": 0.0,
        "amplifiers": 1,
        "dark_e_s": 0.0,
        "hot_per_mpx": 0.0,
        "full_well_e": 120_000.0,
        "bleeds": False,
        "nonlinearity": 0.0,
        "bits": 16,
        "step_adu": 1,
        "prnu": 0.0,
        "fringing": 0.0,
        "glow_e_s": 0.0,
        "cosmic_rays": 0.0,
        "dtype": "uint16",
    }
    return Instrument(
        telescope="T30",
        camera="plain",
        header="maxim",
        optics=Optics(
            aperture_m=0.3,
            obstruction=0.3,
            focal_mm=2062.65,
            throughput=0.7,
            psf="moffat",
            beta=3.0,
            blur_arcsec=0.5,
            coma=0.0,
            tilt=0.0,
            vignetting=0.0,
            donuts=0.0,
        ),
        detector=Detector(**{**camera, **detector}),
        mount=Mount(
            kind="german",
            drift_px_h=2.0,
            jitter_arcsec=0.3,
            wander_px=0.3,
            rotation_deg_h=0.0,
            dither_px=0.0,
        ),
        site=Site(
            latitude_deg=40.0,
            sky_mag=20.0,
            extinction=0.2,
            seeing_arcsec=2.5,
            bands=["V"],
            exposures_s=[60.0],
            overhead_s=10.0,
        ),
    )


def plain_pattern(instrument: Instrument) -> FixedPattern:
    """A camera without structure."""
    ones = np.ones(instrument.detector.shape, dtype=np.float32)
    bias = ones * np.float32(instrument.detector.bias_adu)
    return FixedPattern(ones, 0 * ones, bias, np.zeros((1, 1), dtype=np.float32))


def plain_scene(instrument: Instrument, **changes: Any) -> Scene:
    """Twenty-five stars of 40 000 electrons on a grid, FWHM 3.5 px, sky of 400 electrons."""
    places = np.linspace(0.15, 0.85, 5)
    x, y = (axis.ravel() for axis in np.meshgrid(places * SIDE, places * SIDE))
    # Not all on the same part of a pixel.
    x, y = x + 0.37 * np.arange(25) % 1, y + 0.61 * np.arange(25) % 1
    scene = Scene(
        instrument=instrument,
        band="V",
        exposure_s=60.0,
        x=x,
        y=y,
        flux_e=np.full(25, 4e4),
        psf=Psf(3.5),
        sky_e=400.0,
    )
    return replace(scene, **changes)


class Plain(NamedTuple):
    """Makers of plain things."""

    instrument: Callable[..., Instrument]
    pattern: Callable[[Instrument], FixedPattern]
    scene: Callable[..., Scene]
    psf: Callable[..., Psf]


@pytest.fixture(scope="session")
def plain() -> Plain:
    return Plain(plain_instrument, plain_pattern, plain_scene, Psf)


@pytest.fixture
def scene() -> Scene:
    return plain_scene(plain_instrument())


@pytest.fixture
def pattern() -> FixedPattern:
    return plain_pattern(plain_instrument())
