"""Profiles of stars, and what an exposure does to them: a sum of stamps, and kernels."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.signal import oaconvolve
from scipy.special import erf, j0

from nightsift.simulate.sky import Image, Light

# Stamps of one size are drawn together, as many as fit this many pixels.
_CHUNK_PX = 2_000_000
# Radii of a tabulated profile, in FWHM.
_TABLE_STEP, _TABLE_END = 0.001, 60.0
_HALVES_PX = np.array([4, 6, 8, 11, 15, 20, 28, 40, 60, 90, 140, 200])


class Psf(NamedTuple):
    """The profile of a point source and how it changes over the field.

    Attributes:
        fwhm_px: at the centre of the frame.
        kind: `moffat` or `kolmogorov`.
        beta: of the Moffat profile.
        ellipticity: (e1, e2) everywhere, each in -0.5..0.5; wind and guiding.
        tilt: (x, y) fractional change of the FWHM from edge to edge.
        coma: share of the light in a tail that points away from the centre, at the corner.
    """

    fwhm_px: float
    kind: str = "moffat"
    beta: float = 3.0
    ellipticity: tuple[float, float] = (0.0, 0.0)
    tilt: tuple[float, float] = (0.0, 0.0)
    coma: float = 0.0


@cache
def _kolmogorov() -> Image:
    """Light per FWHM squared at the middle of each step of radius, of unit volume.

    Long-exposure turbulence: the transform of exp(-k^(5/3)) (Fried 1966).
    """
    k = np.linspace(0, 12, 6001)[1:]
    weight = np.exp(-(k ** (5 / 3))) * k * (k[1] - k[0])
    r = np.linspace(0, 8, 801)
    light = np.array([float(np.sum(weight * j0(k * x))) for x in r])
    half = float(np.interp(-light[0] / 2, -light[:400], r[:400]))
    radius = (np.arange(0, _TABLE_END, _TABLE_STEP) + _TABLE_STEP / 2) * 2 * half
    # Beyond the radii computed the profile falls as r^(-11/3).
    tail = light[-1] * (r[-1] / radius) ** (11 / 3)
    table = np.where(radius < r[-1], np.interp(radius, r, light), tail)
    volume = np.sum(2 * np.pi * radius * table) * _TABLE_STEP * 2 * half
    unit: Image = table * (2 * half) ** 2 / volume
    return unit


def profile(r2: Image, fwhm: Image | float, kind: str, beta: float) -> Image:
    """Light per square pixel of a star of unit flux at squared radius `r2`, px^2.

    Moffat (1969) of exponent `beta`, or the turbulent profile.
    """
    if kind == "kolmogorov":
        table = _kolmogorov()
        index = (np.sqrt(r2) / (fwhm * _TABLE_STEP)).astype(np.int32)
        turbulent: Image = table.take(index, mode="clip") / fwhm**2
        return turbulent
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    moffat: Image = (beta - 1) / (np.pi * alpha2) * _power(1 + r2 / alpha2, beta)
    return moffat


def _power(base: Image, beta: float) -> Image:
    """`base ** -beta`; several times faster where twice beta is a whole number."""
    if 2 * beta % 1:
        slow: Image = base**-beta
        return slow
    inverse = 1 / base
    out = np.sqrt(inverse) if beta % 1 else np.ones_like(inverse)
    for _ in range(int(beta)):
        out *= inverse
    return out


def stamp_half_px(flux: Image, fwhm_px: float, threshold: float, psf: Psf) -> Image:
    """(N,) half widths beyond which a star stays below `threshold` per pixel."""
    halves = _HALVES_PX[1.5 * fwhm_px <= _HALVES_PX]
    edge = profile(halves.astype(float) ** 2, fwhm_px, psf.kind, psf.beta)
    # The profile falls outwards: the first half width at which a star is faint enough.
    index = np.searchsorted(-edge, -threshold / np.maximum(flux, 1e-12))
    chosen: Image = halves[np.minimum(index, halves.size - 1)]
    return chosen


def render_stars(
    shape: tuple[int, int], x: Image, y: Image, flux: Image, psf: Psf, *, threshold: float, pad: int
) -> Light:
    """The light of all stars, (H + 2 pad, W + 2 pad), in the unit of `flux`.

    Args:
        shape: (H, W) of the frame.
        x: (N,) px; 0 is the centre of the frame's first pixel.
        y: likewise.
        flux: (N,) of each star.
        psf: its profile.
        threshold: light per pixel below which the wings of a star are cut off.
        pad: px around the frame, for a later convolution.
    """
    height, width = shape[0] + 2 * pad, shape[1] + 2 * pad
    u, v = x / shape[1] - 0.5, y / shape[0] - 0.5
    fwhm = psf.fwhm_px * np.clip(1 + psf.tilt[0] * u + psf.tilt[1] * v, 0.5, 2)
    half = stamp_half_px(flux, psf.fwhm_px, threshold, psf)
    canvas = np.zeros((height, width), dtype=np.float32)
    near = (x + pad > -half) & (x + pad < width + half) & (y + pad > -half)
    near &= (y + pad < height + half) & (flux > 0)
    for size in np.unique(half[near]):
        chosen = np.flatnonzero(near & (half == size))
        for part in np.array_split(chosen, int(chosen.size * (2 * size + 1) ** 2 / _CHUNK_PX) + 1):
            stars = _Stars(x[part] + pad, y[part] + pad, flux[part], fwhm[part], u[part], v[part])
            _add_stamps(canvas, stars, int(size), psf)
    return canvas


class _Stars(NamedTuple):
    """(N,) each; u and v are the place in the frame, -0.5 to 0.5."""

    x: Image
    y: Image
    flux: Image
    fwhm: Image
    u: Image
    v: Image


def _add_stamps(canvas: Light, stars: _Stars, half: int, psf: Psf) -> None:
    ix, iy = np.rint(stars.x).astype(np.int64), np.rint(stars.y).astype(np.int64)
    offsets = np.arange(-half, half + 1)
    dx = (offsets[None, :] + (ix - stars.x)[:, None])[:, None, :]
    dy = (offsets[None, :] + (iy - stars.y)[:, None])[:, :, None]
    stamps = _light(dx, dy, stars.fwhm[:, None, None], psf)
    if psf.coma:
        # A tail: part of the light, wider, displaced outwards with the square of the radius.
        r2 = 2 * (stars.u**2 + stars.v**2)
        share = (psf.coma * r2)[:, None, None]
        out = (stars.fwhm * np.sqrt(2 * r2))[:, None, None]
        angle = np.arctan2(stars.v, stars.u)[:, None, None]
        tail = _light(
            dx - out * np.cos(angle), dy - out * np.sin(angle), 1.5 * stars.fwhm[:, None, None], psf
        )
        stamps = (1 - share) * stamps + share * tail
    stamps *= stars.flux[:, None, None]
    _add_at(canvas, iy[:, None] + offsets, ix[:, None] + offsets, stamps)


def _light(dx: Image, dy: Image, fwhm: Image, psf: Psf) -> Image:
    """Integral over each pixel by midpoints, more of them the narrower the star."""
    e1, e2 = psf.ellipticity
    steps = int(np.clip(np.ceil(4 / float(fwhm.min())), 1, 5))
    places = (np.arange(steps) + 0.5) / steps - 0.5
    total: Image | float = 0.0
    for sy in places:
        for sx in places:
            px, py = dx + sx, dy + sy
            r2 = (1 - e1) * px**2 - 2 * e2 * px * py + (1 + e1) * py**2
            total = total + profile(r2, fwhm, psf.kind, psf.beta)
    light: Image = total / steps**2 * np.sqrt(1 - e1**2 - e2**2)
    return light


def _add_at(
    canvas: Light, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], stamps: Image
) -> None:
    height, width = canvas.shape
    inside = ((rows >= 0) & (rows < height))[:, :, None]
    inside = inside & ((columns >= 0) & (columns < width))[:, None, :]
    index = (rows * width)[:, :, None] + columns[:, None, :]
    np.add.at(canvas.ravel(), index[inside], stamps[inside].astype(np.float32))


def line_kernel(dx_px: Image, dy_px: Image) -> Image:
    """A path of equal dwell times as a kernel of unit sum.

    Each place is spread over 3 x 3 px with Lagrange's weights, which keep its position and add
    no width of their own, as linear weights would.

    Args:
        dx_px: (T,) places of the star during the exposure against their mean.
        dy_px: likewise.
    """
    half = int(np.ceil(max(np.abs(dx_px).max(), np.abs(dy_px).max()))) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    ix, iy = np.rint(dx_px).astype(int), np.rint(dy_px).astype(int)
    for dy, wy in _lagrange(dy_px - iy):
        for dx, wx in _lagrange(dx_px - ix):
            np.add.at(kernel, (iy + half + dy, ix + half + dx), wx * wy)
    unit: Image = kernel / kernel.sum()
    return unit


def _lagrange(f: Image) -> list[tuple[int, Image]]:
    return [(-1, f * (f - 1) / 2), (0, 1 - f**2), (1, f * (f + 1) / 2)]


def disc_kernel(diameter_px: float, inner: float) -> Image:
    """A disc of unit sum with a hole of `inner` times its diameter, soft at the edges."""
    half = int(diameter_px / 2) + 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    r = np.hypot(x, y)
    # A disc below a pixel is a point.
    kernel = np.clip(diameter_px / 2 - r + 0.5, 0, 1)
    kernel[half, half] = max(kernel[half, half], 1e-6)
    if inner * diameter_px > 1:
        kernel *= np.clip(r - inner * diameter_px / 2 + 0.5, 0, 1)
    unit: Image = kernel / kernel.sum()
    return unit


def gaussian_kernel(sigma_px: float) -> Image:
    """A Gaussian of unit sum, cut off at four sigma; each pixel holds its integral."""
    half = max(1, int(np.ceil(4 * sigma_px)))
    edges = erf((np.arange(-half, half + 2) - 0.5) / (np.sqrt(2) * sigma_px))
    line = np.diff(edges)
    kernel = np.outer(line, line)
    unit: Image = kernel / kernel.sum()
    return unit


def convolve(image: Image | Light, kernel: Image) -> Light:
    """Convolution with a centred kernel, zero beyond the edges, never negative."""
    out = oaconvolve(np.asarray(image, dtype=np.float64), kernel, mode="same")
    return np.maximum(out, 0.0, out=out).astype(np.float32)
