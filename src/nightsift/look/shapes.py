"""Shapes of stars from cut-outs of the full frame: size, elongation, direction, profile."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.look.statistics import quick_median

Pixels = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

# Values in all cut-outs of a frame together: what keeps a frame within its time.
_BUDGET = 150_000
_MOST = 160
_MIN_RADIUS, _MAX_RADIUS = 7, 48
_ITERATIONS = 5
_FWHM_OF_SIGMA = 2.354820045
# Cells of the field that share the stars to measure, so that the brightest corner has not all.
_FIELD = 4


class Stars(NamedTuple):
    """Measured stars, one value per star, px and adu of the full frame.

    Attributes:
        x, y: centres, px; 0 is the centre of the first pixel.
        flux: light within an aperture of about three half-flux radii, adu.
        fwhm: of the Gaussian that fits best, geometric mean of both axes, px.
        e1, e2: ellipticity (a^2 - b^2) / (a^2 + b^2) along the axes and the diagonals, -1 to 1.
        hfr: radius that holds half of the light, px.
        concentration: radius with 80 % of the light over that with 20 %.
        dip: surface brightness at the centre over the largest one further out; below 1 in a
            donut.
        peak_share: share of the light in the brightest pixel.
        snr: light over its noise.
    """

    x: Floats
    y: Floats
    flux: Floats
    fwhm: Floats
    e1: Floats
    e2: Floats
    hfr: Floats
    concentration: Floats
    dip: Floats
    peak_share: Floats
    snr: Floats


def measure_stars(
    pixels: Pixels,
    x: Floats,
    y: Floats,
    *,
    width_px: float,
    noise_adu: float,
    saturation_adu: float,
) -> Stars:
    """Shapes of the stars at (x, y), those with a saturated pixel or near the edge left out.

    Args:
        pixels: (H, W) full frame.
        x: (N,) columns, px, brightest star first.
        y: (N,) rows, px.
        width_px: typical full width of a star.
        noise_adu: of one pixel.
        saturation_adu: NaN where nothing is saturated.
    """
    radius = int(np.clip(np.ceil(2.2 * width_px), _MIN_RADIUS, _MAX_RADIUS))
    radius = min(radius, (min(pixels.shape) - 1) // 2 - 1)
    count = min(_MOST, max(12, _BUDGET // (2 * radius + 1) ** 2))
    inside = (x >= radius) & (x < pixels.shape[1] - radius - 0.5)
    inside &= (y >= radius) & (y < pixels.shape[0] - radius - 0.5)
    x, y = x[inside], y[inside]
    chosen = spread_over_field(x, y, pixels.shape, count)
    cut, ix, iy = _cut_outs(pixels, x[chosen], y[chosen], radius)
    if saturation_adu == saturation_adu:
        kept = cut.max(axis=(1, 2), initial=-np.inf) < saturation_adu
        cut, ix, iy = cut[kept], ix[kept], iy[kept]
    light = cut - _local_sky(cut)[:, None, None]
    return _measure(light, ix, iy, width_px=width_px, noise_adu=noise_adu)


def spread_over_field(
    x: Floats, y: Floats, shape: tuple[int, ...], count: int
) -> npt.NDArray[np.intp]:
    """Indices of at most `count` stars, the brightest of each of 4x4 cells in turn.

    Args:
        x: (N,) columns, brightest star first.
        y: (N,) rows.
        shape: (H, W) of the frame.
        count: how many.
    """
    cell = (y * _FIELD / shape[0]).astype(int) * _FIELD + (x * _FIELD / shape[1]).astype(int)
    rank = np.zeros(len(x), dtype=int)
    for number in np.unique(cell):
        members = np.flatnonzero(cell == number)
        rank[members] = np.arange(len(members))
    return np.sort(np.argsort(rank, kind="stable")[:count])


def _cut_outs(
    pixels: Pixels, x: Floats, y: Floats, radius: int
) -> tuple[npt.NDArray[np.float32], Floats, Floats]:
    """(N, S, S) squares around the nearest pixels, and these pixels."""
    ix, iy = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (2 * radius + 1, 2 * radius + 1))
    cut = windows[iy - radius, ix - radius].astype(np.float32)
    return cut, ix.astype(float), iy.astype(float)


def _local_sky(cut: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Median of the outermost two rings of pixels; a neighbour in a corner does not matter."""
    rim = np.ones(cut.shape[1:], dtype=bool)
    rim[2:-2, 2:-2] = False
    return quick_median(cut[:, rim], 1)


def _measure(
    light: npt.NDArray[np.float32], ix: Floats, iy: Floats, *, width_px: float, noise_adu: float
) -> Stars:
    radius = light.shape[1] // 2
    dx, dy, cov, fine = _adaptive_moments(light, width_px / _FWHM_OF_SIGMA)
    trace = cov[:, 0] + cov[:, 1]
    determinant = np.maximum(cov[:, 0] * cov[:, 1] - cov[:, 2] ** 2, 1e-6)
    profile, flux, peak = _profiles(light, dx, dy)
    hfr, concentration, dip = _radii(profile, flux)
    used = np.pi * np.minimum(radius, np.maximum(3 * np.nan_to_num(hfr, nan=radius), 3)) ** 2
    noise = np.sqrt(np.maximum(used, 1)) * max(noise_adu, 1e-6)
    stars = Stars(
        x=ix + dx,
        y=iy + dy,
        flux=flux,
        fwhm=_FWHM_OF_SIGMA * determinant**0.25,
        e1=(cov[:, 0] - cov[:, 1]) / trace,
        e2=2 * cov[:, 2] / trace,
        hfr=hfr,
        concentration=concentration,
        dip=dip,
        peak_share=peak / np.maximum(flux, 1e-6),
        snr=flux / noise,
    )
    fine &= (flux > 0) & np.isfinite(hfr)
    return Stars(*(column[fine] for column in stars))


def _adaptive_moments(
    light: npt.NDArray[np.float32], sigma: float
) -> tuple[Floats, Floats, Floats, npt.NDArray[np.bool_]]:
    """Centre, second moments and success of the elliptical Gaussian that fits each star best.

    The weight is adapted until it has the shape of the star (Bernstein & Jarvis 2002, AJ 123,
    583, section 3, https://doi.org/10.1086/338085): then the weighted moments of a Gaussian
    star are half of its own.
    """
    n, side = len(light), light.shape[1]
    radius = side // 2
    axis = np.arange(-radius, radius + 1, dtype=np.float32)
    cx, cy = np.zeros(n), np.zeros(n)
    cov = np.tile([sigma**2, sigma**2, 0.0], (n, 1))
    fine = np.ones(n, dtype=bool)
    for step in range(_ITERATIONS):
        x = axis[None, None, :] - cx.astype(np.float32)[:, None, None]
        y = axis[None, :, None] - cy.astype(np.float32)[:, None, None]
        weighted = light * _gaussian(x, y, cov)
        total = weighted.sum(axis=(1, 2), dtype=np.float64)
        fine &= total > 0
        total = np.where(total > 0, total, np.inf)
        columns = weighted.sum(axis=1, dtype=np.float64)
        rows = weighted.sum(axis=2, dtype=np.float64)
        x1, y1 = x[:, 0, :], y[:, :, 0]
        mx, my = (columns * x1).sum(axis=1) / total, (rows * y1).sum(axis=1) / total
        cov[:, 0] = 2 * ((columns * x1**2).sum(axis=1) / total - mx**2)
        cov[:, 1] = 2 * ((rows * y1**2).sum(axis=1) / total - my**2)
        cov[:, 2] = 2 * (np.einsum("nij,ni,nj->n", weighted, y1, x1) / total - mx * my)
        # Twice the offset: the weight pulls the mean half of the way back.
        cx, cy = cx + 2 * mx, cy + 2 * my
        cov[:, :2] = np.clip(cov[:, :2], 0.15, radius**2)
        limit = 0.98 * np.sqrt(cov[:, 0] * cov[:, 1])
        cov[:, 2] = np.clip(cov[:, 2], -limit, limit)
        fine &= (np.abs(cx) < radius / 2) & (np.abs(cy) < radius / 2)
        cx, cy = np.where(fine, cx, 0), np.where(fine, cy, 0)
        if step == 0:
            cov[~fine] = (sigma**2, sigma**2, 0.0)
    return cx, cy, cov, fine


def _gaussian(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], cov: Floats
) -> npt.NDArray[np.float32]:
    determinant = cov[:, 0] * cov[:, 1] - cov[:, 2] ** 2
    a, b, c = (
        (value / determinant).astype(np.float32)[:, None, None]
        for value in (cov[:, 1], cov[:, 0], -cov[:, 2])
    )
    return np.asarray(np.exp(-0.5 * (a * x * x + b * y * y + 2 * c * x * y)))


def _profiles(
    light: npt.NDArray[np.float32], dx: Floats, dy: Floats
) -> tuple[Floats, Floats, Floats]:
    """(N, R, 2) light and pixels per ring of 1 px, light inside the cut-out, brightest pixel."""
    n, side = len(light), light.shape[1]
    radius = side // 2
    axis = np.arange(-radius, radius + 1, dtype=np.float32)
    distance = np.hypot(
        axis[None, None, :] - dx.astype(np.float32)[:, None, None],
        axis[None, :, None] - dy.astype(np.float32)[:, None, None],
    )
    ring = np.minimum(distance.astype(np.int32), radius)
    index = (ring + (radius + 1) * np.arange(n, dtype=np.int32)[:, None, None]).ravel()
    size = n * (radius + 1)
    sums = np.bincount(index, weights=light.ravel(), minlength=size)
    sums = sums.reshape(n, radius + 1)[:, :radius]
    area = np.bincount(index, minlength=size).reshape(n, radius + 1)[:, :radius].astype(float)
    peak = light[:, radius - 1 : radius + 2, radius - 1 : radius + 2].max(
        axis=(1, 2), initial=-np.inf
    )
    return np.stack((sums, area), axis=2), sums.sum(axis=1), peak.astype(float)


def _radii(profile: Floats, flux: Floats) -> tuple[Floats, Floats, Floats]:
    """Half-flux radius, 80 % over 20 % radius, and central dip of each star."""
    n, radius = profile.shape[:2]
    grown = np.cumsum(profile[:, :, 0], axis=1) / np.maximum(flux, 1e-6)[:, None]
    curve = np.maximum.accumulate(np.pad(grown, ((0, 0), (1, 0))), axis=1)
    out = np.empty((3, n))
    for k, share in enumerate((0.2, 0.5, 0.8)):
        ring = np.clip(np.argmax(curve >= share, axis=1), 1, radius)
        below, above = curve[np.arange(n), ring - 1], curve[np.arange(n), ring]
        part = (share - below) / np.maximum(above - below, 1e-9)
        # Light within r grows like r^2 inside a ring: interpolate on areas.
        out[k] = np.sqrt((ring - 1) ** 2 + np.clip(part, 0, 1) * (2 * ring - 1))
    out[:, flux <= 0] = np.nan
    surface = profile[:, :, 0] / np.maximum(profile[:, :, 1], 1)
    # At least two rings, so that noise in the middle is not taken for a hole.
    middle = profile[:, :2, 0].sum(axis=1) / np.maximum(profile[:, :2, 1].sum(axis=1), 1)
    # From 0.6 of the half-flux radius on, any disc without a hole has fallen by a fifth.
    first = np.maximum(2, 0.6 * np.nan_to_num(out[1]))
    outside = np.where(np.arange(radius) >= first[:, None], surface, 0.0).max(axis=1, initial=0.0)
    dip = middle / np.maximum(outside, 1e-6)
    return out[1], out[2] / np.maximum(out[0], 1e-6), np.minimum(dip, 10.0)
