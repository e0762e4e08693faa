"""The stars of a night, where they fall on the detector, and a transit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nightsift.simulate.sky import Image, draw_magnitudes, stars_per_deg2

# A field is drawn this much wider than the frame on each side, so that jumps find stars too.
_MARGIN = 0.9
_MOST_STARS = 80_000


@dataclass(frozen=True)
class StarField:
    """Stars of a night.

    Attributes:
        u: (N,) px from the centre of the frame; the first star is the target. v: likewise.
        magnitude: (N,) in the band.
    """

    u: Image
    v: Image
    magnitude: Image


def draw_field(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    scale_arcsec: float,
    faintest: float,
    detected: float,
    target: float,
    crowding: float = 1.0,
    fewest: float = 25.0,
) -> StarField:
    """Stars of a random part of the sky, sparse to crowded, with a target near the centre.

    Args:
        rng: draws everything.
        shape: (H, W) of the frame.
        scale_arcsec: per pixel.
        faintest: magnitude below which a star would not show at all.
        detected: magnitude of stars that are well seen; an observer chooses a field with at
            least `fewest` of them in the frame.
        target: magnitude of the target.
        crowding: density against that of a usual part of the sky.
        fewest: see `detected`.
    """
    half = max(shape) * (0.5 + _MARGIN)
    area_deg2 = (2 * half * scale_arcsec / 3600) ** 2
    frame_deg2 = shape[0] * shape[1] * (scale_arcsec / 3600) ** 2
    crowding *= float(np.exp(rng.normal(0.0, 0.8)))
    crowding = max(crowding, fewest / (frame_deg2 * float(stars_per_deg2(detected))))
    expected = float(stars_per_deg2(faintest)) * area_deg2 * crowding
    if expected > _MOST_STARS:
        # Leave out the faintest: they are noise between the others.
        crowd = stars_per_deg2(np.linspace(4, faintest, 400)) * area_deg2 * crowding
        faintest = float(np.interp(_MOST_STARS, crowd, np.linspace(4, faintest, 400)))
        expected = _MOST_STARS
    n = 1 + rng.poisson(expected)
    u, v = rng.uniform(-half, half, (2, n))
    magnitude = draw_magnitudes(rng, n, faintest)
    u[0], v[0] = rng.uniform(-0.1, 0.1, 2) * min(shape)
    magnitude[0] = target
    return StarField(u, v, magnitude)


def on_detector(
    field: StarField,
    shape: tuple[int, int],
    *,
    shift_px: tuple[float, float],
    rotation_deg: float,
    flipped: bool,
) -> tuple[Image, Image]:
    """(N,) x and y in px of all stars, rotated about the centre, turned, then displaced."""
    angle = np.radians(rotation_deg + (180.0 if flipped else 0.0))
    x = field.u * np.cos(angle) - field.v * np.sin(angle)
    y = field.u * np.sin(angle) + field.v * np.cos(angle)
    return x + (shape[1] - 1) / 2 + shift_px[0], y + (shape[0] - 1) / 2 + shift_px[1]


def transit_dip(
    time_h: Image, *, middle_h: float, duration_h: float, depth: float, limb: float = 0.5
) -> Image:
    """(T,) relative flux of a star while a small planet crosses its middle.

    The small-planet limit of Mandel & Agol (2002) with linear limb darkening, the planet's
    radius smoothing ingress and egress.

    Args:
        time_h: hours.
        middle_h: of the transit, hours.
        duration_h: from first to last contact, hours.
        depth: at the middle, 0-1.
        limb: darkening coefficient, 0-1.
    """
    radius = np.sqrt(depth)
    z = np.abs(time_h - middle_h) / (duration_h / 2) * (1 + radius)
    inside = np.clip((1 + radius - z) / (2 * radius + 1e-9), 0, 1)
    mu = np.sqrt(np.clip(1 - np.minimum(z, 1) ** 2, 0, 1))
    dip: Image = 1 - depth * inside * (1 - limb * (1 - mu))
    return dip
