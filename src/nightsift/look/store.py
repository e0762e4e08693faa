"""Measurements on disk as they are made, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np

from nightsift.fits.header import FrameInfo
from nightsift.look.measure import Measured, StarList

log = logging.getLogger(__name__)

# Of all stores, below the cache's folder.
MEASURED = "heuristics"
# To be raised whenever a feature is measured differently.
FORMAT = 3


class MeasuredStore:
    """One JSON line per measured file of one folder, appended as results come.

    A file counts as measured while its size and time of change are the same. A line that was
    cut off when a run was interrupted is passed over.

    Args:
        root: folder of all stores; made when needed.
        folder: the folder of frames.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        key = hashlib.sha256(f"{FORMAT} {folder.resolve()}".encode()).hexdigest()[:20]
        self.path = root / f"{key}.jsonl"
        self._rows = self._load()

    def get(self, path: Path) -> Measured | None:
        """What is stored of a file, if the file is still the same; errors are not kept."""
        row = self._rows.get(path.name)
        try:
            return row[1] if row and row[0] == _stamp(path) else None
        except OSError:
            return None

    def put(self, path: Path, stamp: list[int], measured: Measured) -> None:
        """Append one measurement; what could not be read is tried again next time."""
        if measured.info is None:
            return
        row = {
            "name": path.name,
            "stamp": stamp,
            "info": measured.info.to_json(),
            "features": {k: None if math.isnan(v) else v for k, v in measured.features.items()},
            "stars": [[float(f"{value:.8g}") for value in column] for column in measured.stars],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def _load(self) -> dict[str, tuple[list[int], Measured]]:
        rows: dict[str, tuple[list[int], Measured]] = {}
        if not self.path.exists():
            return rows
        damaged = 0
        content = self.path.read_text(encoding="utf-8", errors="replace")
        for line in content.splitlines():
            try:
                row = json.loads(line)
                rows[row["name"]] = (row["stamp"], _measured(row))
            except (ValueError, KeyError, TypeError):
                damaged += 1
        if content and not content.endswith("\n"):
            # The next line must not continue the one that was cut off.
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write("\n")
        if damaged:
            log.info("%d measurements in %s are incomplete and made again", damaged, self.path)
        return rows


def stamp_of(path: Path) -> list[int]:
    """Size and time of change of a file; zeros where it is not there."""
    try:
        return _stamp(path)
    except OSError:
        return [0, 0]


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _measured(row: dict[str, Any]) -> Measured:
    features = {k: math.nan if v is None else float(v) for k, v in row["features"].items()}
    stars = StarList(*(np.array(column, dtype=float) for column in row["stars"]))
    return Measured(FrameInfo.from_json(row["info"]), features, stars)
