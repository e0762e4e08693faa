"""What a clear night does by itself: none of it makes a frame bad."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from nightsift.simulate.conditions import (
    draw_bands,
    draw_ellipticity,
    draw_pointing,
    draw_seeing,
    draw_shifts,
    draw_sky,
    draw_times,
    draw_unrest,
    slow,
)
from nightsift.simulate.effect import Effect
from nightsift.simulate.exposure import Scene
from nightsift.simulate.instrument import Instrument
from nightsift.simulate.pipeline import Place
from nightsift.simulate.psf import Psf
from nightsift.simulate.scenery import Scenery, draw_scenery
from nightsift.simulate.series import draw_changes, draw_pointings, draw_visits
from nightsift.simulate.sky import BANDS, Image, airmass, altitude_deg
from nightsift.simulate.stars import StarField, draw_field, on_detector, transit_dip
from nightsift.simulate.usage import purpose_kernel, ring_px

# Share of what a pixel can hold.
_FULLEST_SKY = 0.3
_FIRST_NIGHT = datetime(2024, 1, 10, 19, 30, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class NightPlan:
    """A clear night of one telescope and target; arrays have one entry per frame.

    Attributes:
        instrument: takes it. target: name of the object.
        start: of the first exposure. declination_deg: of the target.
        bands: filter of each frame. exposure_s: of every frame.
        time_s: start of each exposure after the first one's.
        airmass: at mid-exposure. altitude_deg: likewise.
        fwhm_px: of the stars. ellipticity: (T, 2).
        sky_e: electrons per pixel. gradient: of the sky, the same all night.
        shift_px: (T, 2) of the field. rotation_deg: of the field.
        flipped: whether the field is upside down.
        transparency: of clear air against its mean, about 1.
        dip: relative flux of the target.
        field: the stars. zero_e: electrons of magnitude 0 in one exposure above the air.
        moving: (u, v, du, dv, magnitude) of an asteroid, px and px per second, or None.
        scenery: light beside that of the stars, or None.
    """

    instrument: Instrument
    target: str
    start: datetime
    declination_deg: float
    bands: list[str]
    exposure_s: float
    time_s: Image
    airmass: Image
    altitude_deg: Image
    fwhm_px: Image
    ellipticity: Image
    sky_e: Image
    gradient: tuple[float, float]
    shift_px: Image
    rotation_deg: Image
    flipped: npt.NDArray[np.bool_]
    transparency: Image
    dip: Image
    field: StarField
    moving: tuple[float, float, float, float, float] | None
    scenery: Scenery | None = None

    def __len__(self) -> int:
        return len(self.bands)

    def scene(self, i: int, effect: Effect | None = None) -> Scene:
        """Frame `i` with an effect."""
        band, instrument = self.bands[i], self.instrument
        field = self.field
        if self.moving:
            u, v, du, dv, magnitude = self.moving
            place = u + du * self.time_s[i], v + dv * self.time_s[i]
            field = StarField(
                np.append(field.u, place[0]),
                np.append(field.v, place[1]),
                np.append(field.magnitude, magnitude),
            )
        dimming = instrument.site.extinction * BANDS[band].extinction * self.airmass[i]
        zero = instrument.electrons_per_s(band) * self.exposure_s * self.transparency[i]
        flux = zero * 10 ** (-0.4 * (field.magnitude + dimming))
        flux[0] *= self.dip[i]
        lies = Place(
            (float(self.shift_px[i, 0]), float(self.shift_px[i, 1])),
            float(self.rotation_deg[i]),
            bool(self.flipped[i]),
        )
        shape = instrument.detector.shape
        x, y = on_detector(field, shape, **lies._asdict())
        optics, usage = instrument.optics, instrument.usage
        progress = i / max(len(self) - 1, 1)
        psf = Psf(
            fwhm_px=float(self.fwhm_px[i]),
            kind=optics.psf,
            beta=optics.beta,
            ellipticity=(float(self.ellipticity[i, 0]), float(self.ellipticity[i, 1])),
            tilt=(optics.tilt, -0.4 * optics.tilt),
            coma=optics.coma,
        )
        return Scene(
            instrument=instrument,
            band=band,
            exposure_s=self.exposure_s,
            x=x,
            y=y,
            flux_e=flux,
            psf=psf,
            sky_e=float(self.sky_e[i]),
            gradient=self.gradient,
            effect=effect or Effect(),
            purpose=purpose_kernel(usage, shape, optics.obstruction, progress),
            ring_px=ring_px(usage, shape, progress),
            place=lies,
            scenery=self.scenery,
        )


def draw_night(
    rng: np.random.Generator, instrument: Instrument, *, n: int, number: int
) -> NightPlan:
    """A clear night of `n` frames; `number` names its target and date."""
    site, mount = instrument.site, instrument.mount
    exposure = float(rng.choice(site.exposures_s))
    bands = draw_bands(rng, instrument, n)
    time = draw_times(rng, n, exposure + site.overhead_s, site.overhead_s)
    days_s: Image = np.zeros(n)
    if instrument.usage.series:
        days_s, time = draw_visits(rng, n)
    start, declination = draw_pointing(rng, site.latitude_deg, float(time.max()))
    hour_angle = start + time / 3600 * 15.041
    altitude = altitude_deg(site.latitude_deg, declination, hour_angle)
    mass = airmass(altitude)
    flipped = (hour_angle > 0) & (hour_angle[0] < 0) & (mount.kind == "german")
    if flipped.any():  # the flip takes a few minutes
        time = time + 240.0 * flipped
    unrest = draw_unrest(rng)
    fwhm = draw_seeing(rng, instrument, mass, unrest)
    sky_e = draw_sky(rng, instrument, bands, time, mass, exposure)
    if instrument.usage.series:
        fwhm, sky_e = draw_changes(rng, days_s, fwhm, sky_e)
    # Nobody exposes until the sky fills the pixels.
    shorter = min(1.0, _FULLEST_SKY * instrument.detector.capacity_e / float(sky_e.max()))
    exposure, sky_e = exposure * shorter, sky_e * shorter
    shift = draw_shifts(rng, instrument, time, flipped)
    if instrument.usage.series:
        shift = shift + draw_pointings(rng, days_s)
    # Bright stars are chosen for defocus: the light of one is spread over its ring.
    widths = np.hypot(fwhm, ring_px(instrument.usage, instrument.detector.shape, 0.0))
    field = _draw_stars(rng, instrument, bands[0], exposure, sky_e, widths, mass)
    hours = time / 3600
    depth = float(rng.choice([0.0, 1.0])) * 10 ** rng.uniform(-3, -1.6)
    return NightPlan(
        instrument=instrument,
        target=f"TOI-{1001 + number}.01",
        start=_FIRST_NIGHT + timedelta(days=number % 1000, seconds=float(rng.uniform(0, 7200))),
        declination_deg=declination,
        bands=bands,
        exposure_s=exposure,
        time_s=days_s + time,
        airmass=mass,
        altitude_deg=altitude,
        fwhm_px=fwhm,
        ellipticity=draw_ellipticity(rng, n, unrest),
        sky_e=sky_e,
        gradient=(float(rng.normal(0, 0.03)), float(rng.normal(0, 0.03))),
        shift_px=shift,
        rotation_deg=mount.rotation_deg_h * hours * rng.uniform(-1, 1)
        + instrument.usage.turn_deg * np.linspace(0, 1, n),
        flipped=flipped,
        transparency=1 + unrest * (0.004 * slow(rng, n) + 0.0015 * rng.normal(size=n)),
        dip=transit_dip(
            hours,
            middle_h=float(rng.uniform(0.3, 0.7) * hours[-1]),
            duration_h=float(rng.uniform(1, 4)),
            depth=depth,
        ),
        field=field,
        moving=_draw_asteroid(rng, instrument, field),
        scenery=draw_scenery(
            rng, instrument.usage, instrument.detector.shape, float(np.median(fwhm))
        ),
    )


def _draw_stars(
    rng: np.random.Generator,
    instrument: Instrument,
    band: str,
    exposure_s: float,
    sky_e: Image,
    fwhm_px: Image,
    mass: Image,
) -> StarField:
    """A field whose target fills 3 to 40 % of what a pixel can hold."""
    detector = instrument.detector
    zero = instrument.electrons_per_s(band) * exposure_s
    zero *= 10 ** (-0.4 * instrument.site.extinction * BANDS[band].extinction * float(mass.min()))
    # A Gaussian's peak times its area; close enough to choose magnitudes by.
    area = 1.13 * float(np.median(fwhm_px)) ** 2
    dark = detector.dark_e_s * exposure_s
    noise = np.sqrt(float(np.median(sky_e)) + dark + detector.read_noise_e**2)
    peak = rng.uniform(0.03, 0.4) * detector.capacity_e

    def magnitude(peak_e: float) -> float:
        return float(2.5 * np.log10(zero / (peak_e * area)))

    return draw_field(
        rng,
        detector.shape,
        scale_arcsec=instrument.scale_arcsec,
        faintest=magnitude(0.1 * noise),
        detected=magnitude(6 * noise),
        target=magnitude(peak),
        crowding=instrument.usage.crowding,
        fewest=instrument.usage.fewest_stars,
    )


def _draw_asteroid(
    rng: np.random.Generator, instrument: Instrument, field: StarField
) -> tuple[float, float, float, float, float] | None:
    """On one night in six something moves through the field."""
    if rng.random() > 1 / 6:
        return None
    u, v = rng.uniform(-0.4, 0.4, 2) * min(instrument.detector.shape)
    speed = rng.uniform(0.2, 2.0) / 60 / instrument.scale_arcsec
    angle = rng.uniform(0, 2 * np.pi)
    magnitude = float(np.quantile(field.magnitude, rng.uniform(0.02, 0.3)))
    return float(u), float(v), speed * np.cos(angle), speed * np.sin(angle), magnitude
