"""What nights and series are called: by folder, date, filter and target, in safe characters."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nightsift.files import file_name
from nightsift.fits.header import FrameInfo

# Header texts may hold anything: only these stay, and not many of them.
_LONGEST = 24
# What programs write where nobody named the target.
_NO_TARGET = {
    "none",
    "unknown",
    "unnamed",
    "untitled",
    "na",
    "null",
    "object",
    "target",
    "test",
    "light",
    "sky",
    "field",
    "image",
}


def safe_text(text: str | None) -> str:
    """At most 24 of A-Z, a-z, 0-9, `+`, `-`, `_` and single dots inside; may be empty.

    Example:
        >>> safe_text("../<b>TOI 2713.01</b>")
        'b_TOI_2713.01_b'
    """
    plain = unicodedata.normalize("NFKD", text or "").encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9.+-]+", "_", plain)
    plain = re.sub(r"\.+(?![A-Za-z0-9])|(?<![A-Za-z0-9])\.+|\.{2,}", "_", plain)
    return re.sub(r"_+", "_", plain)[:_LONGEST].strip("_-.")


def same_name(text: str | None) -> str:
    """A name without what spellings differ in; "" where there is none, or only a placeholder.

    Example:
        >>> same_name("WASP-12 b") == same_name("wasp_12B")
        True
        >>> same_name("Unknown")
        ''
    """
    plain = re.sub(r"[\s_\-]+", "", unicodedata.normalize("NFKC", text or "")).casefold()
    return "" if re.sub(r"\W+", "", plain) in _NO_TARGET else plain


def folder_names(folders: Sequence[Path]) -> list[str]:
    """The last part of each path, with as many parents in front as make it unique."""
    names = []
    for folder in folders:
        others = [other.parts for other in folders if other != folder]
        depth = 1
        while any(other[-depth:] == folder.parts[-depth:] for other in others):
            depth += 1
        names.append("/".join(folder.parts[-depth:]).replace("//", "/"))
    return names


def night_names(folder: str, first: Sequence[FrameInfo]) -> list[str]:
    """Names of the nights of one folder; that of the folder where there is but one.

    `FOLDER 2018-10-12 R TOI-2713`: the date of the first frame in UTC, `undated` where it has
    none; filter and target where the header names them. Later ones of the same name have the
    time of their first frame behind the date, and a number where that is not enough.

    Args:
        folder: its name.
        first: first frame of each night, in order of time.
    """
    if len(first) == 1:
        return [folder]
    names, taken = [], _Names()
    for info in first:
        date = f"{info.time:%Y-%m-%d}" if info.time else "undated"
        rest = [text for text in (safe_text(info.filter), safe_text(info.object)) if text]
        name = " ".join([folder, date, *rest])
        if taken.has(name) and info.time:
            name = " ".join([folder, date, f"{info.time:%H%M%S}", *rest])
        names.append(taken.add(name))
    return names


def series_names(first: Sequence[FrameInfo]) -> list[str]:
    """Names of series, unique: target, filter, telescope and camera where the header has them.

    Args:
        first: first frame of each series.
    """
    long = []
    for info in first:
        target = safe_text(info.object) if same_name(info.object) else ""
        if not target and info.ra_deg is not None and info.dec_deg is not None:
            target = f"{info.ra_deg:.1f}{info.dec_deg:+.1f}"
        parts = (target, *map(safe_text, (info.filter, info.telescope, info.instrument)))
        long.append(" ".join(part for part in parts if part) or "series")
    counts = Counter(long)
    taken = _Names()
    return [
        taken.add(f"{name} {info.width}x{info.height}" if counts[name] > 1 else name)
        for name, info in zip(long, first, strict=True)
    ]


class _Names:
    """Names that make files of different names, also where case is not told apart."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether the file name is taken."""
        return file_name(name).casefold() in self._taken

    def add(self, name: str) -> str:
        """The name, with a number behind it where it is taken."""
        number, unique = 1, name
        while self.has(unique):
            number += 1
            unique = f"{name} {number}"
        self._taken.add(file_name(unique).casefold())
        return unique
