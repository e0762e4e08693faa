"""Judging a night while it is being taken."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.files import replacing
from nightsift.fits.folders import walk_files
from nightsift.fits.reader import is_fits_name

log = logging.getLogger(__name__)

# A file that cannot be read may still be on its way for this long after its last change.
_ON_ITS_WAY_S = 30.0

Stamp = tuple[int, int]
Judge = Callable[[frozenset[Path]], pd.DataFrame]


class Watch:
    """Polls a folder and judges it again whenever a frame has arrived or changed.

    Polling also works on network drives, where changes are not announced. A file is read once
    its size and time have stayed the same from one look to the next.

    Args:
        folder: the night; it may not exist yet.
        judge: judges all files of the folder but those given; writes what it likes.
        memory: JSON file of the verdicts told so far, so that a restart tells nothing twice.
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
        tell: Callable[[str], None] = print,
        on_spell: str = "",
        spell: int = 3,
    ) -> None:
        if spell < 1:
            raise NightsiftError(f"spell must be at least 1, got {spell}")
        self.folder, self.judge, self.memory, self.tell = folder, judge, memory, tell
        self.command = shlex.split(on_spell)
        self.spell = spell
        self._told: dict[str, str] = self._remembered()
        self._seen: dict[Path, Stamp] = {}
        self._judged: dict[Path, Stamp] = {}
        self._in_spell = False
        self._commands: list[subprocess.Popen[bytes]] = []

    def run(self, poll_s: float) -> None:
        """Look every `poll_s` seconds until interrupted."""
        self.tell(f"watching {self.folder}; stop with Ctrl-C")
        while True:
            self.look()
            time.sleep(poll_s)

    def look(self) -> bool:
        """One look at the folder; returns whether something was judged."""
        self.commands_running()
        now = _stamps(self.folder)
        settled = {path: stamp for path, stamp in now.items() if self._seen.get(path) == stamp}
        self._seen = now
        if not settled or settled.items() <= self._judged.items():
            return False
        try:
            table = self.judge(frozenset(now.keys() - settled.keys()))
        except NightsiftError as error:
            log.warning("%s", error)
            self._judged = settled
            return False
        waiting = self._tell_changes(table, settled)
        self._judged = {path: stamp for path, stamp in settled.items() if path not in waiting}
        self._remember()
        self._mind_spell(table)
        return True

    def commands_running(self) -> int:
        """How many of the commands that were run have not ended yet."""
        self._commands = [command for command in self._commands if command.poll() is None]
        return len(self._commands)

    def _tell_changes(self, table: pd.DataFrame, settled: dict[Path, Stamp]) -> set[Path]:
        """Print what is new; returns files that may not be complete yet."""
        waiting = set()
        for row in table.to_dict("records"):
            path = Path(str(row["file"]))
            verdict = str(row["verdict"]) or "not judged"
            age_s = time.time() - settled.get(path, (0, 0))[1] / 1e9
            if verdict == "not judged" and age_s < _ON_ITS_WAY_S:
                waiting.add(path)
                continue
            before = self._told.get(str(path))
            if verdict == before:
                continue
            self._told[str(path)] = verdict
            why = str(row["explanation"] or row["reason"])
            changed = f" (was {before})" if before else ""
            prob = "" if verdict == "not judged" else f" {row['prob_bad']:.2f}"
            self.tell(f"{path.name}: {verdict}{prob}{changed}{'  ' + why if why else ''}")
        return waiting

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
        self._in_spell = bad

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

    def _remembered(self) -> dict[str, str]:
        try:
            told = json.loads(self.memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(k): str(v) for k, v in told.items()} if isinstance(told, dict) else {}

    def _remember(self) -> None:
        self.memory.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.memory) as temporary:
            temporary.write_text(json.dumps(self._told), encoding="utf-8")


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
