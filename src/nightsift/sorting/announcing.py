"""When a verdict is told while frames still arrive: once it can be held, and seldom again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

# More frames of the night over which another verdict has to stay before it is told.
_STEADY = 6

NOT_JUDGED = "not judged"


class Told(NamedTuple):
    """What was last told of a file.

    Attributes:
        verdict: the word.
        prob: probability of *bad*; None without one.
        stamp: size and time of change of the file then: another file of the same name is new.
        changed: whether another verdict was told before.
    """

    verdict: str
    prob: float | None
    stamp: tuple[int, int]
    changed: bool = False


class _Doubt(NamedTuple):
    """Another verdict than the one that was told, and the frames there were when it came."""

    verdict: str
    frames: int


class Announcements:
    """What is to be told after each judgement of a night that is being taken.

    A frame is pending until its window is complete: `window // 2` later frames of its night are
    there, and `window` in all; or until no frame of the night has come for `quiet_s` seconds (or
    three times the usual interval, if that is longer); or until the end. Then its verdict is
    told, once. Another verdict is told when it has stayed over six more frames of the night, and
    that once too: what changes yet again cannot be held, and is for the end to say.

    Args:
        told: of earlier runs, by file; changed in place.
        window: frames that a frame is judged with.
        quiet_s: seconds.
    """

    def __init__(self, told: dict[str, Told], *, window: int, quiet_s: float) -> None:
        self.told = told
        self.window, self.quiet_s = window, quiet_s
        self._doubts: dict[str, _Doubt] = {}
        self._pending: dict[str, list[dict[Any, Any]]] = {}
        self._intervals: dict[str, float] = {}
        self._nights: set[str] = set()

    def judged(self, table: pd.DataFrame, stamps: Mapping[str, tuple[int, int]]) -> list[str]:
        """Take a new judgement of all frames; returns the lines to tell.

        Args:
            table: predictions with verdicts, in time order within a night; files that may not
                be complete left out.
            stamps: size and time of change of each file.
        """
        lines: list[str] = []
        self._pending = {}
        for name, part in table.groupby("night", sort=False):
            night = str(name)
            rows = part.to_dict("records")
            frames = [row for row in rows if row["verdict"]]
            place = {str(row["file"]): i for i, row in enumerate(frames)}
            self._intervals[night] = _interval(part)
            for row in rows:
                file = str(row["file"])
                stamp = stamps.get(file, (0, 0))
                if file in self.told and self.told[file].stamp == stamp:
                    lines += self._again(row, len(frames), stamp)
                elif row["verdict"] and not self._complete(place[file], len(frames)):
                    self._pending.setdefault(night, []).append({**row, "stamp": stamp})
                else:
                    lines.append(self._first(row, stamp))
        return [*lines, *self._say_pending()]

    def waited(self, seconds: Mapping[str, float]) -> list[str]:
        """Lines on pending frames of nights in which nothing has come for long enough.

        Args:
            seconds: since each file has come.
        """
        lines = []
        for night in list(self._pending):
            since = min(seconds.get(str(row["file"]), 0.0) for row in self._pending[night])
            if since >= max(self.quiet_s, 3 * self._intervals[night]):
                lines += self._give(night)
        return lines

    def end(self) -> list[str]:
        """Lines on all that is pending."""
        return [line for night in list(self._pending) for line in self._give(night)]

    def otherwise(self, table: pd.DataFrame) -> list[str]:
        """Files whose verdict is not the one that was told: `name verdict (told: verdict)`."""
        out = []
        for file, verdict in zip(table["file"], table["verdict"], strict=True):
            before = self.told.get(str(file))
            if before is not None and before.verdict != (verdict or NOT_JUDGED):
                out.append(f"{_name(file)} {verdict or NOT_JUDGED} (told: {before.verdict})")
        return out

    def _complete(self, place: int, frames: int) -> bool:
        return frames >= self.window and frames - 1 - place >= self.window // 2

    def _give(self, night: str) -> list[str]:
        return [self._first(row, row["stamp"]) for row in self._pending.pop(night)]

    def _first(self, row: Mapping[Any, Any], stamp: tuple[int, int]) -> str:
        told = _told(row, stamp)
        self._doubts.pop(str(row["file"]), None)
        self.told[str(row["file"])] = told
        return _line(row, told)

    def _again(self, row: Mapping[Any, Any], frames: int, stamp: tuple[int, int]) -> list[str]:
        """A line where another verdict than the one that was told has stayed long enough."""
        file, now = str(row["file"]), _told(row, stamp)
        before = self.told[file]
        if now.verdict == before.verdict:
            self._doubts.pop(file, None)
            return []
        doubt = self._doubts.get(file)
        if doubt is None or doubt.verdict != now.verdict:
            self._doubts[file] = doubt = _Doubt(now.verdict, frames)
        if before.changed or frames - doubt.frames < _STEADY:
            return []
        del self._doubts[file]
        self.told[file] = now._replace(changed=True)
        return [f"changed: {_line(row, now)} (told before: {_words(before)})"]

    def _say_pending(self) -> list[str]:
        """One line per night: what its frames wait for."""
        new = [night for night in self._pending if night not in self._nights]
        self._nights.update(new)
        return [
            f"{night}: pending from {_name(self._pending[night][0]['file'])} on; a verdict is "
            f"given when {self.window // 2} later frames are there and {self.window} in all, or "
            f"none has come for {max(self.quiet_s, 3 * self._intervals[night]):.0f} s"
            for night in new
        ]


def _told(row: Mapping[Any, Any], stamp: tuple[int, int]) -> Told:
    if not row["verdict"]:
        return Told(NOT_JUDGED, None, stamp)
    return Told(str(row["verdict"]), float(row["prob_bad"]), stamp)


def _words(told: Told) -> str:
    return told.verdict if told.prob is None else f"{told.verdict} {told.prob:.2f}"


def _line(row: Mapping[Any, Any], told: Told) -> str:
    """Night, time, name, verdict, why."""
    time = str(row["time"])[:19].replace("T", " ")
    why = str(row["explanation"] or row["reason"])
    parts = (str(row["night"]), time, f"{_name(row['file'])}: {_words(told)}", why)
    return "  ".join(part for part in parts if part)


def _name(file: object) -> str:
    return str(file).replace("\\", "/").rpartition("/")[2]


def _interval(part: pd.DataFrame) -> float:
    """Usual time from one of the last frames of a night to the next, s; 0 where unknown."""
    last = part.loc[(part["verdict"] != "") & (part["time"] != ""), "time"].tail(9)
    usual = pd.to_datetime(last, format="ISO8601", utc=True).diff().dt.total_seconds().median()
    return float(usual) if usual > 0 else 0.0
