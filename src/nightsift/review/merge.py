"""Takes journals into the label table: what others wrote stays, what was decided gets in."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from nightsift.errors import NightsiftError
from nightsift.files import replacing
from nightsift.review.journal import Decision, Entry, Journal, replay, sync_folder
from nightsift.review.table import LabelCsv

BACKUPS = 5
# A backup of each key press would push out the state worth going back to within seconds.
BACKUP_AGE_S = 600.0
_LOCK_TIMEOUT_S = 30.0


class Merged(NamedTuple):
    """What a merge found.

    Attributes:
        entries: of the names asked for; None without a row.
        refused: name to the entry that was decided while somebody else wrote another one.
        words: how the table says good and bad.
        problem: why decisions are not in the table yet; empty if they are.
    """

    entries: dict[str, Entry | None]
    refused: dict[str, Entry]
    words: tuple[str, str]
    problem: str


class TableWriter:
    """The one place that writes a label table.

    Args:
        csv: the table, links resolved; need not exist.
        journals: where decisions wait, the one to be read first first.

    Raises:
        NightsiftError: the file is no label table.
    """

    def __init__(self, csv: Path, journals: Sequence[Journal]) -> None:
        self.csv = csv
        self.journals = journals
        self._lock_path = csv.with_name(f".{csv.name}.lock")
        self._stamp: object = None
        self._content: bytes | None = None
        self._backed_up = False
        try:
            self._refresh()
        except OSError as error:
            raise NightsiftError(f"{csv}: cannot read the label table: {_why(error)}") from error

    def stale(self) -> bool:
        """Whether the table on disk is another one than at the last merge."""
        return self._stamp != _stamp(self.csv)

    def merge(self, names: Iterable[str], unsafe: Sequence[Decision] = ()) -> Merged:
        """Bring all waiting decisions into the table and read it.

        Args:
            names: cells of the file column whose entries are asked for.
            unsafe: decisions that no journal would take.

        Returns:
            The table as it is with the decisions in it, also where it could not be written.
        """
        refused: list[Decision] = []
        problem = ""
        try:
            if unsafe or any(journal.path.exists() for journal in self.journals):
                with FileLock(self._lock_path, timeout=_LOCK_TIMEOUT_S):
                    refused = self._merge(unsafe)
            else:
                self._refresh()
        except (OSError, Timeout, NightsiftError) as error:
            problem = _why(error)
            self._content = None
            refused = self._apply([*self._waiting(), *unsafe])
        return Merged(
            {name: self.table.find(name) for name in names},
            {decision.name: decision.after or Entry() for decision in refused},
            (self.table.word(0), self.table.word(1)),
            problem,
        )

    def _merge(self, unsafe: Sequence[Decision]) -> list[Decision]:
        batches = [journal.read() for journal in self.journals]
        self._refresh()
        waiting = [decision for decisions, _ in batches for decision in decisions]
        refused = self._apply([*waiting, *unsafe])
        self._write()
        # What was refused waits for the person, also when this window is gone.
        for journal, (decisions, size) in zip(self.journals, batches, strict=True):
            keep = [decision for decision in decisions if decision in refused]
            if len(keep) < len(decisions):
                journal.drop(size, keep=keep)
        return refused

    def _apply(self, decisions: Sequence[Decision]) -> list[Decision]:
        by_name: dict[str, list[Decision]] = {}
        for decision in decisions:
            by_name.setdefault(decision.name, []).append(decision)
        refused: list[Decision] = []
        for name, own in by_name.items():
            current = self.table.find(name)
            outcome = replay(own, current)
            refused += outcome.refused
            if outcome.entry != current:
                self.table.put(name, outcome.entry)
        return refused

    def _refresh(self) -> None:
        """Read the table if it is not the one in memory; one that was removed is kept."""
        stamp = _stamp(self.csv)
        if stamp is None and hasattr(self, "table"):
            return
        content = self.csv.read_bytes() if stamp else b""
        if content != self._content:
            self.table = LabelCsv(self.csv, content)
        self._content, self._stamp = content, stamp

    def _write(self) -> None:
        content = self.table.encode()
        if content == self._content and self.csv.exists():
            return
        self._content = None  # until the new one is in place, memory and disk differ
        self._back_up()
        with replacing(self.csv) as temporary:
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            if self.csv.exists():
                shutil.copymode(self.csv, temporary)
        sync_folder(self.csv.parent)
        self._content, self._stamp = content, _stamp(self.csv)

    def _back_up(self) -> None:
        """Keep the table as it was when this window first wrote, then every ten minutes."""
        names = [self.csv.with_name(f"{self.csv.name}.bak{i}") for i in range(1, BACKUPS + 1)]
        if not self.csv.exists() or (self._backed_up and _age_s(names[0]) < BACKUP_AGE_S):
            return
        with replacing(names[0]) as temporary:
            shutil.copyfile(self.csv, temporary)
            for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
                if newer.exists():
                    newer.replace(older)
        self._backed_up = True

    def _waiting(self) -> list[Decision]:
        decisions: list[Decision] = []
        for journal in self.journals:
            try:
                decisions += journal.read()[0]
            except (OSError, Timeout):
                continue  # the problem is told already; this is what can be shown meanwhile
        return decisions


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _age_s(path: Path) -> float:
    return time.time() - path.stat().st_mtime if path.exists() else float("inf")


def _why(error: Exception) -> str:
    if isinstance(error, Timeout):
        return f"another program holds {Path(error.lock_file).name}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
