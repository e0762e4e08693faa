"""Defects put into a real frame: its sky and stars are told apart, changed, and put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sep
from scipy.ndimage import binary_dilation, find_objects, label, median_filter, uniform_filter
from scipy.signal import oaconvolve

from nightsift.simulate.effect import Effect, Facts
from nightsift.simulate.given_camera import saturation, sky_light
from nightsift.simulate.sky import Image
from nightsift.simulate.star_width import star_width

_DETECT_SIGMA = 1.5
_DEEP_SIGMA = 4.0
# Narrower than stars by this much, in both directions or in one: hot pixels, hits of cosmic
# rays, columns.
_SHARP_WIDTH, _SHARP_AXIS = 0.6, 0.5
_FWHM_OF_SIGMA = 2.355
# Side in FWHM of blocks whose medians show what is wider than stars, and how many of them are
# compared; stars cover less than half. Fainter structures than so many sigma are left.
_BLOCK_FWHM, _BLOCKS, _WIDE_SIGMA = 3.0, 3, 0.5
# The edge of a filter is at least as long as this share of the frame's shorter side.
_LONG = 0.6
# Dark or bright rows and columns: a median over some hundred pixels differs so much by no chance.
_ROW_SIGMA = 1.0
# What stands out of the noise by so many sigma stays on its pixel when the stars move.
_HOT_SIGMA = 5.0
# With less of the sky's light than this nothing is seen of the stars either.
_DARK = 0.1


class Parts(NamedTuple):
    """A real frame taken apart.

    Attributes:
        back_adu: (H, W) background with the camera's offset, the edges of filters and the like.
        stars_adu: (H, W) light of the stars, with the noise of their pixels, 0 elsewhere.
        rest_adu: (H, W) noise, hot pixels and cosmic rays; the three sum to the frame.
        stellar: (H, W) 1 where `stars_adu` holds the frame's noise, else 0.
        lit: (H, W) share of the sky's light that each pixel gets: less in vignetted corners,
            none in dark columns.
        facts: level, noise and FWHM, in electrons of `gain_e_adu`.
        gain_known: whether the gain is the header's; else it is a guess from the noise.
    """

    back_adu: Image
    stars_adu: Image
    rest_adu: Image
    stellar: Image
    lit: Image
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
    width = star_width(pixels)
    sky = sep.Background(data, bw=64, bh=64, fw=5, fh=5)
    # The scatter of the sky holds unresolved stars too, the noise of single pixels does not.
    noise = min(width.noise_adu, float(sky.globalrms))
    noise = max(noise, 1e-9 * max(1.0, float(np.abs(data).max())))
    back = np.asarray(sky.back(), dtype=np.float64)
    back = back + _wide_structures(data - back, width.fwhm_px, noise)
    back = back + _rows_and_columns(data - back, noise)
    clean = data - back
    stellar = _stellar(clean, sky.rms() + 1e-12, width.fwhm_px)
    # What lies far below the sky is a fault of the camera and stays where it is.
    stars = np.where(stellar, np.maximum(clean, -_DEEP_SIGMA * noise), 0.0)
    top = saturation(pixels, header)
    light = sky_light(header, back, noise, top)
    facts = Facts(
        shape=(data.shape[0], data.shape[1]),
        fwhm_px=width.fwhm_px,
        sky_e=light.sky_e,
        noise_e=noise * light.gain_e_adu,
        exposure_s=exposure_s or 60.0,
        saturation_adu=top,
        gain_e_adu=light.gain_e_adu,
        clear_stars=width.clear_stars,
    )
    return Parts(
        back, stars, clean - stars, stellar.astype(float), light.lit, facts, light.gain_known
    )


def _wide_structures(clean: Image, fwhm_px: float, noise_adu: float) -> Image:
    """(H, W) what a smooth background does not follow and stars are too small for.

    The edge of a filter or of an amplifier, a vignetted corner, a dark column: they stand still
    when the stars move and are not dimmed by a cloud.
    """
    height, width = clean.shape
    side = max(8, int(np.ceil(_BLOCK_FWHM * fwhm_px)))
    padded = np.pad(clean, ((0, -height % side), (0, -width % side)), mode="reflect")
    rows, columns = padded.shape[0] // side, padded.shape[1] // side
    blocks = np.median(padded.reshape(rows, side, columns, side), axis=(1, 3))
    blocks = median_filter(blocks, _BLOCKS)
    blocks[np.abs(blocks) < _WIDE_SIGMA * noise_adu] = 0
    # What is bright and not long is the glow of a star or a group of stars.
    bright, _ = label(blocks > 0)
    for number, place in enumerate(find_objects(bright), start=1):
        if max(axis.stop - axis.start for axis in place) < _LONG * min(rows, columns):
            blocks[place][bright[place] == number] = 0
    fine = blocks.repeat(side, axis=0).repeat(side, axis=1)
    smooth: Image = uniform_filter(fine, side)
    return smooth[:height, :width]


def _rows_and_columns(clean: Image, noise_adu: float) -> Image:
    """(H, W) what whole rows and columns have in common, where it is more than noise."""
    out = np.zeros_like(clean)
    for axis in (0, 1):
        middle = np.median(clean, axis=axis, keepdims=True)
        out += np.where(np.abs(middle) > _ROW_SIGMA * noise_adu, middle, 0.0)
    return out


def _stellar(clean: Image, rms: Image, fwhm_px: float) -> npt.NDArray[np.bool_]:
    """(H, W) where stars are; what is sharper than stars in one direction at least is none."""
    sep.set_extract_pixstack(max(300_000, clean.size // 4))
    sources, segments = sep.extract(clean, _DETECT_SIGMA, err=rms, minarea=4, segmentation_map=True)
    flux, peak = np.maximum(sources["flux"], 1e-12), np.maximum(sources["peak"], 1e-12)
    narrow = np.sqrt(flux / (1.133 * peak)) < _SHARP_WIDTH * fwhm_px
    thin = (sources["b"] * _FWHM_OF_SIGMA < _SHARP_AXIS * fwhm_px) & (
        sources["a"] > 3 * sources["b"]
    )
    sharp = np.concatenate([[True], narrow | thin])  # segment 0 is the sky
    near: npt.NDArray[np.bool_] = binary_dilation(
        ~sharp[segments], iterations=max(1, round(fwhm_px))
    )
    return near


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
    gain, given = facts.gain_e_adu, facts.sky_e * parts.lit
    read = max(facts.noise_e**2 - facts.sky_e, 0.0)
    base = np.maximum(read + given, 1e-9)
    stars, variance, taken = _changed_stars(parts, effect, base)
    sky = (given * effect.sky_factor + effect.light_e * parts.lit) * effect.shade
    # What the pixels between the stars keep of their noise where less light falls on them.
    needed = np.maximum(read + sky, 1e-9)
    keep = np.sqrt(np.minimum(needed / base, 1))
    # A star that moves brings the noise of its own pixels: there must not be both.
    quiet = (taken > parts.stellar) & (np.abs(parts.rest_adu) * gain < _HOT_SIGMA * facts.noise_e)
    keep = np.where(quiet, 0.0, keep)
    variance = variance + base * (1 - parts.stellar) * keep**2
    missing = needed + np.maximum(stars, 0) * gain - variance
    if pixels.dtype.kind != "f":  # whole numbers bring the noise of rounding
        missing -= gain**2 / 12 * (missing > 1e-6 * base)
    missing[missing < 1e-6 * base] = 0
    out: npt.NDArray[Any] = parts.back_adu + parts.rest_adu * keep + stars + (sky - given) / gain
    out += np.sqrt(missing) / gain * rng.standard_normal(facts.shape)
    if effect.readout is not None:
        out = effect.readout(out, rng)
    return _as_read(out, pixels, facts.saturation_adu)


def _changed_stars(parts: Parts, effect: Effect, base: Image) -> tuple[Image, Image, Image]:
    """Starlight after the effect, ADU, the variance that it carries, electrons^2, and its place."""
    facts = parts.facts
    stars, stellar = parts.stars_adu, parts.stellar
    if effect.shift_px != (0.0, 0.0):
        came_from = _shifted(parts.lit, effect.shift_px)
        stars, stellar = (_shifted(part, effect.shift_px) for part in (stars, stellar))
        # Dark columns stay dark, and bring no light back into the field.
        seen = (parts.lit > _DARK) & (came_from > _DARK)
        stars, stellar = stars * seen, stellar * seen
    variance = base * stellar + np.maximum(stars, 0) * facts.gain_e_adu
    if effect.kernel is not None:
        stars = oaconvolve(stars, effect.kernel, mode="same")
        variance = np.maximum(oaconvolve(variance, effect.kernel**2, mode="same"), 0)
    factor = effect.transmission * effect.shade
    return stars * factor, variance * factor**2, stellar


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
