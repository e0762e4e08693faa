"""A label table that keeps what it is not asked to change: rows stay text until they are edited."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nightsift.errors import NightsiftError
from nightsift.fits.labels import (
    FILE_COLUMNS,
    LABEL_COLUMNS,
    decode_table,
    find_column,
    find_delimiter,
    parse_label,
)
from nightsift.review.journal import Entry

COLUMNS = ("file", "label", "notes", "timestamp")
# How tables say bad and good; ours where a table has no label yet.
_WORDS = (("bad", "good"), ("1", "0"), ("1.0", "0.0"), ("true", "false"), ("yes", "no"))


class LabelCsv:
    """The text of a label table, record by record.

    Byte order mark, encoding, separator, line ends, unknown columns, the order of the rows, and
    rows that are not edited stay as they are. The first edit brings `file`, `label`, `notes`
    and `timestamp` to the front, under the names that the table has for them.

    Args:
        path: of the table; for messages only.
        content: of the file; empty for a new table.

    Raises:
        NightsiftError: the content is no label table.
    """

    def __init__(self, path: Path, content: bytes = b"") -> None:
        if b"\0" in content:
            raise NightsiftError(f"{path}: expected a label table (CSV), found a binary file")
        self.path = path
        text, self._encoding = decode_table(content)
        delimiter = find_delimiter(text)
        self._delimiter = delimiter or ","
        self._preamble, self.columns, self._records, self.names = self._split(text)
        if delimiter is None:  # blank lines at most: begin anew
            self._preamble, self.columns = "", list(COLUMNS)
        self._newline = _line_end(self._preamble) or "\n"
        self._places = self._find_places()
        # One row per name is the rule: lists for the exceptions only keep a million rows quick.
        self._row = dict(zip(self.names, range(len(self.names)), strict=True))
        self._rows: dict[str, list[int]] = {}
        if len(self._row) < len(self.names):
            for row, name in enumerate(self.names):
                if self._row[name] != row or name in self._rows:
                    self._rows.setdefault(name, []).append(row)

    def rows(self, name: str) -> list[int]:
        """The rows whose file cell is `name`, blanks around it aside."""
        if name in self._rows:
            return self._rows[name]
        return [self._row[name]] if name and name in self._row else []

    def entry(self, row: int) -> Entry:
        """What a row says."""
        cells = self._cells(row)
        return Entry(*("" if place is None else cells[place] for place in self._places[1:]))

    def find(self, name: str) -> Entry | None:
        """What the table says of `name`: of several rows the last; None without a row.

        Rows that contradict each other say nothing: the label is blank.
        """
        rows = self.rows(name)
        if not rows:
            return None
        entries = [self.entry(row) for row in rows]
        known = {parse_label(entry.label) for entry in entries} - {None}
        if len(known) > 1:
            return entries[-1]._replace(label="")
        # A blank row does not overrule a labelled one, as in training.
        return next((e for e in reversed(entries) if parse_label(e.label) is not None), entries[-1])

    def put(self, name: str, entry: Entry | None) -> None:
        """Make the table say `entry` of `name`, in every row of that name.

        Notes differ between rows on purpose: of several rows only the last gets the note. None
        removes the rows that hold nothing but the name.
        """
        self._arrange()
        rows = self.rows(name)
        if not rows and entry is not None:
            cells = [name, *entry, *[""] * (len(self.columns) - len(COLUMNS))]
            self._append(name, cells)
        for row in rows:
            cells = self._cells(row)
            notes = (entry or Entry()).notes if row == rows[-1] else cells[2]
            cells[1:4] = (entry or Entry())._replace(notes=notes)
            if entry is None and not any(cells[1:]):
                self._records[row], self.names[row] = "", ""
                self._rows[name] = [other for other in self.rows(name) if other != row]
            else:
                end = _line_end(self._records[row])
                self._records[row] = self._line(cells, end)

    def word(self, label: int) -> str:
        """How this table writes a label, 1 bad or 0 good."""
        for row in range(min(len(self.names), 1000)):
            text = self.entry(row).label.strip().casefold() if self.names[row] else ""
            for words in _WORDS:
                if text in words:
                    return words[1 - label]
        return _WORDS[0][1 - label]

    def encode(self) -> bytes:
        """The content of the file; UTF-8 where the old encoding has no such character."""
        text = "".join([self._preamble or self._line(self.columns, self._newline), *self._records])
        try:
            return text.encode(self._encoding)
        except UnicodeEncodeError:
            return text.encode("utf-8")

    def _split(self, text: str) -> tuple[str, list[str], list[str], list[str]]:
        """Heading with what stands before it, its cells, then text and file cell of each record."""
        lines = list(io.StringIO(text, newline=""))
        reader = csv.reader(lines, delimiter=self._delimiter)
        columns, start = list[str](), 0
        try:
            while not any(cell.strip() for cell in columns) and start < len(lines):
                columns, start = next(reader), reader.line_num
            place = columns.index(find_column(self.path, columns, FILE_COLUMNS)) if columns else 0
            width = len(columns)
            names = [
                cells[place].strip() if len(cells) == width else self._blank(cells, width, reader)
                for cells in reader
            ]
        except csv.Error as error:
            raise NightsiftError(f"{self.path}, line {reader.line_num}: {error}") from error
        preamble, records = "".join(lines[:start]), lines[start:]
        if len(names) < len(records):  # notes that run over several lines
            records = _joined(records, self._delimiter)
        return preamble, columns, records, names

    def _blank(self, cells: list[str], width: int, reader: Any) -> str:
        if not cells:
            return ""
        raise NightsiftError(
            f"{self.path}, line {reader.line_num}: expected {width} cells, found {len(cells)}; "
            "put quotes around text that holds a separator"
        )

    def _find_places(self) -> tuple[int | None, ...]:
        if len(set(self.columns)) < len(self.columns):
            raise NightsiftError(
                f"{self.path}: two columns have the same name: {', '.join(self.columns)}"
            )
        by_name = {column.strip().casefold(): i for i, column in enumerate(self.columns)}
        file = find_column(self.path, self.columns, FILE_COLUMNS)
        label = find_column(self.path, self.columns, LABEL_COLUMNS)
        places = (self.columns.index(file), self.columns.index(label))
        return (*places, *(by_name.get(name) for name in COLUMNS[2:]))

    def _arrange(self) -> None:
        """Bring our four columns to the front, once; most tables have them there already."""
        if self._places == (0, 1, 2, 3):
            if self._records and not _line_end(self._records[-1]):
                self._records[-1] += self._newline
            elif self._preamble and not _line_end(self._preamble):
                self._preamble += self._newline
            return
        places = self._places
        others = [i for i in range(len(self.columns)) if i not in places]

        def arranged(cells: Sequence[str], absent: Sequence[str]) -> list[str]:
            front = [absent[i] if p is None else cells[p] for i, p in enumerate(places)]
            return front + [cells[i] for i in others]

        for row, record in enumerate(self._records):
            if record.strip("\r\n"):
                cells = arranged(self._cells(row), ("",) * 4)
                self._records[row] = self._line(cells, _line_end(record) or self._newline)
        self.columns = arranged(self.columns, COLUMNS)
        self._preamble = self._line(self.columns, self._newline)
        self._places = (0, 1, 2, 3)

    def _append(self, name: str, cells: Sequence[str]) -> None:
        self._rows[name] = [len(self._records)]
        self._records.append(self._line(cells, self._newline))
        self.names.append(name)

    def _cells(self, row: int) -> list[str]:
        lines = io.StringIO(self._records[row], newline="")
        return next(csv.reader(lines, delimiter=self._delimiter))

    def _line(self, cells: Sequence[str], end: str) -> str:
        stream = io.StringIO()
        csv.writer(stream, delimiter=self._delimiter, lineterminator=end).writerow(cells)
        return stream.getvalue()


def _joined(lines: list[str], delimiter: str) -> list[str]:
    """Physical lines joined to records."""
    reader = csv.reader(lines, delimiter=delimiter)
    records, start = list[str](), 0
    for _ in reader:
        records.append("".join(lines[start : reader.line_num]))
        start = reader.line_num
    return records


def _line_end(text: str) -> str:
    for end in ("\r\n", "\n", "\r"):
        if text.endswith(end):
            return end
    return ""
