"""Where frames and labels come from: folders, label tables, and what is passed over."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nightsift.errors import NightsiftError
from nightsift.fits.folders import find_files
from nightsift.fits.labels import find_label_csvs, label_from_name, match_labels, read_label_csv
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


class MatchedLabels(NamedTuple):
    """Label of each file that has one, and the rows of tables that name no file."""

    labels: dict[Path, Label]
    unmatched: tuple[str, ...]


def find_sources(sources: Sources) -> SourceFiles:
    """The files of all folders, each once.

    Raises:
        NightsiftError: a folder is missing or empty, or there is no folder at all.
    """
    sequence = _files(sources.seq_dirs, sources.passed_over)
    taken = {path.resolve() for path in sequence}
    mixed = [p for p in _files(sources.mixed_dirs, sources.passed_over) if p.resolve() not in taken]
    if not sequence and not mixed:
        raise NightsiftError("no frames: give data.seq_dirs=[..] or data.mixed_dirs=[..]")
    return SourceFiles(sequence, mixed)


def read_labels(sources: Sources, files: Sequence[Path]) -> MatchedLabels:
    """Labels and the other columns of all tables, by file.

    Raises:
        NightsiftError: a table is wrong, or a row could mean several files.
    """
    folders = [*sources.label_dirs, *sources.seq_dirs, *sources.mixed_dirs]
    found = [csv for folder in folders if folder.is_dir() for csv in find_label_csvs(folder)]
    tables = [read_label_csv(path) for path in _unique([*sources.label_csv, *found])]
    # A row for a frame that is passed over must not label another night's of the same name.
    match = match_labels(tables, [*files, *sources.passed_over])
    labels = {
        path: Label(match.labels.get(path), match.extras.get(path, {}))
        for path in files
        if path in match.labels or path in match.extras
    }
    if sources.labels_from_names:
        for path in files:
            if path not in labels:
                labels[path] = Label(label_from_name(path))
    warn_listed("label rows match no file", match.unmatched_rows)
    if tables:
        nobody = Label()
        unlabelled = [str(path) for path in files if labels.get(path, nobody).value is None]
        warn_listed("files are without a label (never trained on, never counted)", unlabelled)
    return MatchedLabels(labels, tuple(match.unmatched_rows))


def warn_listed(what: str, names: Sequence[str]) -> None:
    """Warn of `names`, the first few by name; silent where there are none."""
    if names:
        more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        log.warning("%d %s: %s%s", len(names), what, "; ".join(names[:_LISTED]), more)


def _files(folders: Sequence[Path], passed_over: frozenset[Path]) -> list[Path]:
    found = _unique(path for folder in folders for path in find_files(folder))
    return [path for path in found if path not in passed_over]


def _unique(paths: Iterable[Path]) -> list[Path]:
    seen: dict[Path, Path] = {}
    for path in paths:
        seen.setdefault(path.resolve(), path)
    return list(seen.values())
