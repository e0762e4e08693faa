"""What air, moon and mount do in the course of a clear night."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nightsift.simulate.instrument import Instrument
from nightsift.simulate.sky import (
    BANDS,
    Image,
    altitude_deg,
    dark_sky_nl,
    moonlight_nl,
    nl_to_magnitude,
)

_LOWEST_DEG = 25.0


def slow(rng: np.random.Generator, n: int) -> Image:
    """(n,) a smooth random course of about unit variance over the night."""
    phase, t = rng.uniform(0, 2 * np.pi, 4), np.linspace(0, 1, n)
    terms = [np.sin(2 * np.pi * (k + 0.5) * t + phase[k]) / (k + 1) for k in range(4)]
    course: Image = np.sum(terms, axis=0) / 0.84
    return course


def draw_bands(rng: np.random.Generator, instrument: Instrument, n: int) -> list[str]:
    """One filter all night; on one night in ten two that alternate."""
    bands = [str(band) for band in rng.permutation(instrument.site.bands)]
    if len(bands) > 1 and n > 1 and rng.random() < 0.1:
        return [bands[i % 2] for i in range(n)]
    return bands[:1] * n


def draw_pointing(rng: np.random.Generator, latitude: float, span_s: float) -> tuple[float, float]:
    """Hour angle at the start and declination, degrees, of a target that stays up."""
    best = (-90.0, 0.0, 0.0)
    for _ in range(20):
        declination = float(np.clip(latitude + rng.uniform(-40, 40), -80, 80))
        start = float(rng.uniform(-60, 40)) - span_s / 3600 * 7.5
        ends = np.array([start, start + span_s / 3600 * 15.041])
        lowest = float(altitude_deg(latitude, declination, ends).min())
        best = max(best, (lowest, start, declination))
        if lowest > _LOWEST_DEG:
            return start, declination
    return best[1], best[2]


def draw_unrest(rng: np.random.Generator) -> float:
    """How much worse than on a calm night frames differ from each other: 0.5 to 4, mostly 1."""
    return float(np.clip(np.exp(rng.normal(0.1, 0.6)), 0.5, 4.0))


def draw_times(rng: np.random.Generator, n: int, cadence_s: float, overhead_s: float) -> Image:
    """(T,) start of each exposure, s; on one night in four there is a pause."""
    time: Image = np.arange(n) * cadence_s + rng.uniform(0, 0.2, n) * overhead_s
    if rng.random() < 0.25:
        time[int(rng.integers(1, n)) :] += 60 * float(rng.uniform(3, 45))
    return time


def draw_seeing(
    rng: np.random.Generator, instrument: Instrument, mass: Image, unrest: float
) -> Image:
    """(T,) FWHM in px: seeing grows as air mass^0.6 (Fried 1966), optics and guiding add."""
    site, jitter = instrument.site, instrument.mount.jitter_arcsec
    seeing = site.seeing_arcsec * np.exp(rng.normal(0, 0.2) + 0.1 * slow(rng, mass.size))
    seeing = seeing * np.exp(rng.normal(0, 0.025 * unrest, mass.size)) * mass**0.6
    blur = instrument.optics.blur_arcsec * (1 + 0.04 * slow(rng, mass.size))
    if instrument.usage.poor_seeing:
        poor = rng.random(mass.size) < instrument.usage.poor_seeing
        seeing = seeing * np.where(poor, rng.uniform(1.2, 1.3, mass.size), 1.0)
    fwhm: Image = np.sqrt(seeing**2 + blur**2 + (2.355 * jitter) ** 2) / instrument.scale_arcsec
    return fwhm


def draw_sky(
    rng: np.random.Generator,
    instrument: Instrument,
    bands: list[str],
    time: Image,
    mass: Image,
    exposure_s: float,
) -> Image:
    """(T,) electrons per pixel of the sky, with a moon that may rise or set."""
    site = instrument.site
    phase = float(rng.uniform(0, 180))
    moon_altitude = rng.uniform(-40, 50) + rng.choice([-1, 1]) * 12 * time / 3600
    separation = np.full(time.size, float(rng.uniform(35, 120)))
    light = dark_sky_nl(site.sky_mag, mass, site.extinction)
    light = light + moonlight_nl(phase, separation, moon_altitude, mass, site.extinction)
    magnitude = nl_to_magnitude(light * np.exp(0.03 * slow(rng, time.size)))
    offset = np.array([BANDS[band].sky_offset for band in bands])
    zero = np.array([instrument.electrons_per_s(band) for band in bands])
    sky: Image = zero * 10 ** (-0.4 * (magnitude + offset)) * instrument.scale_arcsec**2
    if instrument.usage.sky_unrest:
        sky = sky * np.exp(rng.normal(0, instrument.usage.sky_unrest, time.size))
    return sky * exposure_s


def draw_shifts(
    rng: np.random.Generator, instrument: Instrument, time: Image, flipped: npt.NDArray[np.bool_]
) -> Image:
    """(T, 2) px: drift, wander, dither, and an offset after the flip."""
    mount, n = instrument.mount, time.size
    angle = rng.uniform(0, 2 * np.pi)
    speed = mount.drift_px_h * np.exp(rng.normal(0, 0.5))
    shift = np.outer(time / 3600 * speed, [np.cos(angle), np.sin(angle)])
    shift += rng.normal(0, mount.wander_px, (n, 2))
    if mount.dither_px:
        shift += rng.uniform(-1, 1, (n, 2)) * mount.dither_px
    limit = 0.3 * min(instrument.detector.shape)
    shift = np.clip(shift, -limit, limit)
    shift += np.outer(flipped, rng.normal(0, 12, 2))
    return shift


def draw_ellipticity(rng: np.random.Generator, n: int, unrest: float) -> Image:
    """(T, 2): a little from the optics, a little from each exposure's guiding.

    On one night in three the mount follows badly: all stars are somewhat long in one
    direction, more in some frames than in others, up to 1.4 times as long as wide.
    """
    angle = rng.uniform(0, 2 * np.pi, n)
    size = np.minimum(rng.exponential(0.02 * unrest, n), 0.09)
    own: Image = np.column_stack([size * np.cos(angle), size * np.sin(angle)])
    own += rng.normal(0, 0.02, 2)
    if rng.random() < 1 / 3:
        towards = rng.uniform(0, 2 * np.pi)
        length = rng.uniform(0.06, 0.22) * np.exp(0.3 * slow(rng, n) + rng.normal(0, 0.2, n))
        own += np.outer(length, [np.cos(towards), np.sin(towards)])
    total = np.hypot(*own.T)[:, None]
    return np.asarray(own * np.minimum(1, 0.32 / np.maximum(total, 1e-9)))
