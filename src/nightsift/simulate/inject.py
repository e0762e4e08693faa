"""Defects put into a real frame: its sky and stars are told apart, changed, and put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sep
from scipy.ndimage import binary_dilation, label, zoom
from scipy.signal import oaconvolve

from nightsift.simulate.effect import Effect, Facts
from nightsift.simulate.sky import Image

# Share of the variance of blank sky that is taken for photon noise of the sky's light; the
# rest is read noise. Deep exposures are limited by the sky.
_SKY_SHARE = 0.8
# Without a gain in the header: the share of the level that is sky and not offset.
_LIGHT_SHARE = 0.3
_DETECT_SIGMA = 1.5
_DEEP_SIGMA = 4.0
_FALLBACK_FWHM_PX = 3.0
_CUTOUT_HALF_PX = 20
_SATURATED_PX = 5


class Parts(NamedTuple):
    """A real frame taken apart.

    Attributes:
        back_adu: (H, W) smooth background with the camera's offset.
        stars_adu: (H, W) light of the stars, with the noise of their pixels, 0 elsewhere.
        rest_adu: (H, W) noise, hot pixels and cosmic rays; the three sum to the frame.
        stellar: (H, W) 1 where `stars_adu` holds the frame's noise, else 0.
        facts: level, noise and FWHM, in electrons of `gain_e_adu`.
        gain_known: whether the gain is the header's; else it is a guess from the noise.
    """

    back_adu: Image
    stars_adu: Image
    rest_adu: Image
    stellar: Image
    facts: Facts
    gain_known: bool


def take_apart(
    pixels: npt.NDArray[Any], header: Mapping[str, Any], exposure_s: float | None
) -> Parts:
    """Tell sky, stars and the rest apart with `sep` (Bertin & Arnouts 1996).

    Args:
        pixels: (H, W) ADU as read.
        header: of the frame, for its gain and saturation level.
        exposure_s: of the frame; None counts as 60 s.
    """
    data = np.ascontiguousarray(pixels, dtype=np.float64)
    back = sep.Background(data, bw=64, bh=64)
    level = back.back()
    clean = data - level
    noise = max(float(back.globalrms), 1e-3 * max(1.0, float(np.abs(data).max())) * 1e-6, 1e-9)
    sep.set_extract_pixstack(max(300_000, data.size // 4))
    sources, segments = sep.extract(
        clean, _DETECT_SIGMA, err=back.rms() + 1e-12, minarea=4, segmentation_map=True
    )
    peaked = sources["peak"] > 0.75 * np.maximum(sources["flux"], 1e-12)
    sharp = np.concatenate([[True], peaked])  # segment 0 is the sky
    fwhm = measure_fwhm(clean, sources[~peaked], _flat_top(clean))
    stellar = binary_dilation(~sharp[segments], iterations=max(1, round(fwhm)))
    # What lies far below the sky is a fault of the camera and stays where it is.
    stars = np.where(stellar, np.maximum(clean, -_DEEP_SIGMA * noise), 0.0)
    gain, known = _gain(header, float(back.globalback), noise)
    noise_e = noise * gain
    facts = Facts(
        shape=(data.shape[0], data.shape[1]),
        fwhm_px=fwhm,
        sky_e=_SKY_SHARE * noise_e**2,
        noise_e=noise_e,
        exposure_s=exposure_s or 60.0,
        saturation_adu=_saturation(pixels, header),
        gain_e_adu=gain,
    )
    return Parts(level, stars, clean - stars, stellar.astype(float), facts, known)


def measure_fwhm(clean: Image, sources: npt.NDArray[Any], top: float) -> float:
    """Median width at half maximum of the brightest stars that are not saturated, px.

    The area above half of the maximum, on cut-outs interpolated to a fifth of a pixel, is that
    of a circle of this diameter; wings, which second moments are full of, do not count.

    Args:
        clean: (H, W) without sky.
        sources: of `sep.extract`.
        top: value of a saturated pixel, less the sky; infinite where none is.
    """
    height, width = clean.shape
    half = _CUTOUT_HALF_PX
    inside = (sources["x"] >= half) & (sources["x"] < width - half - 1)
    inside &= (sources["y"] >= half) & (sources["y"] < height - half - 1)
    usable = sources[inside & (sources["a"] < 2 * sources["b"]) & (sources["peak"] < 0.7 * top)]
    if usable.size < 3:
        return _FALLBACK_FWHM_PX
    widths = []
    for star in usable[np.argsort(usable["peak"])[-60:]]:
        x, y = round(star["x"]), round(star["y"])
        cut = zoom(clean[y - half : y + half + 1, x - half : x + half + 1], 5, order=3)
        core, _ = label(
            cut > cut[5 * half - 10 : 5 * half + 15, 5 * half - 10 : 5 * half + 15].max() / 2
        )
        middle = core[5 * half - 2 : 5 * half + 7, 5 * half - 2 : 5 * half + 7]
        area = np.sum(core == np.bincount(middle.ravel())[1:].argmax() + 1) if middle.any() else 0
        scale = (cut.shape[0] - 1) / (2 * half)
        widths.append(2 * np.sqrt(area / np.pi) / scale)
    return float(np.clip(np.median(widths), 1.0, half))


def _flat_top(clean: Image) -> float:
    """The value that saturated pixels have in common, if several are."""
    top = float(clean.max())
    return top if np.sum(clean > 0.995 * top) >= _SATURATED_PX else np.inf


def _gain(header: Mapping[str, Any], level: float, noise: float) -> tuple[float, bool]:
    """Electrons per ADU. N.I.N.A. and SharpCap keep a setting without unit in GAIN."""
    amateur = any(word in str(header.get("SWCREATE", "")) for word in ("N.I.N.A", "SharpCap"))
    for key in ("EGAIN", "GAIN")[: 1 if amateur else 2]:
        value = header.get(key)
        if isinstance(value, int | float) and 0.02 <= value <= 60:
            return float(value), True
    return float(np.clip(_LIGHT_SHARE * max(level, noise) / noise**2, 0.05, 60.0)), False


def _saturation(pixels: npt.NDArray[Any], header: Mapping[str, Any]) -> float:
    value = header.get("SATURATE")
    top = float(pixels.max())
    if isinstance(value, int | float) and value >= top:
        return float(value)
    if pixels.dtype.kind == "f":
        return max(top, 60_000.0)
    # The converter's range is the next power of two above the brightest pixel, 12 bits or more.
    bits = max(12, int(np.ceil(np.log2(max(top, 2) + 1))))
    return float(min(2**bits - 1, np.iinfo(pixels.dtype).max))


def inject(
    pixels: npt.NDArray[Any], parts: Parts, effect: Effect, rng: np.random.Generator
) -> npt.NDArray[Any]:
    """The frame with an effect, in its own data type; no effect gives the same pixels.

    Light that is lost takes its noise along and light that is added brings its own, so that
    blank sky keeps the noise that a camera would have there.

    Args:
        pixels: (H, W) ADU as read.
        parts: the same frame taken apart.
        effect: what to do to it.
        rng: draws the noise.
    """
    facts = parts.facts
    gain, base = facts.gain_e_adu, facts.noise_e**2
    stars, variance = _changed_stars(parts, effect)
    sky = (facts.sky_e * effect.sky_factor + effect.light_e) * effect.shade
    # What the pixels between the stars keep of their noise where less light falls on them.
    needed = np.maximum((1 - _SKY_SHARE) * base + sky, 1e-9)
    keep = np.sqrt(np.minimum(needed / base, 1))
    variance = variance + base * (1 - parts.stellar) * keep**2
    missing = needed + np.maximum(stars, 0) * gain - variance
    missing[missing < 1e-6 * base] = 0
    out = parts.back_adu + parts.rest_adu * keep + stars + (sky - facts.sky_e) / gain
    out += np.sqrt(missing) / gain * rng.standard_normal(facts.shape)
    if effect.readout is not None:
        out = effect.readout(out, rng)
    return _as_read(out, pixels, facts.saturation_adu)


def _changed_stars(parts: Parts, effect: Effect) -> tuple[Image, Image]:
    """Starlight after the effect in ADU, and the variance that its pixels carry, electrons^2."""
    facts = parts.facts
    stars, stellar = parts.stars_adu, parts.stellar
    if effect.shift_px != (0.0, 0.0):
        stars, stellar = (_shifted(part, effect.shift_px) for part in (stars, stellar))
    variance = facts.noise_e**2 * stellar + np.maximum(stars, 0) * facts.gain_e_adu
    if effect.kernel is not None:
        stars = oaconvolve(stars, effect.kernel, mode="same")
        variance = np.maximum(oaconvolve(variance, effect.kernel**2, mode="same"), 0)
    factor = effect.transmission * effect.shade
    return stars * factor, variance * factor**2


def _shifted(image: Image, shift_px: tuple[float, float]) -> Image:
    """Moved by whole px; what comes in over the edge is the mirror image of what left."""
    height, width = image.shape
    dx, dy = round(shift_px[0]), round(shift_px[1])
    rows = _mirrored(np.arange(height) - dy, height)
    columns = _mirrored(np.arange(width) - dx, width)
    return image[np.ix_(rows, columns)]


def _mirrored(index: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int64]:
    folded = np.mod(index, 2 * n)
    return np.where(folded < n, folded, 2 * n - 1 - folded)


def _as_read(out: Image, pixels: npt.NDArray[Any], saturation_adu: float) -> npt.NDArray[Any]:
    if pixels.dtype.kind == "f":
        return np.minimum(out, saturation_adu).astype(pixels.dtype)
    low = float(np.iinfo(pixels.dtype).min)
    return np.clip(np.rint(out), low, saturation_adu).astype(pixels.dtype)
