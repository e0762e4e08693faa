"""One FITS file to one frame, or the reason why not."""

from __future__ import annotations

import bz2
import gzip
import io
import logging
import re
import warnings
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning

from nightsift.errors import NightsiftError
from nightsift.fits.header import FrameInfo, parse_header

log = logging.getLogger(__name__)

FITS_SUFFIXES = (".fits", ".fit", ".fts")
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".fz")
MIN_SIDE_PX = 16
# Larger than any camera; a header that claims more is damaged, not big.
MAX_PIXELS = 1 << 30

# Reading runs in threads, where warnings.catch_warnings is not safe: astropy's remarks on
# sloppy headers are silenced once; what matters of them becomes an UnreadableFrame.
for _category in (VerifyWarning, AstropyUserWarning):
    warnings.filterwarnings("ignore", category=_category, module=r"astropy\.io\.fits")


class UnreadableFrame(NightsiftError):
    """A file that is no frame; the message is the reason alone, in one line."""


class Frame(NamedTuple):
    """Pixels and header facts of one file.

    `pixels` is (H, W), C-contiguous in native byte order: int16 or uint16 where the file holds
    such integers and nothing is masked, else float32. Masked, blank and non-finite pixels hold
    the median of the others.
    """

    pixels: npt.NDArray[Any]
    info: FrameInfo


def is_fits_name(path: Path) -> bool:
    """Whether the name looks like a FITS file, in any case, compressed or not."""
    name = path.name.lower()
    for suffix in COMPRESSED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name.endswith(FITS_SUFFIXES) and not name.startswith(".")


def read_frame(path: Path) -> Frame:
    """Read the first 2-D image of a file; of a cube the first plane.

    Raises:
        UnreadableFrame: whatever is wrong with the file.
    """
    try:
        with fits.open(
            _checked(path),
            memmap=False,
            do_not_scale_image_data=True,
            ignore_missing_simple=False,
        ) as hdus:
            return _first_image(hdus)
    except UnreadableFrame:
        raise
    except OSError as error:
        raise UnreadableFrame(_reason(error)) from error
    except MemoryError as error:
        raise UnreadableFrame("truncated: the header claims more pixels than memory") from error
    except Exception as error:
        # A damaged header makes astropy fail in as many ways as it can be damaged.
        raise UnreadableFrame(f"damaged: {type(error).__name__}: {_one_line(error)}") from error


def _checked(path: Path) -> Path | io.BytesIO:
    """The file itself, or its content where that is compressed as a whole."""
    if path.is_dir():
        raise UnreadableFrame("a folder, not a file")
    with path.open("rb") as stream:
        start = stream.read(6)
        if start[:2] != b"\x1f\x8b" and start[:3] != b"BZh":
            return _accept(path, start)
        stream.seek(0)
        packed = stream.read()
    try:
        content = (gzip if start[:2] == b"\x1f\x8b" else bz2).decompress(packed)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UnreadableFrame(f"damaged compression: {_one_line(error)}") from error
    return _accept(io.BytesIO(content), content[:6])


def _accept(source: Path | io.BytesIO, start: bytes) -> Path | io.BytesIO:
    if not start:
        raise UnreadableFrame("empty file")
    if start != b"SIMPLE":
        raise UnreadableFrame("not FITS: no SIMPLE card at the start")
    return source


def _first_image(hdus: fits.HDUList) -> Frame:
    seen = ""
    for hdu in hdus:
        if not isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU):
            continue
        shape = hdu.shape
        if len(shape) < 2:
            continue
        if min(shape[-2:]) < MIN_SIDE_PX:
            side = f"{MIN_SIDE_PX}x{MIN_SIDE_PX}"
            seen = seen or f"image of {shape[-2]}x{shape[-1]} px, at least {side} is needed"
            continue
        _check_size(hdu, hdus)
        data = hdu.data
        while data.ndim > 2:
            data = data[0]
        pixels = _physical(data, hdu)
        header = {**_cards(hdus[0].header), **_cards(hdu.header)}
        height, width = pixels.shape
        return Frame(pixels, parse_header(header, (height, width)))
    raise UnreadableFrame(seen or "no 2-D image: tables or headers only")


def _check_size(hdu: Any, hdus: fits.HDUList) -> None:
    """Refuse what the file cannot hold before anything is allocated for it."""
    if np.prod(hdu.shape, dtype=float) > MAX_PIXELS:
        raise UnreadableFrame(f"damaged: the header claims {hdu.shape} pixels")
    info = hdu.fileinfo()
    size = hdus.fileinfo(0)["file"].size if info else 0
    if info and not isinstance(hdu, fits.CompImageHDU):
        needed = int(np.prod(hdu.shape)) * abs(int(hdu.header["BITPIX"])) // 8
        available = size - info["datLoc"]
        if available < needed:
            raise UnreadableFrame(f"truncated: {available} of {needed} bytes of pixels")


def _physical(data: npt.NDArray[Any], hdu: Any) -> npt.NDArray[Any]:
    """Apply BSCALE, BZERO and BLANK as astropy does, without its slow paths."""
    scale, zero, blank = _scaling(hdu)
    is_integer = data.dtype.kind in "iu"
    masked = data == blank if is_integer and blank is not None else None
    has_mask = masked is not None and bool(masked.any())
    if data.dtype.itemsize == 2 and is_integer and scale == 1 and not has_mask:
        if zero == 0:
            return np.ascontiguousarray(data, dtype=np.int16)
        if zero == 32768:
            # Adding 32768 to a 16-bit integer flips its highest bit.
            unsigned = data.view(data.dtype.str.replace("i", "u")).astype(np.uint16)
            unsigned ^= np.uint16(0x8000)
            return np.ascontiguousarray(unsigned)
    if is_integer and data.dtype.itemsize > 2:
        values = (data.astype(np.float64) * scale + zero).astype(np.float32)
    elif scale == 1 and zero == 0:
        values = np.ascontiguousarray(data, dtype=np.float32)
    else:
        values = data.astype(np.float32)
        values *= np.float32(scale)
        values += np.float32(zero)
    if has_mask and masked is not None:
        values[masked] = np.nan
    return _filled(values)


def _scaling(hdu: Any) -> tuple[float, float, int | None]:
    # Tile compression keeps the original cards; astropy has taken floats apart already.
    if isinstance(hdu, fits.CompImageHDU) and hdu.header["BITPIX"] < 0:
        return 1.0, 0.0, None
    header = hdu.header
    blank = header.get("BLANK")
    return (
        float(header.get("BSCALE", 1)),
        float(header.get("BZERO", 0)),
        blank if isinstance(blank, int) else None,
    )


def _filled(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Non-finite pixels replaced by the median of the finite ones."""
    finite = np.isfinite(values)
    if finite.all():
        return values
    if not finite.any():
        raise UnreadableFrame("no finite pixel")
    values = values.copy()
    values[~finite] = np.median(values[finite])
    return values


def _cards(header: fits.Header) -> dict[str, Any]:
    """The cards that can be parsed."""
    cards: dict[str, Any] = {}
    for key in set(header.keys()):
        try:
            cards[key] = header[key]
        except (fits.VerifyError, ValueError, KeyError):
            log.debug("card %s cannot be parsed", key)
    return cards


def _reason(error: OSError) -> str:
    if error.strerror:
        return error.strerror.lower()
    text = _one_line(error)
    return f"truncated: {text}" if re.search("END|truncat", text) else f"not FITS: {text}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]
