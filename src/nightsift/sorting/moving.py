"""Rejected frames into a folder of their own, and back: nothing is overwritten or lost."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from nightsift.errors import NightsiftError
from nightsift.fits.reader import FITS_SUFFIXES, is_fits_name

REJECTED = "rejected"
FORMAT = 1


class Move(NamedTuple):
    """One file and where it goes; both absolute, on the same disk."""

    source: Path
    target: Path


class Undone(NamedTuple):
    """What `undo_moves` found: files put back, and those that were where they belong."""

    back: int
    untouched: int


def plan_moves(frames: Sequence[Path]) -> list[Move]:
    """Each frame, and the files beside it that belong to it, into `rejected/` of its folder.

    Files of the same name with another suffix belong to a frame (`f1.wcs`, `f1.fits.json`).

    Raises:
        NightsiftError: something of that name is there already; nothing is moved then.
    """
    moves: list[Move] = []
    for frame in frames:
        path = frame.absolute()
        for own in [path, *_sidecars(path)]:
            moves.append(Move(own, own.parent / REJECTED / own.name))
    moves = list(dict.fromkeys(moves))
    taken = [move.target for move in moves if os.path.lexists(move.target)]
    if taken:
        raise NightsiftError(f"{taken[0]} exists already: nothing was moved")
    return moves


def _sidecars(frame: Path) -> list[Path]:
    lower = frame.name.lower()
    suffix = max((end for end in FITS_SUFFIXES if lower.endswith(end)), key=len)
    stem = frame.name[: -len(suffix)] + "."
    return sorted(
        path
        for path in frame.parent.iterdir()
        if path != frame
        and path.name.startswith(stem)
        and path.is_file()
        and not is_fits_name(path)
    )


def move_files(moves: Sequence[Move], record: Path) -> None:
    """Move the files; each move is on disk in `record` before it is made.

    Args:
        moves: from `plan_moves`.
        record: a new file of one JSON object per line, for `undo_moves`.

    Raises:
        NightsiftError: a target came to exist meanwhile; what was moved stays in the record.
        OSError: a file cannot be moved, likewise.
    """
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.open("x", encoding="utf-8") as stream:
        _write(stream, {"format": FORMAT, "what": "frames moved by nightsift"})
        for source, target in moves:
            target.parent.mkdir(exist_ok=True)
            if os.path.lexists(target):
                raise NightsiftError(f"{target} came to exist: stopped; undo={record} goes back")
            stat = source.stat()
            facts = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
            _write(stream, {"source": str(source), "target": str(target), **facts})
            source.rename(target)


def _write(stream: TextIO, line: dict[str, object]) -> None:
    stream.write(json.dumps(line) + "\n")
    stream.flush()
    os.fsync(stream.fileno())


def undo_moves(record: Path) -> Undone:
    """Put every file of a record back, also of one that was interrupted; may be repeated.

    A record is a file like any other: only what looks as if `move_files` had moved it, from a
    folder into `rejected/` of the same folder and with the same size and time, is touched.

    Raises:
        NightsiftError: no such record, or a file stands in the way; what can be put back is.
    """
    moves = _read(record)
    back = untouched = 0
    problems = []
    for move, size, mtime_ns in reversed(moves):
        here, there = os.path.lexists(move.source), os.path.lexists(move.target)
        if not there:
            untouched += here
            if not here:
                problems.append(f"{move.target} is gone")
        elif here:
            problems.append(f"{move.source} exists, {move.target} stays")
        elif (move.target.stat().st_size, move.target.stat().st_mtime_ns) != (size, mtime_ns):
            problems.append(f"{move.target} has changed and stays")
        else:
            move.target.rename(move.source)
            back += 1
    for folder in {move.target.parent for move, *_ in moves}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise NightsiftError(f"{back} files put back; {problems[0]}{more}")
    return Undone(back, untouched)


def _read(record: Path) -> list[tuple[Move, int, int]]:
    try:
        lines = record.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        if not rows or rows[0].get("format") != FORMAT:
            raise ValueError
        moves = [
            (Move(Path(row["source"]), Path(row["target"])), int(row["size"]), int(row["mtime_ns"]))
            for row in rows[1:]
        ]
    except OSError as error:
        raise NightsiftError(f"undo={record}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NightsiftError(f"undo={record} is no record of moved frames") from error
    for move, *_ in moves:
        if move.target != move.source.parent / REJECTED / move.source.name:
            raise NightsiftError(f"undo={record}: {move.target} is no place that frames go to")
    return moves
