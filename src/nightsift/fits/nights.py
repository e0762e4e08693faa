"""Folders to nights: frames of one telescope, target and filter, ordered in time."""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nightsift.errors import NightsiftError
from nightsift.fits.header import FrameInfo
from nightsift.fits.reader import COMPRESSED_SUFFIXES, FITS_SUFFIXES, is_fits_name

log = logging.getLogger(__name__)

_LATE = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Night:
    """Frames of one night.

    Attributes:
        name: unique among the nights that were grouped together.
        folder: the folder that holds the files.
        files: in order of time.
        infos: header facts of `files`.
        timed: False where some frame has no time and the order is that of the file names.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    infos: tuple[FrameInfo, ...]
    timed: bool


def find_files(folder: Path) -> list[Path]:
    """All FITS files of a folder and the folders below it, in natural order.

    Args:
        folder: a folder, or a single FITS file.

    Raises:
        NightsiftError: no such folder, or no FITS file in it.
    """
    if folder.is_file() and is_fits_name(folder):
        return [folder]
    if not folder.is_dir():
        raise NightsiftError(f"{folder}: no such folder of frames")
    files: list[Path] = []
    seen: set[Path] = set()
    for where, folders, names in os.walk(folder, followlinks=True):
        real = Path(where).resolve()
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(where) / name for name in names)
        files += [path for path in paths if is_fits_name(path) and not path.is_dir()]
    if not files:
        wanted = ", ".join(FITS_SUFFIXES)
        packed = ", ".join(COMPRESSED_SUFFIXES)
        raise NightsiftError(f"no FITS files in {folder} (looked for {wanted}, also {packed})")
    return sorted(files, key=_natural_path)


def group_nights(infos: Mapping[Path, FrameInfo], *, max_gap_h: float = 4.0) -> list[Night]:
    """Group the frames of each folder into nights.

    A night is split where telescope, camera, filter, image size or object differs, or a gap
    of more than `max_gap_h` hours opens. Where a frame has no time, its group keeps the
    natural order of the file names, and a warning says so.

    Args:
        infos: header facts of each file.
        max_gap_h: longest gap between consecutive mid-exposures, hours.

    Returns:
        Nights by folder, then by time, untimed ones last; the same for any order of `infos`.
    """
    groups: dict[tuple[Path, tuple[object, ...]], list[Path]] = defaultdict(list)
    for path in sorted(infos, key=_natural_path):
        groups[path.parent, _setup(infos[path])].append(path)
    by_folder: dict[Path, list[tuple[list[Path], bool]]] = defaultdict(list)
    for (folder, _), files in groups.items():
        by_folder[folder] += _in_time_order(files, infos, max_gap_h)
    names = _unique_names(list(by_folder))
    nights = []
    for folder, parts in by_folder.items():
        parts.sort(key=lambda part: infos[part[0][0]].time or _LATE)
        parts.sort(key=lambda part: not part[1])
        for number, (files, timed) in enumerate(parts):
            name = names[folder] if len(parts) == 1 else f"{names[folder]}#{number + 1}"
            facts = tuple(infos[path] for path in files)
            nights.append(Night(name, folder, tuple(files), facts, timed))
    return nights


def _setup(info: FrameInfo) -> tuple[object, ...]:
    """What must stay the same throughout a night; spelling does not matter."""
    texts = (info.telescope, info.instrument, info.filter, info.object)
    plain = tuple(text and re.sub(r"[\s_-]+", "", text).casefold() for text in texts)
    return (*plain, info.height, info.width)


def _in_time_order(
    files: list[Path], infos: Mapping[Path, FrameInfo], max_gap_h: float
) -> list[tuple[list[Path], bool]]:
    times = {path: infos[path].time for path in files}
    known = {path: time for path, time in times.items() if time is not None}
    if len(known) < len(files):
        log.warning(
            "%s: %d of %d frames have no time in their header; ordered by file name",
            files[0].parent,
            len(files) - len(known),
            len(files),
        )
        return [(files, False)]
    files = sorted(files, key=lambda path: known[path])
    gap = timedelta(hours=max_gap_h)
    cuts = [
        i + 1 for i, (a, b) in enumerate(itertools.pairwise(files)) if known[b] - known[a] > gap
    ]
    edges = [0, *cuts, len(files)]
    return [(files[start:stop], True) for start, stop in itertools.pairwise(edges)]


def _unique_names(folders: Sequence[Path]) -> dict[Path, str]:
    """Folder names, with as many parents in front as it takes to tell them apart."""
    parts = {folder: folder.resolve().parts for folder in folders}
    depth = dict.fromkeys(folders, 1)
    while True:
        names = {folder: "/".join(parts[folder][-depth[folder] :]) for folder in folders}
        taken: dict[str, list[Path]] = defaultdict(list)
        for folder, name in names.items():
            taken[name].append(folder)
        clashes = [f for same in taken.values() if len(same) > 1 for f in same]
        longer = [folder for folder in clashes if depth[folder] < len(parts[folder])]
        if not longer:
            return names
        for folder in longer:
            depth[folder] += 1


def _natural_path(path: Path) -> tuple[object, ...]:
    return (natural_key(str(path.parent)), natural_key(path.name))


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorting key under which `f2` stands before `f10`."""
    parts = re.split(r"(\d+)", text)
    return tuple((1, int(p), p) if p.isdecimal() else (0, 0, p.casefold()) for p in parts)
