"""One FITS file to one frame: pixels without surprises, and the facts of its header."""

from __future__ import annotations

import bz2
import errno
import gzip
import math
import re
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.fits.hdus import BLOCK, Hdu, Value, axes, walk_hdus
from nightsift.fits.header import FrameInfo, parse_header

Pixels = npt.NDArray[Any]
_T = TypeVar("_T")

_IMAGE_SUFFIXES = (".fits", ".fit", ".fts")
PACKED_SUFFIXES = (".gz", ".bz2", ".fz")
FITS_SUFFIXES = _IMAGE_SUFFIXES + tuple(a + b for a in _IMAGE_SUFFIXES for b in PACKED_SUFFIXES)

MIN_SIDE = 16
_OPENERS: dict[bytes, Callable[[BinaryIO], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open}
# No scheme packs a frame better than this; a header that claims more pixels lies, and memory
# is not set aside for it.
_MAX_PACKING = 50_000
# What astropy needs to unpack the tiles; other cards could only make it warn.
_TILE_CARD = re.compile(
    rb"(XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|THEAP|"
    rb"T(TYPE|FORM|SCAL|ZERO|NULL|DIM)\d+|Z[A-Z]+\d*)\s*$"
)
_REASONS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOENT: "no such file",
    errno.EISDIR: "a folder, not a file",
}


class UnreadableFrame(NightsiftError):
    """A file that holds no usable frame; its text is the reason alone, in one short line."""


class Frame(NamedTuple):
    """Pixels and header facts of one file.

    Attributes:
        pixels: (H, W), C-contiguous, native byte order, all finite. int16 or uint16 where the
            file holds such integers and none is blank, float32 otherwise.
        info: what the header tells.
    """

    pixels: Pixels
    info: FrameInfo


def is_fits_name(path: Path) -> bool:
    """Whether the name is that of a FITS file; hidden files (`.x`, `._x`) are not frames."""
    return path.name.lower().endswith(FITS_SUFFIXES) and not path.name.startswith(".")


def read_frame(path: Path) -> Frame:
    """Read the first 2-D image of at least 16x16 px.

    Of a cube it is the first plane along the leading axes. Packed files are known by their
    content, not their name. Header facts come from the image's own header and, for keys
    without a value there, from the primary one. Blank and non-finite pixels are filled with
    the median of the others. Safe to call in several threads.

    Raises:
        UnreadableFrame: there is no such image, whatever the cause.
    """
    return _opened(path, _read)


def read_info(path: Path) -> FrameInfo:
    """The header facts of `read_frame` without reading the pixels.

    Raises:
        UnreadableFrame: there is no 2-D image; damaged pixels stay unnoticed.
    """
    return _opened(path, lambda stream, capacity: _info(*_find_image(stream, capacity)))


def read_facts(path: Path) -> dict[str, Value]:
    """Keyword to value of the headers that `read_frame` goes by, without reading the pixels.

    Raises:
        UnreadableFrame: there is no 2-D image.
    """
    return _opened(path, lambda stream, capacity: _find_image(stream, capacity)[1])


def _opened(path: Path, use: Callable[[BinaryIO, int], _T]) -> _T:
    """Give the unpacked stream and the bytes that it can hold at most to `use`."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFrame("a folder, not a file" if path.is_dir() else "not a file")
        with path.open("rb") as plain:
            opener = _OPENERS.get(plain.read(2))
            plain.seek(0)
            if opener is None:
                return use(plain, path.stat().st_size)
            with opener(plain) as stream:
                return use(stream, path.stat().st_size * _MAX_PACKING)
    except UnreadableFrame:
        raise
    except (EOFError, zlib.error) as error:
        raise UnreadableFrame(f"truncated or damaged: {error}") from error
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or error.strerror or f"damaged: {error}"
        raise UnreadableFrame(_one_line(reason)) from error
    except MemoryError as error:
        raise UnreadableFrame("too large for the memory of this machine") from error
    except ValueError as error:
        raise UnreadableFrame(_one_line(error)) from error


def _read(stream: BinaryIO, capacity: int) -> Frame:
    hdu, facts = _find_image(stream, capacity)
    raw = _read_tiles(stream, hdu) if hdu.is_compressed_image else None
    raw = _read_plane(stream, hdu, capacity) if raw is None else raw
    return Frame(_physical(raw, hdu.header), _info(hdu, facts))


def _info(hdu: Hdu, facts: dict[str, Value]) -> FrameInfo:
    height, width = _image_shape(hdu)[-2:]
    return parse_header(facts, (height, width))


def _find_image(stream: BinaryIO, capacity: int) -> tuple[Hdu, dict[str, Value]]:
    """The first usable image in a stream that can hold at most `capacity` bytes, and facts."""
    primary: dict[str, Value] | None = None
    reason = "no 2-D image"
    for hdu in walk_hdus(stream):
        primary = hdu.header if primary is None else primary
        shape = _image_shape(hdu)
        if len(shape) < 2:
            if hdu.header.get("XTENSION") in ("BINTABLE", "TABLE"):
                reason = "no 2-D image: only tables"
            elif len(shape) == 1 and shape != (0,):
                reason = f"no 2-D image: 1-D data of {shape[0]} values"
        elif min(shape[-2:]) < MIN_SIDE or 0 in shape:
            side = f"{MIN_SIDE}x{MIN_SIDE}"
            reason = f"image of {shape[-2]}x{shape[-1]} px, at least {side} is needed"
        else:
            return hdu, {**primary, **{k: v for k, v in hdu.header.items() if v not in (None, "")}}
        if hdu.offset + hdu.size > capacity:
            raise UnreadableFrame("truncated: the file ends before the data that it announces")
    raise UnreadableFrame(reason)


def _image_shape(hdu: Hdu) -> tuple[int, ...]:
    if hdu.is_compressed_image:
        return axes(hdu.header, "ZNAXIS")
    return hdu.shape if hdu.is_image else ()


def _read_plane(stream: BinaryIO, hdu: Hdu, capacity: int) -> Pixels:
    """The first plane of a plain image, native byte order, not scaled."""
    height, width = hdu.shape[-2:]
    bits = int(hdu.header["BITPIX"] or 0)
    kind = np.dtype(f"{'f' if bits < 0 else 'u' if bits == 8 else 'i'}{abs(bits) // 8}")
    needed = height * width * kind.itemsize
    if hdu.offset + needed > capacity:
        raise UnreadableFrame(_truncated(needed, max(0, capacity - hdu.offset)))
    raw = np.empty((height, width), kind)
    _fill(stream, hdu.offset, raw.reshape(-1).view(np.uint8))
    return raw if kind.newbyteorder(">") == kind else raw.byteswap(inplace=True)


def _fill(stream: BinaryIO, offset: int, target: npt.NDArray[np.uint8]) -> None:
    stream.seek(offset)
    view, done = target.data, 0
    while done < len(view):
        # A buffered stream's readinto has no stub; it fills the array without a copy.
        got = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            raise UnreadableFrame(_truncated(len(view), done))
        done += got


def _truncated(needed: int, found: int) -> str:
    return f"truncated: {found} of {needed} bytes of the image are there"


def _read_tiles(stream: BinaryIO, hdu: Hdu) -> Pixels:
    """The first plane of a tile-compressed image, native byte order, not scaled."""
    shape = axes(hdu.header, "ZNAXIS")
    stream.seek(hdu.offset)
    data = stream.read(hdu.size)
    if len(data) < hdu.size:
        raise UnreadableFrame(_truncated(hdu.size, len(data)))
    if math.prod(shape) > _MAX_PACKING * len(data):
        raise UnreadableFrame(f"damaged: {math.prod(shape)} px claimed in {len(data)} bytes")
    cards = [hdu.cards[i : i + 80] for i in range(0, len(hdu.cards), 80)]
    kept = b"".join(card for card in cards if _TILE_CARD.match(card[:8])) + b"END".ljust(80)
    kept = kept.ljust(-(-len(kept) // BLOCK) * BLOCK)
    packed = fits.PrimaryHDU().header.tostring().encode() + kept + data
    packed += bytes(-len(packed) % BLOCK)
    try:
        plane = fits.HDUList.fromstring(packed)[1].data
        plane = plane[(0,) * (plane.ndim - 2)]
        return np.ascontiguousarray(plane, plane.dtype.newbyteorder("="))
    except Exception as error:  # a damaged table fails in dozens of ways inside astropy
        raise UnreadableFrame(f"damaged compression: {_one_line(error)}") from error


def _physical(raw: Pixels, header: dict[str, Value]) -> Pixels:
    """Apply BSCALE, BZERO and BLANK with the precision that astropy uses; fill what is blank."""
    scale, zero = _number(header, "BSCALE", 1), _number(header, "BZERO", 0)
    blank = header.get("BLANK", header.get("ZBLANK"))
    masked = None
    if raw.dtype.kind != "f" and isinstance(blank, int | float):
        masked = raw == blank
        masked = masked if masked.any() else None
    if raw.dtype.kind == "i" and scale == 1 and zero == 2.0 ** (8 * raw.dtype.itemsize - 1):
        # Unsigned integers are stored with the sign bit turned over.
        raw = raw.view(f"u{raw.dtype.itemsize}")
        raw ^= raw.dtype.type(1 << (8 * raw.dtype.itemsize - 1))
    elif (scale, zero) != (1, 0):
        raw = _scaled(raw, scale, zero)
    if masked is None and raw.dtype in (np.int16, np.uint16):
        return raw
    with np.errstate(over="ignore", invalid="ignore"):
        pixels = raw.astype(np.float32, copy=False)
    usable = np.isfinite(pixels) if masked is None else ~masked & np.isfinite(pixels)
    return pixels if usable.all() else _filled(pixels, usable)


def _scaled(raw: Pixels, scale: float, zero: float) -> Pixels:
    with np.errstate(over="ignore", invalid="ignore"):
        if raw.dtype.kind != "f":
            raw = raw.astype(np.float64 if raw.dtype.itemsize > 2 else np.float32)
        if scale != 1:
            raw *= scale
        if zero != 0:
            raw += zero
    return raw


def _filled(pixels: Pixels, usable: npt.NDArray[np.bool_]) -> Pixels:
    rest = pixels[usable]
    if rest.size == 0:
        raise UnreadableFrame("no finite pixel")
    # float64: the mean of two middle values near the largest float32 would overflow.
    pixels[~usable] = np.median(rest.astype(np.float64))
    return pixels


def _number(header: dict[str, Value], key: str, default: float) -> float:
    value = header.get(key)
    usable = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if usable else default  # type: ignore[arg-type]


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split())[:120] or type(reason).__name__
