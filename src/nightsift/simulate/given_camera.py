"""What a real frame says of its camera: gain, saturation, how much of its level is light."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.look.statistics import MAD_TO_SIGMA
from nightsift.simulate.sky import Image

# Share of the variance of blank sky that is taken for photon noise of the sky's light; the
# rest is read noise. Deep exposures are limited by the sky.
_SKY_SHARE = 0.8
# Without a gain in the header: the share of the level that is sky and not offset.
_LIGHT_SHARE = 0.3
# Pixels of usual cameras hold no more electrons than this.
_FULLEST_PIXEL_E = 150_000.0
# Where this share of the frame is darker than the rest by so much of the level, and by so many
# sigma, no light falls: dark columns, corners that a filter's frame covers.
_DARK_AREA, _DARK_SHARE, _DARK_SIGMA = 0.005, 0.15, 10.0
_GAIN_KEY = re.compile(r"(E|A)?GAIN(_?0?1)?$")
# The smooth vignetting lies between these; a fit to the frame leaves out what is apart from it.
_SMOOTH = (0.3, 1.5)
_FITS, _FIT_SIGMA = 5, 3.0
# Below the one share of the smooth light a pixel is in the shade of something; below the other
# share of the level it is so for certain.
_DARKER, _SHADE = 0.95, 0.6


class SkyLight(NamedTuple):
    """The sky of a frame as light.

    Attributes:
        gain_e_adu: electrons per ADU. gain_known: whether the header says so.
        sky_e: electrons per pixel, typical.
        lit: (H, W) share of the sky's light that each pixel gets, about 1, 0 in dark columns.
    """

    gain_e_adu: float
    gain_known: bool
    sky_e: float
    lit: Image


def sky_light(
    header: Mapping[str, Any], back_adu: Image, noise_adu: float, saturation_adu: float
) -> SkyLight:
    """How much of the level is light, from the noise and from what the camera leaves dark.

    The noise alone says too much where it is that of the read-out (short exposures): there is
    never more light than the level above the offset, if the header or dark columns tell it.

    Args:
        header: of the frame.
        back_adu: (H, W) smooth background.
        noise_adu: of blank sky.
        saturation_adu: the largest value a pixel can have.
    """
    level = float(np.median(back_adu))
    above = _above_offset(header, back_adu, noise_adu)
    gain = _gain(header)
    known = gain is not None
    if gain is None:
        seen = above if above is not None else _LIGHT_SHARE * max(level, noise_adu)
        gain = seen / (_SKY_SHARE * noise_adu**2)
        gain = float(np.clip(gain, 0.05, max(_FULLEST_PIXEL_E / saturation_adu, 0.05)))
    sky_adu = _SKY_SHARE * noise_adu**2 * gain
    # A level about zero says nothing: the sky was subtracted.
    if above is None and level > noise_adu:
        above = level
    if above is not None:
        sky_adu = min(sky_adu, max(above, 0.01 * noise_adu))
    return SkyLight(gain, known, sky_adu * gain, _lit(back_adu, level, max(sky_adu, noise_adu)))


def _lit(back_adu: Image, level: float, sky_adu: float) -> Image:
    """(H, W) share of the sky's light: a smooth vignetting, and what is much darker than that.

    What is brighter is a galaxy or the glare of a star and gets no more of the sky than others.
    """
    height, width = back_adu.shape
    v, u = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    terms = [
        np.broadcast_to(term, back_adu.shape) for term in (1 + 0 * v, u, v, u * u, u * v, v * v)
    ]
    step = max(1, min(height, width) // 64)
    some = np.stack([term[::step, ::step].ravel() for term in terms], axis=1)
    share = 1 + (back_adu - level) / sky_adu
    values = share[::step, ::step].ravel()
    # What is dark from the start must not bend the fit to the rest.
    kept = values > _SHADE
    for _ in range(_FITS):
        factors = np.linalg.lstsq(some[kept], values[kept], rcond=None)[0]
        apart = np.abs(values - some @ factors)
        kept = apart <= max(_FIT_SIGMA * MAD_TO_SIGMA * float(np.median(apart[kept])), 1e-6)
    smooth = np.clip(sum(f * term for f, term in zip(factors, terms, strict=True)), *_SMOOTH)
    # From the smooth share to the frame's own, over a fifth of the light.
    dark = np.clip((_DARKER - share / smooth) / 0.2, 0, 1)
    lit: Image = smooth * (1 - dark) + np.maximum(share, 0) * dark
    return lit


def _above_offset(header: Mapping[str, Any], back_adu: Image, noise_adu: float) -> float | None:
    """Level of the sky above the offset, ADU; None where nothing tells it."""
    level = float(np.median(back_adu))
    dark = float(np.quantile(back_adu[::4, ::4], _DARK_AREA))
    if level - dark > max(_DARK_SIGMA * noise_adu, _DARK_SHARE * abs(level)):
        return level - dark
    pedestal = header.get("PEDESTAL")
    # What is to be added to get the light: negative where the camera added to it.
    if isinstance(pedestal, int | float) and pedestal < 0 < level + pedestal:
        return float(level + pedestal)
    return None


def _gain(header: Mapping[str, Any]) -> float | None:
    """Electrons per ADU. N.I.N.A. and SharpCap keep a setting without unit in GAIN."""
    amateur = any(word in str(header.get("SWCREATE", "")) for word in ("N.I.N.A", "SharpCap"))
    named = sorted(key for key in header if _GAIN_KEY.fullmatch(str(key)) and key != "EGAIN")
    for key in ("EGAIN", *(() if amateur else named)):
        value = header.get(key)
        if isinstance(value, int | float) and 0.02 <= value <= 60:
            return float(value)
    return None


def saturation(pixels: npt.NDArray[Any], header: Mapping[str, Any]) -> float:
    """The largest value a pixel can have, ADU: of the header, or a converter's range."""
    value = header.get("SATURATE")
    top = float(pixels.max())
    if isinstance(value, int | float) and value >= top:
        return float(value)
    if pixels.dtype.kind == "f":
        return max(top, 60_000.0)
    # The converter's range is the next power of two above the brightest pixel, 12 bits or more.
    bits = max(12, int(np.ceil(np.log2(max(top, 2) + 1))))
    return float(min(2**bits - 1, np.iinfo(pixels.dtype).max))
