"""Where frames and labels come from: folders, label tables, and what is passed over."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nightsift.errors import NightsiftError
from nightsift.fits.folders import find_files
from nightsift.fits.labels import (
    LabelTable,
    find_label_csvs,
    label_from_name,
    match_labels,
    read_label_csv,
)
from nightsift.night.night import Label

log = logging.getLogger(__name__)

# Names listed in one warning; the table of predictions has them all.
_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where frames and labels come from.

    Attributes:
        mixed_dirs: folders of loose frames.
        seq_dirs: night folders, or folders of night folders.
        label_csv: label tables, the first to be believed; `*labels*.csv` inside the folders
            above are found without being named.
        label_dirs: more folders to search for label tables.
        labels_from_names: a frame without a row is bad if "bad" is in its name, else good.
        max_gap_h: a longer pause between two frames starts a new night, hours.
        passed_over: files that are treated as if they were not there.
    """

    mixed_dirs: Sequence[Path] = ()
    seq_dirs: Sequence[Path] = ()
    label_csv: Sequence[Path] = ()
    label_dirs: Sequence[Path] = ()
    labels_from_names: bool = False
    max_gap_h: float = 4.0
    passed_over: frozenset[Path] = frozenset()


class SourceFiles(NamedTuple):
    """FITS files of nights and of mixed frames; one that lies in both is a night's."""

    sequence: list[Path]
    mixed: list[Path]


def find_sources(sources: Sources) -> SourceFiles:
    """The files of all folders, each once.

    Raises:
        NightsiftError: a folder is missing or empty, or there is no folder at all.
    """
    sequence, mixed = (
        _unique(path for folder in folders for path in find_files(folder))
        for folders in (sources.seq_dirs, sources.mixed_dirs)
    )
    found = SourceFiles(
        [path for path in sequence.values() if path not in sources.passed_over],
        [
            path
            for real, path in mixed.items()
            if real not in sequence and path not in sources.passed_over
        ],
    )
    if not found.sequence and not found.mixed:
        raise NightsiftError("no frames: give data.seq_dirs=[..] or data.mixed_dirs=[..]")
    return found


def read_labels(sources: Sources, files: Sequence[Path]) -> dict[Path, Label]:
    """Labels and the other columns of all tables, of each file that has a row.

    Raises:
        NightsiftError: a folder of labels is missing, a table is wrong, or a row could mean
            several files.
    """
    tables = [read_label_csv(path) for path in _label_tables(sources)]
    labels = _matched(tables, [*files, *sources.passed_over]) if tables else {}
    if sources.labels_from_names:
        for path in files:
            if path not in labels:
                labels[path] = Label(label_from_name(path))
    if tables:
        nobody = Label()
        unlabelled = [str(path) for path in files if labels.get(path, nobody).value is None]
        warn_listed("files are without a label (never trained on, never counted)", unlabelled)
    return labels


def _label_tables(sources: Sources) -> list[Path]:
    for folder in sources.label_dirs:
        if not folder.is_dir():
            raise NightsiftError(f"data.label_dirs: {folder} is no folder")
    folders = [*sources.label_dirs, *sources.seq_dirs, *sources.mixed_dirs]
    found = [table for folder in folders for table in find_label_csvs(folder)]
    return list(_unique([*sources.label_csv, *found]).values())


def _matched(tables: Sequence[LabelTable], files: Sequence[Path]) -> dict[Path, Label]:
    """Labels by file, among them files passed over: their rows mean no others of their names."""
    match = match_labels(tables, files)
    warn_listed("label rows match no file", match.unmatched_rows)
    named = match.labels.keys() | match.extras.keys()
    return {path: Label(match.labels.get(path), match.extras.get(path, {})) for path in named}


def warn_listed(what: str, names: Sequence[str]) -> None:
    """Warn of `names`, the first few by name; silent where there are none."""
    if names:
        more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        log.warning("%d %s: %s%s", len(names), what, "; ".join(names[:_LISTED]), more)


def _unique(paths: Iterable[Path]) -> dict[Path, Path]:
    """Real path to the first path given for it."""
    seen: dict[Path, Path] = {}
    for path in paths:
        seen.setdefault(path.resolve(), path)
    return seen
