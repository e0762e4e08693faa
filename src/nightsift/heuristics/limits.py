"""Absolute limits that an observer sets: what is beyond one is bad, whatever else is known."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.fits.scale import pixel_scale_of

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]

# Fewer stars have no shape that could be held against a frame; as the rules have it.
_MIN_SHAPES = 3
_OF_STARS = ("fwhm_px", "elongation")


class UnknownScale(NightsiftError):
    """A limit in arcseconds, and not one frame that tells how large its pixels are."""


class _Limit(NamedTuple):
    """What a limit is about.

    Attributes:
        reason: of a frame beyond it.
        feature: column of the feature table.
        text: `value` and `limit` are filled in.
        high: the largest limit that makes sense.
        low: the least one; 0 is below it.
        said: range in words.
        least: whether frames below it are bad, not those above.
    """

    reason: str
    feature: str
    text: str
    high: float = math.inf
    low: float = math.ulp(0.0)
    said: str = "a number above 0"
    least: bool = False


_LIMITS = {
    "fwhm_px": _Limit(
        "defocus", "fwhm_px", "FWHM {value:.3g} px is above the limit of {limit:g} px"
    ),
    "fwhm_arcsec": _Limit(
        "defocus", "fwhm_px", "FWHM {value:.3g} arcsec is above the limit of {limit:g} arcsec"
    ),
    "elongation": _Limit(
        "trailing",
        "elongation",
        "stars {value:.3g} times as long as wide are above the limit of {limit:g}",
        low=1.0,
        said="a number from 1 (round stars) on",
    ),
    "transparency": _Limit(
        "cloud",
        "transparency",
        "star fluxes at {value:.3g} of the night's clearest are below the limit of {limit:g}",
        high=1.0,
        said="a share above 0 and up to 1",
        least=True,
    ),
    "background": _Limit(
        "bright_sky",
        "background_adu",
        "background {value:.0f} adu is above the limit of {limit:g} adu",
    ),
}
_SCALE_RANGE = _Limit("", "", "")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on what is measured of a frame; None where there is none.

    Attributes:
        fwhm_px: largest FWHM of the stars, px.
        fwhm_arcsec: largest FWHM of the stars, arcsec.
        pixel_scale_arcsec: arcsec per pixel, for `fwhm_arcsec`; None for what the headers say.
        elongation: largest ratio of the stars' axes, at least 1.
        transparency: least share of the starlight of the night's clearest frames, 0-1.
        background: largest level of the sky, adu.

    Raises:
        NightsiftError: a value is out of its range.
    """

    fwhm_px: float | None = None
    fwhm_arcsec: float | None = None
    pixel_scale_arcsec: float | None = None
    elongation: float | None = None
    transparency: float | None = None
    background: float | None = None

    def __post_init__(self) -> None:
        for key, value in self.given.items():
            allowed = _LIMITS.get(key, _SCALE_RANGE)
            number = isinstance(value, int | float) and math.isfinite(value)
            if not number or not allowed.low <= value <= allowed.high:
                raise NightsiftError(f"limits.{key}={value}: expected {allowed.said}")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Limits:
        """The limits that some keys name.

        Raises:
            NightsiftError: there is no such limit, or a value is out of its range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise NightsiftError(
                f"limits: none is called {', '.join(unknown)}; there are {', '.join(known)}"
            )
        return cls(**values)

    @property
    def given(self) -> dict[str, float]:
        """Key and value of those that are set."""
        values = dataclasses.asdict(self)
        return {key: value for key, value in values.items() if value is not None}

    @property
    def set_keys(self) -> list[str]:
        """Keys of those that a frame can be beyond."""
        return [key for key in self.given if key in _LIMITS]

    def describe(self) -> str:
        """In a few words; "" where none is set."""
        return ", ".join(f"{key} {value:g}" for key, value in self.given.items())

    def judge(self, features: pd.DataFrame, scales: Floats | None = None) -> pd.DataFrame:
        """What is beyond a limit: `excess`, `reason` and `explanation` of each row.

        Args:
            features: rows from `nightsift.heuristics.table.feature_table`.
            scales: (N,) arcsec per pixel of each frame, NaN where unknown; for `fwhm_arcsec`
                without `pixel_scale_arcsec`.

        Returns:
            Rows of the same index. `excess` is the largest ratio of a value to its limit, above
            1; NaN, with empty texts, where nothing is beyond a limit or could be measured. The
            reason is that of the largest excess, the explanation tells of all.

        Raises:
            NightsiftError: something that a limit is set on is not in the table.
        """
        excess = np.full(len(features), np.nan)
        reasons, texts = ([""] * len(features) for _ in range(2))
        for key in self.set_keys:
            limit, spec = self.given[key], _LIMITS[key]
            value = self._values(key, features, scales)
            ratio = limit / np.maximum(value, 1e-6) if spec.least else value / limit
            for i in np.flatnonzero(ratio > 1).tolist():
                said = spec.text.format(value=value[i], limit=limit)
                texts[i] = f"{texts[i]}; {said}" if texts[i] else said
                if not ratio[i] <= excess[i]:
                    excess[i], reasons[i] = ratio[i], spec.reason
        full = [f"{r}: {t} that was set" if t else "" for r, t in zip(reasons, texts, strict=True)]
        columns = {"excess": excess, "reason": reasons, "explanation": full}
        return pd.DataFrame(columns, index=features.index)

    def _values(self, key: str, features: pd.DataFrame, scales: Floats | None) -> Floats:
        """(N,) what is held against a limit; NaN where it could not be measured."""
        column = _LIMITS[key].feature
        if column not in features:
            raise NightsiftError(f"limits.{key}: {column} is not measured; use heuristics=robust")
        value: Floats = features[column].to_numpy(dtype=np.float64)
        if column in _OF_STARS:
            enough = features["n_shapes"].to_numpy(dtype=float) >= _MIN_SHAPES
            value = np.where(enough, value, np.nan)
        if key != "fwhm_arcsec":
            return value
        if self.pixel_scale_arcsec is not None:
            return value * self.pixel_scale_arcsec
        return value * (np.full(len(value), np.nan) if scales is None else scales)


def header_scales(limits: Limits, files: pd.Series[str]) -> Floats | None:
    """(N,) arcsec per pixel of each file by its header, NaN where unknown; None if not needed.

    Raises:
        UnknownScale: no header tells it.
    """
    if limits.fwhm_arcsec is None or limits.pixel_scale_arcsec is not None:
        return None
    scales = np.array([pixel_scale_of(Path(file)) for file in files], dtype=float)
    unknown = int(np.isnan(scales).sum())
    if unknown == len(scales):
        raise UnknownScale(
            f"limits.fwhm_arcsec={limits.fwhm_arcsec:g}: no header tells the pixel scale (none of "
            "a CD matrix, CDELT, SECPIX, PIXSCALE, XPIXSZ with FOCALLEN): give "
            "limits.pixel_scale_arcsec=, arcsec per pixel"
        )
    if unknown:
        log.warning(
            "the headers of %d of %d files do not tell the pixel scale: limits.fwhm_arcsec "
            "does not hold for them unless limits.pixel_scale_arcsec= is given",
            unknown,
            len(scales),
        )
    return scales
