"""Label tables: what an observer said about which file."""

from __future__ import annotations

import csv
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.fits.reader import COMPRESSED_SUFFIXES

log = logging.getLogger(__name__)

FILE_COLUMNS = ("file", "filename", "path", "image", "fname")
LABEL_COLUMNS = ("label", "class", "target", "y")
VALUES = {
    **dict.fromkeys(("bad", "1", "1.0", "true", "yes"), 1),
    **dict.fromkeys(("good", "0", "0.0", "false", "no"), 0),
}


@dataclass(frozen=True)
class LabelTable:
    """One CSV of labels; `rows` hold every cell as text, exactly as in the file."""

    path: Path
    rows: pd.DataFrame
    file_column: str
    label_column: str


class LabelMatch(NamedTuple):
    """Labels found for files.

    Attributes:
        labels: 1 bad, 0 good; unlabelled files are absent.
        extras: the other cells of the row of a file, notes included.
        unmatched_rows: `table: name` of rows that belong to no file.
        unlabelled: files without a label.
    """

    labels: dict[Path, int]
    extras: dict[Path, dict[str, str]]
    unmatched_rows: list[str]
    unlabelled: list[Path]


def parse_label(text: str) -> int | None:
    """1 for bad/1/true/yes, 0 for good/0/false/no in any case, None for anything else."""
    return VALUES.get(text.strip().casefold())


def label_from_name(path: Path) -> int:
    """The old rule: 1 if "bad" stands anywhere in the file name, else 0."""
    return int("bad" in path.name.casefold())


def find_label_csvs(folder: Path) -> list[Path]:
    """Every `*labels*.csv` in a folder and below it, backups and hidden files left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() == ".csv"
        and "labels" in path.name.lower()
        and ".bak" not in path.name.lower()
        and not path.name.startswith(".")
        and path.is_file()
    )


def read_label_csv(path: Path) -> LabelTable:
    """Read a label table separated by comma, semicolon or tab.

    Raises:
        NightsiftError: no such file, empty, ragged, or without a file or a label column.
    """
    if not path.is_file():
        raise NightsiftError(f"{path}: no such label table")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    first = next(iter(text.splitlines()), "")
    separator = max(",;\t", key=first.count)
    lines = list(csv.reader(text.splitlines(keepends=True), delimiter=separator))
    if not lines:
        raise NightsiftError(f"{path}: empty, expected columns such as file,label")
    header = [name.strip() for name in lines[0]]
    file_column = _column(path, header, FILE_COLUMNS)
    label_column = _column(path, header, LABEL_COLUMNS)
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) > len(header) and any(cells[len(header) :]):
            raise NightsiftError(
                f"{path} line {number}: {len(cells)} cells under {len(header)} columns; "
                "quote cells that hold a separator"
            )
        if any(cells):
            rows.append((cells + [""] * len(header))[: len(header)])
    return LabelTable(
        path, pd.DataFrame(rows, columns=header, dtype=str), file_column, label_column
    )


def _column(path: Path, header: Sequence[str], wanted: Sequence[str]) -> str:
    lower = {name.casefold(): name for name in reversed(header)}
    for name in wanted:
        if name in lower:
            return lower[name]
    raise NightsiftError(
        f"{path}: expected a column called {' or '.join(wanted)}, found {', '.join(header)}"
    )


def match_labels(tables: Sequence[LabelTable], files: Sequence[Path]) -> LabelMatch:
    """Give each row of each table to its file.

    A row belongs to the file of its path (absolute, or relative to the table's folder or the
    working directory), else to the file of its name in the table's folder, else below it,
    else to the only file of that name. Paths are compared, never opened.

    Args:
        tables: in order of trust; an earlier table wins, and any label wins over none.
        files: the frames.

    Raises:
        NightsiftError: a row that fits several files, or two contradicting rows in one table.
    """
    index = _FileIndex(files)
    labels: dict[Path, int] = {}
    extras: dict[Path, dict[str, str]] = {}
    unmatched: list[str] = []
    overruled = 0
    for table in tables:
        own: dict[Path, int] = {}
        for row in table.rows.to_dict("records"):
            name = str(row[table.file_column]).strip()
            path = index.find(name, table.path)
            if path is None:
                unmatched.append(f"{table.path.name}: {name}")
                continue
            label = parse_label(str(row[table.label_column]))
            if label is not None and own.setdefault(path, label) != label:
                raise NightsiftError(f"{table.path}: {name} is labelled both good and bad")
            taken = {table.file_column, table.label_column}
            extras.setdefault(path, {}).update(_others(row, taken, extras.get(path, {})))
        overruled += sum(labels.get(path, label) != label for path, label in own.items())
        labels = {**own, **labels}
    if overruled:
        log.warning("%d labels contradict an earlier table, which is believed", overruled)
    unlabelled = [path for path in files if path not in labels]
    return LabelMatch(labels, extras, unmatched, unlabelled)


def _others(
    row: Mapping[object, object], taken: set[str], known: Mapping[str, str]
) -> dict[str, str]:
    return {
        str(key): str(value)
        for key, value in row.items()
        if key not in taken and (value or key not in known)
    }


class _FileIndex:
    """Looks files up by resolved path and by name."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.by_path = {path.resolve(): path for path in files}
        self.by_name: dict[str, list[tuple[Path, Path]]] = defaultdict(list)
        for resolved, path in self.by_path.items():
            self.by_name[path.name].append((resolved, path))
            for suffix in COMPRESSED_SUFFIXES:
                if path.name.lower().endswith(suffix):
                    # A table written before the files were compressed still fits them.
                    plain = path.name[: -len(suffix)]
                    self.by_name[f"{plain}\0"].append((resolved, path))

    def find(self, name: str, table: Path) -> Path | None:
        """The file that `name` in `table` means, or None."""
        if not name or "\0" in name:
            return None
        for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
            for candidate in (table.parent / spelling, Path(spelling)):
                try:
                    found = self.by_path.get(candidate.resolve())
                except (OSError, RuntimeError):
                    continue
                if found is not None:
                    return found
        base = name.replace("\\", "/").rsplit("/", 1)[-1]
        return self._by_name(base, name, table) or self._by_name(f"{base}\0", name, table)

    def _by_name(self, base: str, name: str, table: Path) -> Path | None:
        candidates = self.by_name.get(base, [])
        folder = table.resolve().parent
        beside = [path for resolved, path in candidates if resolved.parent == folder]
        below = [path for resolved, path in candidates if resolved.is_relative_to(folder)]
        for group in (beside, below, [path for _, path in candidates]):
            if len(group) == 1:
                return group[0]
            if len(group) > 1:
                raise NightsiftError(
                    f"{table}: {name} may be {group[0]} or {group[1]}; give the path"
                )
        return None
