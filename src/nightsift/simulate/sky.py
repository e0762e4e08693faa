"""A telescope, its star field, and the electrons that fall on the camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float64]
MOFFAT_BETA = 3
# The full well in ADU of a 16-bit converter.
SATURATION_ADU = 65535


@dataclass(frozen=True, kw_only=True)
class Telescope:
    """A telescope with its camera.

    Attributes:
        name: for the header.
        fwhm_px: typical width of a star.
        gain: electrons per ADU.
        read_noise_e: electrons, RMS.
        bias_adu: offset.
        sky_e: sky at the zenith of a dark night, electrons per pixel and exposure.
        exposure_s: seconds.
        cadence_s: from start to start, seconds.
        stars: how many per 100 x 100 px are bright enough to matter.
        vignetting: loss of light in the corners, 0-1.
    """

    name: str
    fwhm_px: float
    gain: float
    read_noise_e: float
    bias_adu: float
    sky_e: float
    exposure_s: float
    cadence_s: float
    stars: float
    vignetting: float


@dataclass(frozen=True)
class StarField:
    """Stars of a night: (N,) positions in px, which may lie outside the frame, and electrons."""

    x: Image
    y: Image
    flux_e: Image


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that one exposure shows; defects change it before it is rendered.

    Attributes:
        field: the stars.
        airmass: at the exposure; its extinction is already in the stars' electrons.
        shift_px: (dx, dy) of the field against the night's first frame.
        flipped: whether the field is turned by 180 degrees.
        fwhm_px: seeing.
        kernel: convolved with every star on top of the seeing; None for none.
        transmission: of the whole sky (a number) or of each pixel, 0-1.
        sky_e: sky level, electrons.
        gradient: fractional change of the sky from edge to edge, (x, y).
        light_e: further light on the camera, electrons per pixel, not attenuated.
        shade: (H, W) or 1, fraction of all light that reaches the camera.
    """

    field: StarField
    airmass: float = 1.0
    shift_px: tuple[float, float] = (0.0, 0.0)
    flipped: bool = False
    fwhm_px: float = 3.0
    kernel: Image | None = None
    transmission: Image | float = 1.0
    sky_e: float = 500.0
    gradient: tuple[float, float] = (0.0, 0.0)
    light_e: Image | float = 0.0
    shade: Image | float = 1.0

    def changed(self, **changes: object) -> Scene:
        """A copy with some attributes replaced."""
        return replace(self, **changes)  # type: ignore[arg-type]


def draw_telescope(rng: np.random.Generator) -> Telescope:
    """A plausible small telescope."""
    exposure = float(rng.choice([20, 30, 60, 90, 120]))
    return Telescope(
        name=f"T{rng.integers(15, 100)}",
        fwhm_px=float(rng.uniform(2.2, 4.2)),
        gain=float(rng.uniform(0.8, 2.2)),
        read_noise_e=float(rng.uniform(4, 14)),
        bias_adu=float(rng.uniform(100, 1200)),
        sky_e=float(np.exp(rng.uniform(np.log(150), np.log(3000)))),
        exposure_s=exposure,
        cadence_s=exposure + float(rng.uniform(3, 40)),
        stars=float(np.exp(rng.uniform(np.log(14), np.log(45)))),
        vignetting=float(rng.uniform(0.0, 0.3)),
    )


def draw_field(rng: np.random.Generator, telescope: Telescope, shape: tuple[int, int]) -> StarField:
    """Stars over three times the width of the frame, so that a drifting field brings new ones.

    Counts grow as 10^(0.3 m), between Euclidean counts and the flat counts of the disc; the
    first star is the target and lies near the centre.
    """
    height, width = shape
    n = max(12, int(telescope.stars * 9 * height * width / 1e4))
    x = rng.uniform(-width, 2 * width, n)
    y = rng.uniform(-height, 2 * height, n)
    magnitude = np.log10(rng.uniform(1e-3, 1.0, n)) / 0.3  # 0 is the faintest, -10 the brightest
    noise = np.sqrt(telescope.sky_e + telescope.read_noise_e**2)
    faintest = 3.0 * noise * telescope.fwhm_px
    flux = faintest * 10 ** (-0.4 * magnitude)
    x[0], y[0] = width * rng.uniform(0.4, 0.6), height * rng.uniform(0.4, 0.6)
    flux[0] = faintest * 60
    return StarField(x, y, flux)


def moffat(dx: Image, dy: Image, fwhm_px: float) -> Image:
    """Moffat profile of unit volume (Moffat 1969), beta = 3."""
    alpha2 = (fwhm_px / 2) ** 2 / (2 ** (1 / MOFFAT_BETA) - 1)
    norm = (MOFFAT_BETA - 1) / (np.pi * alpha2)
    core = 1 + (dx**2 + dy**2) / alpha2
    profile: Image = norm / (core * core * core)  # many times faster than a power
    return profile


def render_stars(scene: Scene, shape: tuple[int, int]) -> Image:
    """Electrons of all stars on (H, W) pixels before clouds; each stamp is as wide as it shows."""
    height, width = shape
    x, y = scene.field.x, scene.field.y
    if scene.flipped:
        x, y = width - 1 - x, height - 1 - y
    x, y = x + scene.shift_px[0], y + scene.shift_px[1]
    halves = stamp_half_px(scene.field.flux_e, scene.fwhm_px, np.sqrt(scene.sky_e))
    spread = max(scene.kernel.shape) // 2 if scene.kernel is not None else 0
    # Stars beyond the edge count for as far as their own light reaches.
    over = halves + spread
    inside = (x > -over) & (x < width + over) & (y > -over) & (y < height + over)
    pad = int(2 * halves.max(initial=0) + spread + 1)
    padded = np.zeros((height + 2 * pad, width + 2 * pad))
    for cx, cy, flux, half in zip(
        x[inside] + pad, y[inside] + pad, scene.field.flux_e[inside], halves[inside], strict=True
    ):
        ix, iy = round(cx), round(cy)
        offsets = np.arange(-half, half + 1)
        stamp = moffat((offsets + ix - cx)[None, :], (offsets + iy - cy)[:, None], scene.fwhm_px)
        padded[iy - half : iy + half + 1, ix - half : ix + half + 1] += flux * stamp
    if scene.kernel is not None:
        padded = convolve(padded, scene.kernel)
    return padded[pad : pad + height, pad : pad + width]


def stamp_half_px(flux_e: Image, fwhm_px: float, noise_e: float) -> npt.NDArray[np.int64]:
    """(N,) half widths beyond which a star stays below 2 % of the noise, 3 to 12 FWHM."""
    peak = flux_e * moffat(np.zeros(1), np.zeros(1), fwhm_px)
    alpha = fwhm_px / 2 / np.sqrt(2 ** (1 / MOFFAT_BETA) - 1)
    excess = np.maximum(1.0, peak / (0.02 * max(1.0, noise_e))) ** (1 / MOFFAT_BETA)
    radius = np.clip(alpha * np.sqrt(excess - 1), 3 * fwhm_px, 12 * fwhm_px)
    half: npt.NDArray[np.int64] = np.ceil(radius).astype(np.int64)
    return half


def convolve(image: Image, kernel: Image) -> Image:
    """Convolution with a centred kernel by FFT, zero beyond the edges."""
    from scipy.signal import fftconvolve

    out: Image = fftconvolve(image, kernel, mode="same")
    return np.maximum(out, 0.0)


def expose(
    scene: Scene, telescope: Telescope, shape: tuple[int, int], rng: np.random.Generator
) -> npt.NDArray[np.uint16]:
    """Render a scene as raw ADU with photon noise, read noise, bias, gain and saturation."""
    height, width = shape
    y, x = np.mgrid[:height, :width]
    u, v = x / width - 0.5, y / height - 0.5
    flat = 1 - telescope.vignetting * 2 * (u**2 + v**2)
    sky = scene.sky_e * (1 + scene.gradient[0] * u + scene.gradient[1] * v)
    light = render_stars(scene, shape) * scene.transmission + sky + scene.light_e
    electrons = rng.poisson(np.clip(light * flat * scene.shade, 0, 1e7)).astype(np.float64)
    electrons += rng.normal(0, telescope.read_noise_e, shape)
    adu = electrons / telescope.gain + telescope.bias_adu
    pixels: npt.NDArray[np.uint16] = np.clip(np.rint(adu), 0, SATURATION_ADU).astype(np.uint16)
    return pixels


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> Image:
    """A Gaussian random field of unit variance with structure of about `scale_px`."""
    from scipy.ndimage import zoom

    height, width = shape
    coarse = rng.normal(size=(int(height / scale_px) + 4, int(width / scale_px) + 4))
    fine: Image = zoom(coarse, scale_px, order=3)[:height, :width]
    return fine / max(1e-9, float(fine.std()))
