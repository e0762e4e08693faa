"""Judging a night while it is being taken."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.files import replacing
from nightsift.fits.folders import walk_files
from nightsift.fits.reader import is_fits_name
from nightsift.heuristics.limits import UnknownScale
from nightsift.sorting.announcing import Announcements, Told

log = logging.getLogger(__name__)

# A file that cannot be read may still be on its way for this long after its last change.
_ON_ITS_WAY_S = 30.0
# Names in the line on verdicts that ended otherwise than told.
_NAMED = 10

Stamp = tuple[int, int]
Judge = Callable[[frozenset[Path]], pd.DataFrame]


class Watch:
    """Polls a folder and judges it again whenever a frame has arrived or changed.

    Polling also works on network drives, where changes are not announced. A file is read once
    its size and time have stayed the same from one look to the next. When verdicts are told says
    `nightsift.sorting.announcing.Announcements`.

    Args:
        folder: the night; it may not exist yet.
        judge: judges all files of the folder but those given; writes what it likes.
        memory: JSON file of the verdicts told so far, so that a restart tells nothing twice.
        window: frames that a frame is judged with.
        quiet_s: pause without a frame after which pending verdicts are told, s.
        tell: prints one line.
        on_spell: command to run when a bad spell begins, split as a shell would but run
            without one; facts go into NIGHTSIFT_FILE, NIGHTSIFT_REASON and NIGHTSIFT_COUNT of
            its environment. Empty for none.
        spell: bad frames in a row, the last one among them, that make a spell.
    """

    def __init__(
        self,
        folder: Path,
        judge: Judge,
        memory: Path,
        *,
        window: int,
        quiet_s: float,
        tell: Callable[[str], None] = print,
        on_spell: str = "",
        spell: int = 3,
    ) -> None:
        if spell < 1:
            raise NightsiftError(f"spell must be at least 1, got {spell}")
        if not quiet_s >= 0:
            raise NightsiftError(f"quiet_s must not be negative, got {quiet_s}")
        self.folder, self.judge, self.memory, self.tell = folder, judge, memory, tell
        self.command = shlex.split(on_spell)
        self.spell = spell
        told = self._remembered()
        self.announcements = Announcements(told, window=window, quiet_s=quiet_s)
        self._table: pd.DataFrame | None = None
        self._seen: dict[Path, Stamp] = {}
        self._came: dict[Path, float] = {}
        self._judged: dict[Path, Stamp] = {}
        self._looked = False
        self._in_spell = False
        self._commands: list[subprocess.Popen[bytes]] = []

    def run(self, poll_s: float) -> pd.DataFrame | None:
        """Look every `poll_s` seconds until interrupted; returns the last judgement, if any."""
        self.tell(f"watching {self.folder}; stop with Ctrl-C")
        with suppress(KeyboardInterrupt):
            while True:
                self.look()
                time.sleep(poll_s)
        return self.finish()

    def finish(self) -> pd.DataFrame | None:
        """Judge what has not been yet, and tell all that is pending; returns the judgement."""
        self.look()
        self._tell(self.announcements.end())
        if self._table is None:
            return None
        if other := self.announcements.otherwise(self._table):
            more = f", and {len(other) - _NAMED} more" if len(other) > _NAMED else ""
            self.tell(f"in the end otherwise than told: {', '.join(other[:_NAMED])}{more}")
        return self._table

    def look(self) -> bool:
        """One look at the folder; returns whether something was judged."""
        self.commands_running()
        now = _stamps(self.folder)
        settled = {path: stamp for path, stamp in now.items() if self._seen.get(path) == stamp}
        for path in (path for path, stamp in now.items() if self._seen.get(path) != stamp):
            # Of files that are there from the first look on, nobody saw when they came.
            self._came[path] = now[path][1] / 1e9 if not self._looked else time.time()
        self._seen, self._looked = now, True
        if not settled or settled.items() <= self._judged.items():
            self._tell(self.announcements.waited(self._waited()))
            return False
        try:
            table = self.judge(frozenset(now.keys() - settled.keys()))
        except UnknownScale:
            raise  # the observer has to say it: no frame will
        except NightsiftError as error:
            log.warning("%s", error)
            self._judged = settled
            return False
        on_its_way = self._on_its_way(table, settled)
        self._judged = {path: stamp for path, stamp in settled.items() if path not in on_its_way}
        self._table = table
        complete = table[~table["file"].isin([str(path) for path in on_its_way])]
        stamps = {str(path): stamp for path, stamp in settled.items()}
        self._tell(self.announcements.judged(complete, stamps))
        self._tell(self.announcements.waited(self._waited()))
        self._mind_spell(table)
        return True

    def commands_running(self) -> int:
        """How many of the commands that were run have not ended yet."""
        self._commands = [command for command in self._commands if command.poll() is None]
        return len(self._commands)

    def _tell(self, lines: Sequence[str]) -> None:
        """Print lines, and remember what they told."""
        for line in lines:
            self.tell(line)
        if lines:
            self._remember()

    def _waited(self) -> dict[str, float]:
        """Seconds since each file has come."""
        now = time.time()
        return {str(path): now - came for path, came in self._came.items()}

    def _on_its_way(self, table: pd.DataFrame, settled: dict[Path, Stamp]) -> set[Path]:
        """Files without a verdict that may not be complete yet."""
        now = time.time()
        files = [Path(file) for file in table.loc[table["verdict"] == "", "file"]]
        return {path for path in files if now - settled.get(path, (0, 0))[1] / 1e9 < _ON_ITS_WAY_S}

    def _mind_spell(self, table: pd.DataFrame) -> None:
        """Run the command once when the newest frames of the newest night are bad."""
        judged = table[table["verdict"] != ""]
        newest = judged[judged["night"] == judged["night"].iloc[-1]] if len(judged) else judged
        last = newest.tail(self.spell)
        bad = len(last) == self.spell and bool((last["verdict"] == "bad").all())
        if bad and not self._in_spell:
            row = last.iloc[-1]
            self.tell(f"bad spell: the last {self.spell} frames are bad ({row['reason']})")
            if self.command:
                self._run_command(str(row["file"]), str(row["reason"]))
        # One frame that gets through, or a verdict that wavers, does not end it.
        self._in_spell = bad or (self._in_spell and bool((last["verdict"] == "bad").any()))

    def _run_command(self, file: str, reason: str) -> None:
        facts = {
            "NIGHTSIFT_FILE": file,
            "NIGHTSIFT_REASON": reason,
            "NIGHTSIFT_COUNT": str(self.spell),
        }
        try:
            # Not waited for: the next frame does not wait either.
            command = subprocess.Popen(
                self.command, env=os.environ | facts, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            log.warning("on_spell: %s: %s", self.command[0], error.strerror)
        else:
            self._commands.append(command)

    def _remembered(self) -> dict[str, Told]:
        try:
            rows = json.loads(self.memory.read_text(encoding="utf-8"))
            return {
                str(file): Told(str(verdict), prob, (int(stamp[0]), int(stamp[1])), bool(changed))
                for file, (verdict, prob, stamp, changed) in rows.items()
            }
        except (OSError, ValueError, TypeError, AttributeError, LookupError):
            return {}

    def _remember(self) -> None:
        self.memory.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.memory) as temporary:
            temporary.write_text(json.dumps(self.announcements.told), encoding="utf-8")


def _stamps(folder: Path) -> dict[Path, Stamp]:
    """Size and time of every FITS file below; a file that vanishes meanwhile is left out."""
    found: dict[Path, Stamp] = {}
    if not folder.is_dir():
        return found
    for path in walk_files(folder):
        if is_fits_name(path):
            try:
                stat = path.stat()
            except OSError:
                continue
            found[path] = (stat.st_size, stat.st_mtime_ns)
    return found
