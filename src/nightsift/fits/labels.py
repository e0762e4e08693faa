"""Label tables: CSV files written by people and programs, matched to the files they mean."""

from __future__ import annotations

import codecs
import csv
import io
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nightsift.errors import NightsiftError
from nightsift.fits.folders import natural_key, walk_files
from nightsift.fits.names import FileIndex

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

FILE_COLUMNS = ("file", "filename", "path", "image", "fname")
LABEL_COLUMNS = ("label", "class", "target", "y")
_BAD = {"bad", "1", "1.0", "true", "yes"}
_GOOD = {"good", "0", "0.0", "false", "no"}


@dataclass
class LabelTable:
    """A label CSV as it stands.

    Attributes:
        path: where it was read from.
        rows: all columns and rows in order, every cell the string that the file holds.
        file_column: the column that names the frame.
        label_column: the column that holds the label.
    """

    path: Path
    rows: pd.DataFrame
    file_column: str
    label_column: str


class LabelMatch(NamedTuple):
    """Which label belongs to which file.

    Attributes:
        labels: 1 bad, 0 good; labelled files only.
        extras: the other columns of a matched file's row, notes included.
        unmatched_rows: `table: name` of rows that mean none of the files.
    """

    labels: dict[Path, int]
    extras: dict[Path, dict[str, str]]
    unmatched_rows: list[str]


def parse_label(text: str) -> int | None:
    """1 for bad, 0 for good (also 1/0, true/false, yes/no); None for anything else."""
    word = text.strip().casefold()
    if word in _BAD:
        return 1
    return 0 if word in _GOOD else None


def label_from_name(path: Path) -> int:
    """1 if the file name contains "bad" in any case, else 0."""
    return int("bad" in path.name.casefold())


def find_label_csvs(folder: Path) -> list[Path]:
    """Every `*labels*.csv` in the folder and below, but for hidden files and backups."""
    if not folder.is_dir():
        return []
    found = [path for path in walk_files(folder) if _is_label_csv(path.name.casefold())]
    return sorted(found, key=lambda path: [natural_key(part) for part in path.parts])


def read_label_csv(path: Path) -> LabelTable:
    """Read a label table separated by comma, semicolon or tab, in UTF-8 or Latin-1.

    Raises:
        NightsiftError: it cannot be read, is empty, has a row with more or fewer cells than
            the heading, or lacks the column of files or of labels.
    """
    import pandas as pd  # half a second that the review window does not need

    try:
        content = path.read_bytes()
    except OSError as error:
        raise NightsiftError(f"{path}: cannot read the label table: {error.strerror}") from error
    text, _ = decode_table(content)
    delimiter = find_delimiter(text)
    if delimiter is None:
        raise NightsiftError(f"{path}: the label table is empty; expected a line of column names")
    columns, *rows = _cells(path, text, delimiter)
    if len(set(columns)) < len(columns):
        raise NightsiftError(f"{path}: two columns have the same name: {', '.join(columns)}")
    frame = pd.DataFrame(rows, columns=columns, dtype=str)
    file_column = find_column(path, columns, FILE_COLUMNS)
    return LabelTable(path, frame, file_column, find_column(path, columns, LABEL_COLUMNS))


def decode_table(content: bytes) -> tuple[str, str]:
    """The text of a table and the encoding that turns it back into the same bytes."""
    encoding = "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def find_delimiter(text: str) -> str | None:
    """Comma, semicolon or tab, whichever the heading has most of; None without a heading."""
    heading = re.search(r"[^\r\n]*[^\s\ufeff][^\r\n]*", text)
    return None if heading is None else max(",;\t", key=heading[0].count)


def find_column(path: Path, columns: Sequence[str], known: Sequence[str]) -> str:
    """The column that has one of the `known` names in any case, the earlier name first.

    Raises:
        NightsiftError: there is none.
    """
    by_name = {column.strip().casefold(): column for column in reversed(columns)}
    for name in known:
        if name in by_name:
            return by_name[name]
    raise NightsiftError(
        f"{path}: expected a column named {', '.join(known[:-1])} or {known[-1]}, "
        f"found {', '.join(columns)}"
    )


def match_labels(tables: Sequence[LabelTable], files: Sequence[Path]) -> LabelMatch:
    """Find the file that each row means.

    A row means the file at its path (absolute, or relative to the table or to the working
    directory), else the one of that name beside or below the table, else the only one of
    that name. A row with a folder in it, unless it means a file beside the table, is matched
    by name only to files in a folder of that name. A table that means files beside or below it
    means no others: a row for a deleted frame must not label another night's. `x.fits` also
    means `x.fits.gz`, `.bz2` or `.fz` where nothing has the name itself. Of several tables the
    earlier one wins; no label never overrules a label.

    Raises:
        NightsiftError: a row could mean several files, or a table contradicts itself.
    """
    index = FileIndex(files)
    match = LabelMatch({}, {}, [])
    for table in tables:
        own = _match_table(table, index, match)
        differing = sum(match.labels.get(path, label) != label for path, label in own.items())
        if differing:
            log.warning("%s: %d labels differ from an earlier table", table.path, differing)
        match.labels.update({p: label for p, label in own.items() if p not in match.labels})
    return match


def _match_table(table: LabelTable, index: FileIndex, match: LabelMatch) -> dict[Path, int]:
    """Labels of one table; its other columns and strays go into `match`."""
    labels: dict[Path, int] = {}
    texts: dict[Path, str] = {}
    names = [str(name).strip() for name in table.rows[table.file_column]]
    elsewhere = not any(name and index.find(name, table.path, elsewhere=False) for name in names)
    for row in table.rows.to_dict("records"):
        cells = {str(key): str(value) for key, value in row.items()}
        name, text = cells.pop(table.file_column).strip(), cells.pop(table.label_column)
        paths = index.find(name, table.path, elsewhere=elsewhere) if name else []
        if not paths:
            match.unmatched_rows.append(f"{table.path.name}: {name or '(no file name)'}")
        label = parse_label(text)
        for path in paths:
            match.extras[path] = {**cells, **match.extras.get(path, {})}
            if label is None:
                continue
            if labels.setdefault(path, label) != label:
                values = f"{texts[path].strip()} and {text.strip()}"
                raise NightsiftError(f"{table.path}: {path} is labelled both {values}: keep one")
            texts.setdefault(path, text)
    return labels


def _is_label_csv(name: str) -> bool:
    wanted = "labels" in name and name.endswith(".csv")
    return wanted and ".bak" not in name and not name.startswith(".")


def _cells(path: Path, text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not row:
                continue
            if rows and len(row) != len(rows[0]):
                raise NightsiftError(
                    f"{path}, line {reader.line_num}: expected {len(rows[0])} cells, found "
                    f"{len(row)}; put quotes around text that holds a separator"
                )
            rows.append(row)
    except csv.Error as error:
        raise NightsiftError(f"{path}, line {reader.line_num}: {error}") from error
    return rows
