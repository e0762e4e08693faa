"""Frames to nights: which belong together, and in which order."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from nightsift.fits.folders import folder_key, natural_key
from nightsift.fits.header import FrameInfo
from nightsift.night.naming import folder_names, night_names, series_names
from nightsift.night.series import find_series

log = logging.getLogger(__name__)

_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class NightFiles:
    """Frames of one telescope, camera, filter, image size and target in one folder.

    Attributes:
        name: unique among the nights found together (`nightsift.night.naming.night_names`).
        folder: where the files lie.
        folder_name: its name, unique among the folders found together.
        series: name of the series (`nightsift.night.series`) that it is part of.
        files: in time order, or in natural order of their names where `timed` is False.
        infos: header facts, one per file.
        timed: whether every frame has a time.
    """

    name: str
    folder: Path
    folder_name: str
    series: str
    files: tuple[Path, ...]
    infos: tuple[FrameInfo, ...]
    timed: bool


def group_nights(infos: Mapping[Path, FrameInfo], *, max_gap_h: float = 4.0) -> list[NightFiles]:
    """Sort frames into nights; the result does not depend on the order of `infos`.

    Args:
        infos: file to header facts.
        max_gap_h: a longer pause between two frames begins another night, hours.

    Returns:
        Nights by folder and, within a folder, by time, those without times last.
    """
    by_folder: dict[Path, list[Path]] = {}
    for path in sorted(infos, key=lambda path: (folder_key(path.parent), natural_key(path.name))):
        by_folder.setdefault(_lexical(path.parent), []).append(path)
    runs: list[tuple[str, str, list[Path]]] = []
    for folder, files in zip(folder_names(list(by_folder)), by_folder.values(), strict=True):
        own = sorted(_runs(files, infos, max_gap_h), key=lambda run: _run_key(run, infos))
        names = night_names(folder, [infos[run[0]] for run in own])
        runs += [(name, folder, run) for name, run in zip(names, own, strict=True)]
    series = _series([run for _, _, run in runs], infos)
    nights: list[NightFiles] = []
    for (name, folder, run), own_series in zip(runs, series, strict=True):
        facts = tuple(infos[path] for path in run)
        timed = all(info.time is not None for info in facts)
        place = run[0].parent
        nights.append(NightFiles(name, place, folder, own_series, tuple(run), facts, timed))
    return nights


def _series(runs: Sequence[Sequence[Path]], infos: Mapping[Path, FrameInfo]) -> list[str]:
    """Name of the series of each run."""
    numbers = find_series([(_lexical(run[0].parent), [infos[p] for p in run]) for run in runs])
    first: dict[int, FrameInfo] = {}
    for number, run in zip(numbers, runs, strict=True):
        first.setdefault(number, infos[run[0]])
    names = dict(zip(first, series_names(list(first.values())), strict=True))
    return [names[number] for number in numbers]


def _runs(
    files: Iterable[Path], infos: Mapping[Path, FrameInfo], max_gap_h: float
) -> Iterator[list[Path]]:
    """The nights of one folder, whose files come in natural order."""
    groups: dict[tuple[object, ...], list[Path]] = {}
    for path in files:
        groups.setdefault(_set_up(infos[path]), []).append(path)
    for members in groups.values():
        if untimed := sum(infos[path].time is None for path in members):
            folder = members[0].parent
            log.warning(
                "%s: %d of %d frames have no time; the order of file names is used",
                *(folder, untimed, len(members)),
            )
            yield members
        else:
            yield from _split_at_gaps(
                sorted(members, key=lambda p: _time(infos[p])), infos, max_gap_h
            )


def _split_at_gaps(
    ordered: Sequence[Path], infos: Mapping[Path, FrameInfo], max_gap_h: float
) -> Iterator[list[Path]]:
    run = [ordered[0]]
    for before, path in pairwise(ordered):
        gap = _time(infos[path]) - _time(infos[before])
        if gap.total_seconds() > max_gap_h * 3600:
            yield run
            run = []
        run.append(path)
    yield run


def _time(info: FrameInfo) -> datetime:
    return info.time or _LATEST


def _run_key(run: Sequence[Path], infos: Mapping[Path, FrameInfo]) -> tuple[object, ...]:
    times = [_time(infos[path]) for path in run]
    return _LATEST in times, times[0], natural_key(run[0].name)


def _set_up(info: FrameInfo) -> tuple[object, ...]:
    names = (info.telescope, info.instrument, info.filter, info.object)
    plain = (re.sub(r"[\s_-]+", "", name).casefold() if name else None for name in names)
    return (*plain, info.height, info.width)


def _lexical(folder: Path) -> Path:
    """The absolute path, links kept: people know a linked folder by the link's name."""
    return folder.resolve() if ".." in folder.parts else folder.absolute()
