"""The pixel scale of a frame, from the many ways in which headers tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from nightsift.fits.header import numbers
from nightsift.fits.reader import UnreadableFrame, read_facts

# Arcseconds per pixel as it stands in the file, binned where the frame is.
_SCALE_KEYS = ("SECPIX", "SECPIX1", "SECPIXX", "PIXSCALE", "PIXSCAL1", "IM_SCALE")
_LONGITUDES = ("RA", "GLON", "ELON")
_ARCSEC = {"": 3600.0, "deg": 3600.0, "arcmin": 60.0, "arcsec": 1.0, "rad": math.degrees(3600.0)}
_BINNING_KEYS = ("XBINNING", "CCDXBIN", "BINX")
# Outside, a card is a placeholder (a CDELT of 1 degree) and no scale.
_RANGE_ARCSEC = (0.01, 200.0)


def pixel_scale(header: Mapping[str, Any]) -> float | None:
    """Arcseconds per pixel; None where the header does not tell.

    The first that is there of: celestial coordinates (CD matrix, or CDELT with PC; the root of
    the area of a pixel, Greisen & Calabretta 2002, https://doi.org/10.1051/0004-6361:20021326);
    a card that holds the scale (SECPIX, PIXSCALE, ...); FOCALLEN in mm with XPIXSZ in um, which
    counts binned pixels (https://cdn.diffractionlimited.com/help/maximdl/FITS_File_Header_Definitions.htm),
    or with PIXSIZE1, which counts those of the detector.

    Args:
        header: keyword to value, from `nightsift.fits.reader.read_facts`.
    """
    scales = (_celestial(header), *numbers(header, *_SCALE_KEYS), _optical(header))
    return next((s for s in scales if s and _RANGE_ARCSEC[0] <= s <= _RANGE_ARCSEC[1]), None)


def pixel_scale_of(path: Path) -> float | None:
    """`pixel_scale` of a file, of which no pixel is read; None too where it cannot be read."""
    try:
        return _kept_scale(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=100_000)
def _kept_scale(path: Path, mtime_ns: int) -> float | None:
    """Kept while the file stays as it is: frames of a watched night are asked for again."""
    del mtime_ns
    try:
        return pixel_scale(read_facts(path))
    except UnreadableFrame:
        return None


def _celestial(header: Mapping[str, Any]) -> float | None:
    kinds = [str(header.get(f"CTYPE{axis}") or "").upper() for axis in (1, 2)]
    if not any(kind.startswith(_LONGITUDES) for kind in kinds):
        return None
    factor = _ARCSEC.get(str(header.get("CUNIT1") or "").strip().lower())
    if factor is None:
        return None
    matrix = [[_number(header, f"CD{i}_{j}") for j in (1, 2)] for i in (1, 2)]
    if all(value is None for row in matrix for value in row):
        steps = [_number(header, f"CDELT{axis}") for axis in (1, 2)]
        if None in steps:
            return None
        shares = [[_number(header, f"PC{i}_{j}") for j in (1, 2)] for i in (1, 2)]
        for i, step in enumerate(steps):
            own = [float(i == j) if s is None else s for j, s in enumerate(shares[i])]
            matrix[i] = [share * (step or 0.0) for share in own]
    (a, b), (c, d) = ([value or 0.0 for value in row] for row in matrix)
    return math.sqrt(abs(a * d - b * c)) * factor


def _optical(header: Mapping[str, Any]) -> float | None:
    focal_mm = _number(header, "FOCALLEN")
    binned_um = _number(header, "XPIXSZ")
    if binned_um is None and (pixel_um := _number(header, "PIXSIZE1")) is not None:
        binned_um = pixel_um * next((b for b in numbers(header, *_BINNING_KEYS) if b >= 1), 1.0)
    if not focal_mm or not binned_um:
        return None
    return math.degrees(3600 * binned_um * 1e-3 / focal_mm)


def _number(header: Mapping[str, Any], key: str) -> float | None:
    return next(iter(numbers(header, key)), None)
