"""The catalogue: every file found, with its header facts, label, night and tensor."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nightsift.data.cache import TensorCache, TensorRef
from nightsift.errors import NightsiftError
from nightsift.fits.folders import find_files
from nightsift.fits.header import FrameInfo
from nightsift.fits.labels import (
    LabelMatch,
    find_label_csvs,
    label_from_name,
    match_labels,
    read_label_csv,
)
from nightsift.night.grouping import Night, group_nights

log = logging.getLogger(__name__)

# Names listed in one warning; the table of predictions has them all.
_LISTED = 5


@dataclass(slots=True)
class Record:
    """One file. `label` is 1 bad, 0 good, None unlabelled; `error` says why it is unreadable.

    `extras` are the other columns of the file's row in the label table, notes included.
    `inputs` are the measured numbers that a learned head sees, (F,) float32; empty until
    `nightsift.data.inputs.attach_inputs`.
    """

    path: Path
    night: str = ""
    info: FrameInfo | None = None
    ref: TensorRef | None = None
    label: int | None = None
    extras: dict[str, str] = field(default_factory=dict)
    error: str = ""
    split: str = ""
    inputs: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))


@dataclass(frozen=True)
class NightData:
    """Readable records of one night.

    Attributes:
        name: unique name of the night.
        records: in time order.
        ordered: False for mixed frames, which have no windows.
        timed: whether every frame has a time.
    """

    name: str
    records: tuple[Record, ...]
    ordered: bool
    timed: bool

    @property
    def labels(self) -> list[int]:
        """The labels of the labelled frames."""
        return [record.label for record in self.records if record.label is not None]

    @property
    def fingerprint(self) -> str:
        """16 hex digits that stay the same when the night's folder is moved or renamed."""
        first = self.records[0]
        facts = first.info.to_json() if first.info else {}
        return hashlib.sha256(f"{first.path.name}|{facts}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Catalogue:
    """All nights, files that could not be read or were left out, and what became of the labels."""

    nights: tuple[NightData, ...]
    unreadable: tuple[Record, ...]
    unmatched_labels: tuple[str, ...]
    left_out: tuple[Record, ...] = ()

    @property
    def records(self) -> list[Record]:
        """Every record but those left out, unreadable ones last."""
        readable = [record for night in self.nights for record in night.records]
        return readable + list(self.unreadable)

    def summary(self) -> str:
        """One line of counts."""
        records = self.records
        bad = sum(record.label == 1 for record in records)
        good = sum(record.label == 0 for record in records)
        ordered = sum(night.ordered for night in self.nights)
        return (
            f"{len(records)} files: {ordered} nights with windows, "
            f"{bad} bad, {good} good, {len(records) - bad - good} unlabelled, "
            f"{len(self.unreadable)} unreadable"
        )


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
        left_out: files that are listed but not read, and why.
    """

    mixed_dirs: Sequence[Path] = ()
    seq_dirs: Sequence[Path] = ()
    label_csv: Sequence[Path] = ()
    label_dirs: Sequence[Path] = ()
    labels_from_names: bool = False
    max_gap_h: float = 4.0
    passed_over: frozenset[Path] = frozenset()
    left_out: Mapping[Path, str] = field(default_factory=dict)


def build_catalogue(
    sources: Sources,
    cache: TensorCache,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Catalogue:
    """Find, read, label and group all frames of `sources`.

    A file that lies in both kinds of folders is a frame of a sequence.

    Raises:
        NightsiftError: a folder is missing or empty, a label table is wrong or ambiguous, or
            not one file could be read.
    """
    seq_files = _files(sources.seq_dirs, sources)
    taken = {path.resolve() for path in seq_files}
    mixed_files = [
        path for path in _files(sources.mixed_dirs, sources) if path.resolve() not in taken
    ]
    files = seq_files + mixed_files
    if not files:
        raise NightsiftError("no frames: give data.seq_dirs=[..] or data.mixed_dirs=[..]")
    records = {
        frame.path: Record(frame.path, info=frame.info, ref=frame.ref, error=frame.error)
        for frame in cache.ensure(files, progress=progress)
    }
    match = _label(records, sources)
    readable = {path: record for path, record in records.items() if not record.error}
    if not readable:
        first = next(iter(records.values()))
        raise NightsiftError(
            f"none of {len(records)} files could be read; {first.path}: {first.error}"
        )
    unreadable = [record for record in records.values() if record.error]
    left_out = [Record(path, error=why) for path, why in sources.left_out.items()]
    for record in (*unreadable, *left_out):
        record.night = record.path.parent.name
    _warn_listed("unreadable files", [f"{r.path}: {r.error}" for r in unreadable])
    nights = _group(readable, seq_files, sources, ordered=True)
    nights += _group(readable, mixed_files, sources, ordered=False)
    return Catalogue(tuple(nights), tuple(unreadable), tuple(match.unmatched_rows), tuple(left_out))


def _files(folders: Sequence[Path], sources: Sources) -> list[Path]:
    aside = sources.passed_over | sources.left_out.keys()
    found = _unique(path for folder in folders for path in find_files(folder))
    return [path for path in found if path not in aside]


def _label(records: dict[Path, Record], sources: Sources) -> LabelMatch:
    """Put labels and the other columns of the tables onto the records."""
    named = list(sources.label_csv)
    folders = [*sources.label_dirs, *sources.seq_dirs, *sources.mixed_dirs]
    found = [csv for folder in folders if folder.is_dir() for csv in find_label_csvs(folder)]
    tables = [read_label_csv(path) for path in _unique([*named, *found])]
    match = match_labels(tables, list(records))
    for path, label in match.labels.items():
        records[path].label = label
    for path, extras in match.extras.items():
        records[path].extras = extras
    if sources.labels_from_names:
        for path, record in records.items():
            if record.label is None and path not in match.extras:
                record.label = label_from_name(path)
    _warn_listed("label rows match no file", match.unmatched_rows)
    if tables:
        unlabelled = [str(path) for path, record in records.items() if record.label is None]
        _warn_listed("files are without a label (never trained on, never counted)", unlabelled)
    return match


def _group(
    readable: dict[Path, Record], files: list[Path], sources: Sources, *, ordered: bool
) -> list[NightData]:
    infos = {path: readable[path].info for path in files if path in readable}
    nights: list[Night] = group_nights(
        {path: info for path, info in infos.items() if info is not None},
        max_gap_h=sources.max_gap_h,
    )
    groups: list[NightData] = []
    for night in nights:
        members = tuple(readable[path] for path in night.files)
        # Loose frames without a time share nothing: each is a unit of its own.
        units = [members] if ordered or night.timed else [(member,) for member in members]
        for number, unit in enumerate(units):
            name = night.name if len(units) == 1 else f"{night.name}.{number + 1}"
            for record in unit:
                record.night = name
            groups.append(NightData(name, unit, ordered, night.timed))
    return groups


def _unique(paths: Iterable[Path]) -> list[Path]:
    seen: dict[Path, Path] = {}
    for path in paths:
        seen.setdefault(path.resolve(), path)
    return list(seen.values())


def _warn_listed(what: str, names: Sequence[str]) -> None:
    if names:
        more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        log.warning("%d %s: %s%s", len(names), what, "; ".join(names[:_LISTED]), more)
