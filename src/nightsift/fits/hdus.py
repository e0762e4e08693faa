"""The units of a FITS file: headers as plain dicts, and where the data of each begin.

Frames are read in several threads and come from any camera. astropy's Header reports odd
cards through the process-wide warnings machinery, which no thread can silence for itself, and
reads each card through several layers. A card is 80 characters (FITS standard 4.0, section 4,
https://fits.gsfc.nasa.gov/fits_standard.html), so the few that are needed are read here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

Value = str | int | float | bool | None

BLOCK = 2880
_CARD = 80
# 28 MB of header: no camera writes that, so the end is missing.
_MAX_BLOCKS = 10_000
_QUOTED = re.compile(r"\s*'((?:[^']|'')*)'?")


class Hdu(NamedTuple):
    """One unit of a FITS file.

    Attributes:
        header: keyword to value; of a repeated keyword the first.
        cards: the header as in the file, END included, without padding.
        offset: where the data begin, bytes from the start of the (decompressed) file.
        size: length of the data without padding, bytes, as the header claims.
        shape: lengths of the axes in numpy's order: (..., height, width).
    """

    header: dict[str, Value]
    cards: bytes
    offset: int
    size: int
    shape: tuple[int, ...]

    @property
    def is_image(self) -> bool:
        """Whether the data are a plain array."""
        return "SIMPLE" in self.header or self.header.get("XTENSION") in ("IMAGE", "IUEIMAGE")

    @property
    def is_compressed_image(self) -> bool:
        """Whether the data are a table that holds the tiles of a compressed image."""
        return self.header.get("ZIMAGE") is True


def walk_hdus(stream: BinaryIO) -> Iterator[Hdu]:
    """Give the units of a file in turn, reading headers only.

    Args:
        stream: the file, at its start; it may be moved between two steps.

    Raises:
        ValueError: no FITS file, or a header that is cut off or makes no sense; its text is
            fit for the user.
    """
    offset = 0
    while (cards := _read_cards(stream, offset)) is not None:
        header = parse_cards(cards)
        shape = axes(header, "NAXIS")
        bits = header.get("BITPIX")
        if bits not in (8, 16, 32, 64, -32, -64):
            raise ValueError(f"damaged header: BITPIX is {bits}")
        offset += _padded(len(cards))
        items = math.prod(shape) if shape else 0
        extra, groups = _count(header, "PCOUNT", 0), _count(header, "GCOUNT", 1)
        size = abs(int(bits)) // 8 * groups * (extra + items)
        yield Hdu(header, cards, offset, size, shape)
        offset += _padded(size)


def axes(header: dict[str, Value], key: str) -> tuple[int, ...]:
    """Lengths of the axes that `key`, `key`1, `key`2... state, in numpy's order.

    Raises:
        ValueError: they are absent, negative or no integers.
    """
    number = header.get(key)
    if not isinstance(number, int) or not 0 <= number <= 999:
        raise ValueError(f"damaged header: {key} is {number}")
    lengths = []
    for axis in range(number, 0, -1):
        length = header.get(f"{key}{axis}")
        if not isinstance(length, int) or length < 0:
            raise ValueError(f"damaged header: {key}{axis} is {length}")
        lengths.append(length)
    return tuple(lengths)


def parse_cards(cards: bytes) -> dict[str, Value]:
    """Keyword to value for all cards that have one; an undefined value is None."""
    text = cards.decode("latin-1")
    header: dict[str, Value] = {}
    for start in range(0, len(text), _CARD):
        card = text[start : start + _CARD]
        key = card[:8].rstrip().upper()
        if key and card[8:9] == "=" and key not in header:
            header[key] = _value(card[9:])
    return header


def _value(text: str) -> Value:
    if match := _QUOTED.match(text):
        return match[1].replace("''", "'").rstrip()
    word = text.partition("/")[0].strip()
    if word in ("T", "F"):
        return word == "T"
    if not word:
        return None
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word.replace("D", "E"))
    except ValueError:
        return word


def _read_cards(stream: BinaryIO, offset: int) -> bytes | None:
    """The cards from `offset` up to and with END; None at the end of the file."""
    try:
        stream.seek(offset)
    except (OverflowError, ValueError):
        return None
    blocks = bytearray()
    for _ in range(_MAX_BLOCKS):
        block = stream.read(BLOCK)
        if not blocks and not _is_header(block, first=offset == 0):
            return None  # the standard allows anything after the last unit
        for start in range(0, len(block), _CARD):
            if block[start : start + 8].rstrip() == b"END":
                return bytes(blocks + block[: start + _CARD]).ljust(_CARD)
        blocks += block
        if len(block) < BLOCK:
            raise ValueError("truncated: the header has no END")
    raise ValueError("damaged header: no END in the first 28 MB")


def _is_header(block: bytes, *, first: bool) -> bool:
    if not first:
        return block.startswith(b"XTENSION")
    if not block:
        raise ValueError("empty file")
    if not re.match(rb"SIMPLE\s*=", block):
        raise ValueError("not FITS")
    return True


def _count(header: dict[str, Value], key: str, default: int) -> int:
    value = header.get(key, default)
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"damaged header: {key} is {value}")
    return value


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
