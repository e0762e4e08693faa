"""Decisions on disk before the next key is handled, and how they meet what a table holds.

A journal is a file of JSON lines beside the label table. All windows on that table append to
one journal; whoever rewrites the table takes in everybody's decisions and drops them from the
journal afterwards. A process killed in between leaves decisions that are in the table already:
`replay` recognises them.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Sequence
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

log = logging.getLogger(__name__)

# Appending takes milliseconds; who holds the lock for longer is stuck.
_LOCK_TIMEOUT_S = 10.0


class Entry(NamedTuple):
    """What a label table says of one frame, as written there."""

    label: str = ""
    notes: str = ""
    timestamp: str = ""


class Decision(NamedTuple):
    """A person's change of one entry.

    Attributes:
        name: the cell of the file column that means the frame.
        before: the entry that the person saw; None where the table had no row.
        after: the entry wanted; None takes back a row that a decision had added.
    """

    name: str
    before: Entry | None
    after: Entry | None

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps([1, *self], ensure_ascii=True).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Decision:
        """The inverse of `to_line`.

        Raises:
            ValueError: the line is damaged.
        """
        try:
            version, name, before, after = json.loads(line)
            entries = [None if cells is None else Entry(*cells) for cells in (before, after)]
        except TypeError as error:
            raise ValueError(str(error)) from error
        texts = [name, *(entries[0] or ()), *(entries[1] or ())]
        if version != 1 or not all(isinstance(text, str) for text in texts):
            raise ValueError("no decision")
        return cls(name, *entries)


class Journal:
    """An append-only file of decisions, shared by every window on one label table.

    Args:
        path: the file; it exists only while it holds decisions.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_name(f"{path.name}.lock")

    def append(self, decisions: Iterable[Decision]) -> None:
        """Write decisions and wait until the disk has them.

        Raises:
            OSError: they are not safe.
        """
        lines = b"".join(decision.to_line() for decision in decisions)
        # Unbuffered: what a full disk refused must not be written once more when the file closes.
        with self._lock(), self.path.open("ab+", buffering=0) as stream:
            size = stream.seek(0, os.SEEK_END)
            try:
                # The line that a killed process did not finish must not swallow ours.
                rest = memoryview((b"" if _ends_clean(stream, size) else b"\n") + lines)
                while rest:
                    rest = rest[stream.write(rest) :]
                os.fsync(stream.fileno())
            except OSError:
                stream.truncate(size)
                raise
        if size == 0:
            sync_folder(self.path.parent)

    def read(self) -> tuple[list[Decision], int]:
        """All decisions, and the size in bytes of what was read; a damaged line is left out."""
        if not self.path.exists():
            return [], 0
        with self._lock():
            content = self.path.read_bytes() if self.path.exists() else b""
        decisions = []
        for line in content.splitlines():
            try:
                decisions.append(Decision.from_line(line))
            except ValueError:
                if line:
                    log.warning("%s: a damaged line was left out", self.path)
        return decisions, len(content)

    def drop(self, size: int, *, keep: Sequence[Decision] = ()) -> None:
        """Forget the first `size` bytes, which the table holds now, but for `keep`."""
        if size == 0:
            return
        with self._lock():
            content = self.path.read_bytes() if self.path.exists() else b""
            rest = b"".join(decision.to_line() for decision in keep) + content[size:]
            if rest == content:
                return
            if not rest:
                self.path.unlink(missing_ok=True)
                return
            temporary = self.path.with_name(f"{self.path.name}.part")
            with temporary.open("wb") as stream:
                stream.write(rest)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.path)

    def _lock(self) -> FileLock:
        return FileLock(self._lock_path, timeout=_LOCK_TIMEOUT_S)


class Outcome(NamedTuple):
    """What became of the decisions on one entry.

    Attributes:
        entry: what the table shall say; None for no row.
        refused: decisions made without knowledge of what the table says; empty without conflict.
    """

    entry: Entry | None
    refused: list[Decision]


def replay(decisions: Sequence[Decision], current: Entry | None) -> Outcome:
    """Apply decisions on one frame to what the table says now.

    A decision counts where the table has the label and note that the person saw, or those that
    the person wanted (it was applied before). Otherwise somebody else has changed the entry
    meanwhile: the table stays, until a decision made in its knowledge settles the matter. A
    label and a note changed at different places are both kept.

    Args:
        decisions: on one frame, in the order in which they were made.
        current: the entry in the table, None where there is no row.
    """
    entry, refused = current, list[Decision]()
    for decision in decisions:
        now, before = entry or Entry(), decision.before or Entry()
        after = decision.after or Entry()
        labels = now.label in (before.label, after.label)
        notes = now.notes in (before.notes, after.notes)
        if labels and notes:
            entry = decision.after
            refused.clear()
        elif labels and before.notes == after.notes:
            entry = after._replace(notes=now.notes)
        elif notes and before.label == after.label:
            entry = now._replace(notes=after.notes)
        else:
            refused.append(decision)
    if refused and _content(refused[0].before) == _content(refused[-1].after):
        refused.clear()
    return Outcome(entry, refused)


def sync_folder(folder: Path) -> None:
    """Make the names of new files durable, where the system can (not on Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _content(entry: Entry | None) -> tuple[str, str]:
    return (entry.label, entry.notes) if entry else ("", "")


def _ends_clean(stream: FileIO, size: int) -> bool:
    if size == 0:
        return True
    stream.seek(size - 1)
    return stream.read(1) == b"\n"
