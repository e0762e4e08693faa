"""Folders of frames: which files there are, in an order that people expect."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from nightsift.errors import NightsiftError
from nightsift.fits.reader import FITS_SUFFIXES, is_fits_name

log = logging.getLogger(__name__)

_NaturalKey = tuple[tuple[str | int, ...], str]


def natural_key(name: str) -> _NaturalKey:
    """Sort key under which `f2` comes before `f10`."""
    parts = re.split(r"(\d+)", name.casefold(), flags=re.ASCII)
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def find_files(folder: Path) -> list[Path]:
    """All FITS files of a folder and the folders below it, in natural order.

    Links are followed, each real folder once. Hidden files and folders are left out.

    Args:
        folder: the folder, or a single FITS file.

    Raises:
        NightsiftError: there is no such folder, or no FITS file in it.
    """
    if folder.is_file():
        if is_fits_name(folder):
            return [folder]
        raise NightsiftError(f"{folder} is no FITS file (known: {', '.join(FITS_SUFFIXES)})")
    if not folder.is_dir():
        raise NightsiftError(f"{folder} does not exist: give a folder of FITS files")
    files = [file for file in walk_files(folder) if is_fits_name(file)]
    if not files:
        kinds = ", ".join(FITS_SUFFIXES)
        raise NightsiftError(f"no FITS files in {folder} or below (looked for {kinds})")
    return sorted(files, key=lambda file: (folder_key(file.parent), natural_key(file.name)))


def walk_files(root: Path) -> Iterator[Path]:
    """Everything but folders in `root` and below, each real folder once.

    Hidden folders are left out. Linked folders come last, so that a folder is met under its
    own name where it has one below `root`; a link that leads nowhere is given like a file.
    """
    seen: set[Path] = set()
    real, linked = [root], list[Path]()
    while real or linked:
        folder = real.pop() if real else linked.pop()
        if (target := folder.resolve()) in seen:
            continue
        seen.add(target)
        for entry in _entries(folder):
            if not entry.is_dir():
                yield entry
            elif not entry.name.startswith("."):
                (linked if entry.is_symlink() else real).append(entry)


@functools.lru_cache(maxsize=4096)
def folder_key(folder: Path) -> tuple[_NaturalKey, ...]:
    """Sort key of a folder: its parts in natural order."""
    return tuple(natural_key(part) for part in folder.parts)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda entry: natural_key(entry.name), reverse=True)
    except OSError as error:
        log.warning("cannot look into %s: %s", folder, error.strerror)
        return []
