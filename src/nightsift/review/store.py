"""The labels of the frames in the window: decided here, written behind, merged with others'.

`decide` returns when the journal holds the decision; a thread then takes it into the table.
`poll` starts that thread and brings what it found into view, so that nothing changes between
what a person sees and the key that the person presses.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from filelock import Timeout

from nightsift.errors import NightsiftError
from nightsift.fits.labels import parse_label
from nightsift.fits.names import FileIndex
from nightsift.review.journal import Decision, Entry, Journal
from nightsift.review.merge import Merged, TableWriter

RETRY_S = 2.0


class LabelStore:
    """Entries of frames in one label table; to be used from one thread.

    Args:
        csv: the table; need not exist.
        files: the frames.
        fallback_dir: where the journal goes when the folder of the table cannot be written.

    Raises:
        NightsiftError: the file is no label table; nothing was written then.
    """

    def __init__(self, csv: Path, files: Sequence[Path], *, fallback_dir: Path) -> None:
        self.csv = csv.resolve()  # a rename must not replace a link
        self.problem = ""
        self._journal = Journal(self.csv.with_name(f".{self.csv.name}.journal"))
        digest = hashlib.sha256(os.fsencode(self.csv)).hexdigest()[:12]
        self._fallback = Journal(fallback_dir / f"{self.csv.name}-{digest}.journal")
        self._writer = TableWriter(self.csv, [self._journal, self._fallback])
        self._names = _match(self._writer.table.names, files, self.csv)
        self._wanted = [name for names in self._names.values() for name in names]
        self._entries: dict[str, Entry | None] = {}
        self._conflicts: dict[str, Entry] = {}
        self._words = ("good", "bad")
        self._unseen: list[Decision] = []  # made since the last merge began
        self._unsafe: list[Decision] = []  # in no journal
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="labels")
        self._job: Future[Merged] | None = None
        self._merging_unsafe = 0
        self._retry_at = 0.0
        self._closed = self._saved = False
        self._adopt(self._writer.merge(self._wanted))

    def entry(self, path: Path) -> Entry:
        """What is known of a frame; blank where nothing is, or where rows contradict."""
        return self._known(path) or Entry()

    def label(self, path: Path) -> int | None:
        """1 bad, 0 good, None unlabelled."""
        return parse_label(self.entry(path).label)

    def conflict(self, path: Path) -> Entry | None:
        """What was decided here while somebody else wrote something different."""
        found = (self._conflicts.get(name) for name in self._names[path])
        return next((entry for entry in found if entry is not None), None)

    def judged(self, path: Path, label: int | None) -> Entry:
        """The entry of a frame once it is judged, now, to be bad (1), good (0) or neither."""
        if label is None:
            return self.entry(path)._replace(label="", timestamp="")
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        return self.entry(path)._replace(label=self._words[label], timestamp=stamp)

    def decide(self, wanted: Mapping[Path, Entry | None]) -> dict[Path, Entry | None]:
        """Make entries so; on return they are on disk, or `problem` says why not.

        Returns:
            The entries before, with which to take it back: None where there was no row.

        Raises:
            NightsiftError: a file name cannot be written into a table; nothing was decided.
        """
        before = {path: self._known(path) for path in wanted}
        decisions = [
            Decision(name, self._entries.get(name), entry)
            for path, entry in wanted.items()
            for name in self._names[path]
            if self._entries.get(name) != entry
        ]
        for decision in decisions:
            _check(decision.name)
        if decisions:
            self._secure(decisions)
            self._unseen += decisions
            self._entries.update((decision.name, decision.after) for decision in decisions)
            for decision in decisions:
                self._conflicts.pop(decision.name, None)
            self._start()
        return before

    def poll(self) -> bool:
        """Look whether anything visible has changed; to be called a few times a second."""
        changed = False
        if self._job is not None and self._job.done():
            merged, self._job = self._job.result(), None
            if not merged.problem:
                del self._unsafe[: self._merging_unsafe]
            changed = self._adopt(merged)
        retry = self.problem and time.monotonic() > self._retry_at
        if self._unseen or retry or (not self.problem and self._writer_is_stale()):
            self._start()
        return changed

    def flush(self) -> bool:
        """Wait for the table; whether it holds every decision now."""
        self._retry_at = 0.0
        for _ in range(2):  # a merge may be under way that began before the last decision
            self._start()
            if self._job is not None:
                self._job.exception()
            self.poll()
        return not self._unseen and not self.problem

    def close(self) -> bool:
        """Write what is left and stop; whether the table holds every decision."""
        if not self._closed:
            self._saved = self.flush()
            self._closed = True
            self._pool.shutdown()
        return self._saved

    def _known(self, path: Path) -> Entry | None:
        rows = [self._entries.get(name) for name in self._names[path]]
        found = [row for row in rows if row is not None]
        if not found:
            return None
        labelled = [row for row in found if parse_label(row.label) is not None]
        if len({parse_label(row.label) for row in labelled}) > 1:
            return found[-1]._replace(label="")
        return (labelled or found)[-1]

    def _secure(self, decisions: Sequence[Decision]) -> None:
        """Into a journal, or into memory with a word about it."""
        owed = [*self._unsafe, *decisions]
        # Once the other journal is in use it gets everything: it is read last.
        first = [] if self._fallback.path.exists() else [self._journal]
        for journal in (*first, self._fallback):
            try:
                if journal is self._fallback:
                    journal.path.parent.mkdir(parents=True, exist_ok=True)
                journal.append(owed)
            except (OSError, Timeout) as error:
                why = getattr(error, "strerror", None) or str(error)
                self.problem = f"{journal.path.parent}: {why}"
                continue
            if self._job is None:
                self._unsafe.clear()
            return
        self._unsafe = owed

    def _start(self) -> None:
        if self._job is None:
            self._unseen.clear()
            self._merging_unsafe = len(self._unsafe)
            self._job = self._pool.submit(self._writer.merge, self._wanted, list(self._unsafe))

    def _writer_is_stale(self) -> bool:
        return self._job is None and self._writer.stale()

    def _adopt(self, merged: Merged) -> bool:
        made_since = {decision.name: decision.after for decision in self._unseen}
        new = (merged.entries | made_since, merged.refused, merged.problem)
        changed = new != (self._entries, self._conflicts, self.problem)
        self._entries, self._conflicts, self.problem = new
        self._words = merged.words
        self._retry_at = time.monotonic() + RETRY_S
        return changed


def _match(cells: Sequence[str], files: Sequence[Path], csv: Path) -> dict[Path, list[str]]:
    """The cells that mean each file; else the cell of its next row.

    As training finds them, but stricter: of the cells that mean a file only the surest count,
    and one with another folder in it never does. A row of another night would be overwritten.
    """
    index = FileIndex(files)
    names = {name for path in files for name in (path.name, path.resolve().name)}
    names |= {Path(name).stem for name in names}
    folders = {path.absolute().parent.name for path in files} | {"", ".", ".."}
    folders |= {path.resolve().parent.name for path in files}
    # A table may hold a million rows of other nights: only likely ones are looked at closely.
    likely = set()
    for cell in cells:
        *parents, name = cell.replace("\\", "/").rsplit("/", 2)
        if name in names and (not parents or parents[-1] in folders):
            likely.add(cell)
    beside = {cell: index.find(cell, csv, elsewhere=False) for cell in sorted(likely)}
    elsewhere = not any(beside.values())
    found: dict[Path, dict[int, list[str]]] = {}
    for cell in beside:
        for path in index.find(cell, csv, elsewhere=elsewhere):
            if rank := _rank(cell, path, csv):
                found.setdefault(path, {}).setdefault(rank, []).append(cell)
    surest = {path: ranks[min(ranks)] for path, ranks in found.items()}
    return {path: surest.get(path) or [_cell(path, csv)] for path in files}


def _rank(cell: str, path: Path, csv: Path) -> int:
    """1 a path to the file, 2 a file of its name in a folder of its folder's name, 3 its name."""
    written = PurePosixPath(cell.replace("\\", "/"))
    here, place = path.absolute(), Path(os.path.normpath(csv.parent / written))
    names = {here.name, path.resolve().name}
    if place.name in names | {Path(name).stem for name in names} and place.parent in (
        here.parent,
        here.parent.resolve(),
    ):
        return 1
    if len(written.parts) == 1:
        return 3
    return 2 if written.parent.name == here.parent.name else 0


def _cell(path: Path, csv: Path) -> str:
    """The path relative to the table, which stays true when both are moved together."""
    place = path.absolute().parent.resolve() / path.name
    try:
        return Path(os.path.relpath(place, csv.parent)).as_posix()
    except ValueError:  # another drive
        return place.as_posix()


def _check(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = name.encode("utf-8", "replace").decode()
        raise NightsiftError(f"{shown}: no text that a table can hold; rename the file") from None
