"""The sky's light in physical units: bands, air mass, extinction, moonlight, star counts."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float64]
# Large images: half the memory, and single precision is far below a photon's noise. What is not
# exact in IEEE arithmetic (powers, transforms) is computed in float64 first, so that every
# machine rounds to the same numbers.
Light = npt.NDArray[np.float32]

# Photons per second and m2 in a band of dlambda / lambda = 1 from AB magnitude 0:
# 3631 Jy / h (Oke & Gunn 1983).
_AB_PHOTONS_S_M2 = 5.48e10
# All-sky numbers of stars brighter than V, from magnitude 4 to 21 in steps of 1, divided by
# 41 253 square degrees; rounded from Allen's Astrophysical Quantities (Cox 2000, ch. 19).
_COUNTS_V = np.arange(4.0, 22.0)
_STARS_TO_V = """
    5.1e2 1.6e3 4.8e3 1.4e4 4.1e4 1.2e5 3.2e5 8.7e5 2.3e6
    5.7e6 1.4e7 3.2e7 7.1e7 1.5e8 3.0e8 5.6e8 1.0e9 1.8e9
"""
_LOG_STARS_TO_V = np.log10(np.array(_STARS_TO_V.split(), dtype=np.float64))


class Band(NamedTuple):
    """A filter.

    Attributes:
        photons_s_m2: from magnitude 0 outside the atmosphere.
        extinction: times the extinction in V.
        sky_offset: magnitude of the dark sky in the band minus that in V.
        red: whether a thin detector fringes in it.
    """

    photons_s_m2: float
    extinction: float
    sky_offset: float
    red: bool = False


def _band(
    wavelength_nm: float, width_nm: float, *, ab_offset: float, extinction: float, sky: float
) -> Band:
    photons = _AB_PHOTONS_S_M2 * width_nm / wavelength_nm * 10 ** (-0.4 * ab_offset)
    return Band(photons, extinction, sky, red=wavelength_nm > 730)


# Wavelengths, widths and AB offsets: Bessell & Murphy 2012 (B V R I), Fukugita et al. 1996
# (g r i z); sky colours of a dark site: Patat 2003. Clear and L are wide: no filter, or UV/IR cut.
BANDS: dict[str, Band] = {
    "B": _band(436, 89, ab_offset=-0.10, extinction=1.75, sky=0.9),
    "V": _band(545, 84, ab_offset=0.0, extinction=1.0, sky=0.0),
    "R": _band(641, 158, ab_offset=0.19, extinction=0.72, sky=-0.8),
    "I": _band(798, 154, ab_offset=0.43, extinction=0.45, sky=-1.9),
    "g": _band(477, 138, ab_offset=0.0, extinction=1.3, sky=0.3),
    "r": _band(623, 138, ab_offset=0.0, extinction=0.75, sky=-0.5),
    "i": _band(763, 153, ab_offset=0.0, extinction=0.5, sky=-1.1),
    "z": _band(913, 95, ab_offset=0.0, extinction=0.4, sky=-2.1),
    "Clear": _band(600, 400, ab_offset=0.1, extinction=0.85, sky=-0.4),
    "L": _band(550, 280, ab_offset=0.05, extinction=1.0, sky=-0.1),
}


def airmass(altitude_deg: Image | float) -> Image:
    """Relative optical air mass (Kasten & Young 1989); altitudes below 1 degree count as 1."""
    altitude = np.maximum(np.asarray(altitude_deg, dtype=np.float64), 1.0)
    zenith = 90 - altitude
    mass: Image = 1 / (np.cos(np.radians(zenith)) + 0.50572 * (96.07995 - zenith) ** -1.6364)
    return mass


def altitude_deg(latitude_deg: float, declination_deg: float, hour_angle_deg: Image) -> Image:
    """Height above the horizon by spherical trigonometry, degrees."""
    latitude, declination = math.radians(latitude_deg), math.radians(declination_deg)
    sine = math.sin(latitude) * math.sin(declination)
    cosine = math.cos(latitude) * math.cos(declination) * np.cos(np.radians(hour_angle_deg))
    altitude: Image = np.degrees(np.arcsin(np.clip(sine + cosine, -1, 1)))
    return altitude


def moonlight_nl(
    phase_deg: float,
    separation_deg: Image,
    moon_altitude_deg: Image,
    mass: Image,
    extinction: float,
) -> Image:
    """Brightness that the moon adds to the sky in V, nanolamberts (Krisciunas & Schaefer 1991).

    Args:
        phase_deg: 0 at full moon, 180 at new moon.
        separation_deg: (T,) from the moon to the field, >= 1.
        moon_altitude_deg: (T,); below the horizon the moon fades out within 2 degrees.
        mass: (T,) air mass of the field.
        extinction: magnitudes per air mass.
    """
    illuminance = 10 ** (-0.4 * (3.84 + 0.026 * abs(phase_deg) + 4e-9 * phase_deg**4))
    rho = np.maximum(separation_deg, 1.0)
    scatter = 10**5.36 * (1.06 + np.cos(np.radians(rho)) ** 2) + 10 ** (6.15 - rho / 40)
    dimmed = 10 ** (-0.4 * extinction * airmass(moon_altitude_deg))
    up = np.clip((moon_altitude_deg + 2) / 2, 0, 1)
    light: Image = scatter * illuminance * dimmed * (1 - 10 ** (-0.4 * extinction * mass)) * up
    return light


def magnitude_to_nl(magnitude: Image | float) -> Image:
    """Surface brightness, V magnitudes per square arc second to nanolamberts (Garstang 1989)."""
    light: Image = 34.08 * np.exp(20.7233 - 0.92104 * np.asarray(magnitude, dtype=np.float64))
    return light


def nl_to_magnitude(light_nl: Image) -> Image:
    """The inverse of `magnitude_to_nl`."""
    magnitude: Image = (20.7233 - np.log(light_nl / 34.08)) / 0.92104
    return magnitude


def dark_sky_nl(zenith_mag: float, mass: Image, extinction: float) -> Image:
    """Moonless sky away from the zenith (Krisciunas & Schaefer 1991, eq. 2), nanolamberts."""
    light: Image = magnitude_to_nl(zenith_mag) * mass * 10 ** (-0.4 * extinction * (mass - 1))
    return light


def stars_per_deg2(magnitude: Image | float) -> Image:
    """Stars brighter than V `magnitude` per square degree, mean over the sky."""
    counts = _LOG_STARS_TO_V - np.log10(41253.0)
    number: Image = 10 ** np.interp(magnitude, _COUNTS_V, counts)
    return number


def draw_magnitudes(rng: np.random.Generator, n: int, faintest: float) -> Image:
    """(n,) V magnitudes that follow `stars_per_deg2` down to `faintest`, at most 21."""
    grid = np.arange(4.0, min(faintest, 21.0) + 1e-9, 0.02)
    cumulative = stars_per_deg2(grid)
    magnitudes: Image = np.interp(rng.uniform(0, cumulative[-1], n), cumulative, grid)
    return magnitudes
