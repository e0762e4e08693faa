"""Light beside that of the stars: gas, galaxies, and what bright stars do in the telescope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nightsift.simulate.pipeline import Place
from nightsift.simulate.sky import Image, Light
from nightsift.simulate.usage import Usage
from nightsift.simulate.waves import Waves

_BRIGHT_STARS = 8
# Profiles are drawn out to this many scale lengths of a galaxy.
_GALAXY_END = 7.0


@dataclass(frozen=True, kw_only=True)
class Scenery:
    """The same all night; it moves with the field, or with the stars that cause it.

    Attributes:
        usage: how much of each there is.
        gas: waves of the nebula, in px of the field; None for none.
        galaxies: (N, 6) u, v from the centre of the field in px, scale length in px, ratio of
            axes, angle in radians, height over the sky's noise.
        spike_deg: angle of the diffraction spikes.
        arms: number of spikes, 4 or 6.
        halo_px: radius of the ring round bright stars. halo_hole: of its inside, over that.
        ghost_px: radius of the reflections.
    """

    usage: Usage
    gas: Waves | None
    galaxies: Image
    spike_deg: float
    arms: int
    halo_px: float
    halo_hole: float
    ghost_px: float

    def gas_and_galaxies(self, shape: tuple[int, int], place: Place, noise_e: float) -> Light:
        """(H, W) electrons of what is extended in the sky."""
        out = np.zeros(shape, dtype=np.float32)
        if self.gas is not None:
            field = _turned(self.gas, shape, place)
            out += np.float32(self.usage.nebula * noise_e) * np.maximum(field + 0.3, 0) ** 1.5
        for galaxy in self.galaxies:
            _add_galaxy(out, galaxy, place, noise_e)
        return out

    def around_bright_stars(
        self, shape: tuple[int, int], x: Image, y: Image, flux_e: Image, noise_e: float
    ) -> Light:
        """(H, W) electrons of spikes, rings and reflections of the brightest stars."""
        out = np.zeros(shape, dtype=np.float32)
        height, width = shape
        inside = (x > 0) & (x < width) & (y > 0) & (y < height)
        order = np.flatnonzero(inside)[np.argsort(-flux_e[inside])][:_BRIGHT_STARS]
        for i in order:
            at, flux = (float(x[i]), float(y[i])), float(flux_e[i])
            if self.usage.spikes:
                self._spikes(out, at, self.usage.spikes * flux, noise_e)
            if self.usage.halo:
                add_ring(out, at, self.halo_px, self.halo_hole, self.usage.halo * flux)
            if self.usage.ghosts:
                other = (width - 1 - at[0], height - 1 - at[1])
                add_ring(out, other, self.ghost_px, 0.35, self.usage.ghosts * flux)
        return out

    def _spikes(self, out: Light, at: tuple[float, float], light_e: float, noise_e: float) -> None:
        """Arms one pixel wide whose light falls as the square of the distance."""
        reach = min(np.sqrt(light_e / max(0.2 * noise_e, 1e-6)) + 1, 0.5 * max(out.shape))
        r = np.arange(1.0, reach, 0.5)
        if not r.size:
            return
        light = light_e / self.arms / r**2 / np.sum(1 / r**2)
        for arm in range(self.arms):
            angle = np.radians(self.spike_deg) + 2 * np.pi * arm / self.arms
            _splat(out, at[0] + r * np.cos(angle), at[1] + r * np.sin(angle), light)


def draw_scenery(
    rng: np.random.Generator, usage: Usage, shape: tuple[int, int], fwhm_px: float
) -> Scenery | None:
    """What a telescope's night shows beside stars; None (and nothing drawn) for nothing."""
    if not (usage.spikes or usage.halo or usage.ghosts or usage.nebula or usage.galaxies):
        return None
    side = min(shape)
    n = int(rng.poisson(usage.galaxies))
    # Mostly small ones, as the sky has them.
    size = np.maximum(side * 10 ** (-2.3 + 1.5 * rng.random(n) ** 3), 0.6 * fwhm_px)
    return Scenery(
        usage=usage,
        gas=Waves(rng, side / 6) if usage.nebula else None,
        galaxies=np.column_stack(
            [
                rng.uniform(-0.5, 0.5, n) * shape[1],
                rng.uniform(-0.5, 0.5, n) * shape[0],
                size,
                rng.uniform(0.25, 1.0, n),
                rng.uniform(0, np.pi, n),
                10 ** rng.uniform(-0.5, 1.5, n),
            ]
        ),
        spike_deg=float(rng.choice([0.0, 45.0]) + rng.normal(0, 4)),
        arms=int(rng.choice([4, 4, 6])),
        halo_px=float(np.clip(rng.uniform(3, 14) * fwhm_px, 6, side / 4)),
        halo_hole=float(rng.uniform(0, 0.9)),
        ghost_px=float(np.clip(rng.uniform(3, 20) * fwhm_px, 5, side / 5)),
    )


def add_ring(
    out: Light, at: tuple[float, float], radius: float, inner: float, light_e: float
) -> None:
    """Add `light_e` electrons, evenly over a ring from `inner` times `radius` to `radius` px."""
    height, width = out.shape
    x0, x1 = max(0, int(at[0] - radius - 2)), min(width, int(at[0] + radius + 3))
    y0, y1 = max(0, int(at[1] - radius - 2)), min(height, int(at[1] + radius + 3))
    if x0 >= x1 or y0 >= y1:
        return
    r = np.hypot(np.arange(x0, x1)[None, :] - at[0], np.arange(y0, y1)[:, None] - at[1])
    ring = np.clip(radius - r + 0.5, 0, 1) * np.clip(r - inner * radius + 0.5, 0, 1)
    area = np.pi * radius**2 * (1 - inner**2)
    out[y0:y1, x0:x1] += (light_e / area * ring).astype(np.float32)


def _splat(out: Light, x: Image, y: Image, light: Image) -> None:
    """Add light at places between pixels, shared among the four next."""
    height, width = out.shape
    ix, iy = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - ix, y - iy
    for dx, wx in ((0, 1 - fx), (1, fx)):
        for dy, wy in ((0, 1 - fy), (1, fy)):
            inside = (ix + dx >= 0) & (ix + dx < width) & (iy + dy >= 0) & (iy + dy < height)
            share = (light * wx * wy)[inside].astype(np.float32)
            np.add.at(out, (iy[inside] + dy, ix[inside] + dx), share)


def _turned(gas: Waves, shape: tuple[int, int], place: Place) -> Light:
    """The waves rotated about the centre of the frame, then displaced."""
    cosine, sine = np.cos(place.angle), np.sin(place.angle)
    turned = object.__new__(Waves)
    turned.kx = gas.kx * cosine - gas.ky * sine
    turned.ky = gas.kx * sine + gas.ky * cosine
    turned.phase, turned.weight = gas.phase, gas.weight
    centre = (shape[1] - 1) / 2 + place.shift_px[0], (shape[0] - 1) / 2 + place.shift_px[1]
    return turned.field(shape, moved_px=centre)


def _add_galaxy(out: Light, galaxy: Image, place: Place, noise_e: float) -> None:
    """An exponential disc (Freeman 1970) with a small bulge."""
    u, v, scale, ratio, angle, height_sigma = (float(value) for value in galaxy)
    cosine, sine = np.cos(place.angle), np.sin(place.angle)
    height, width = out.shape
    cx = u * cosine - v * sine + (width - 1) / 2 + place.shift_px[0]
    cy = u * sine + v * cosine + (height - 1) / 2 + place.shift_px[1]
    reach = _GALAXY_END * scale
    x0, x1 = max(0, int(cx - reach)), min(width, int(cx + reach) + 1)
    y0, y1 = max(0, int(cy - reach)), min(height, int(cy + reach) + 1)
    if x0 >= x1 or y0 >= y1:
        return
    x, y = np.arange(x0, x1)[None, :] - cx, np.arange(y0, y1)[:, None] - cy
    turn = angle + place.angle
    along = x * np.cos(turn) + y * np.sin(turn)
    across = (y * np.cos(turn) - x * np.sin(turn)) / ratio
    r = np.hypot(along, across) / scale
    light = np.exp(-r) + 3 * np.exp(-6 * r)
    out[y0:y1, x0:x1] += (height_sigma * noise_e * light).astype(np.float32)
