"""Looks on disk: one small database per folder of frames, read in bulk.

Below `cache_dir/looks/` each folder of frames has a `<folder key>.sqlite` with a row per file and
kind: header facts, features with stars, tensors, small pictures. A row is good while size and
time of change of its file stay, and only under the key of what made it; rows of a changed file
go when it is looked at anew. Processes may read and fill the same database at the same time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nightsift.errors import NightsiftError
from nightsift.fits.header import FrameInfo
from nightsift.look.database import DamagedCache, open_database, unusable
from nightsift.look.lines import GRID, Cells
from nightsift.look.look import Look, Ref, Stamp, Taken, TensorRef, Wanted, stamp_of
from nightsift.look.picture import BlockMeans, pack, unpack
from nightsift.look.scene import NO_STARS, StarList

log = logging.getLogger(__name__)

FORMAT = 2
FACTS = f"facts-{FORMAT}"


class LookStore:
    """What has been seen of files, kept from run to run.

    Args:
        cache_dir: root of all caches; made when needed.
    """

    def __init__(self, cache_dir: Path) -> None:
        self.root = cache_dir / "looks"

    def read(self, files: Sequence[Path], wanted: Wanted) -> dict[Path, Look]:
        """What is kept of files that are still as they were; tensors by reference.

        A look may lack what was not wanted when it was taken: its features are then empty, or
        its tensor None.
        """
        out: dict[Path, Look] = {}
        for folder, members in _by_folder(files).items():
            database = self._database(folder)
            if not database.exists():
                continue
            try:
                out |= _kept_looks(database, members, wanted)
            except DamagedCache:
                log.warning("the cache %s was damaged and is made again", database)
        return out

    def add(self, taken: Sequence[Taken], wanted: Wanted) -> None:
        """Keep looks; those at files without a frame are taken again next time.

        Raises:
            NightsiftError: the cache cannot be written.
        """
        readable = {item.path: item for item in taken if item.info is not None}
        for folder, members in _by_folder(list(readable)).items():
            database = self._database(folder)
            try:
                self.root.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unusable(self.root, error.strerror) from error
            with open_database(database) as connection, connection:
                for path in members:
                    _insert(connection, readable[path], wanted)

    def _database(self, folder: Path) -> Path:
        key = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:20]
        return self.root / f"{key}.sqlite"


def read_tensors(refs: Iterable[TensorRef]) -> npt.NDArray[np.float32]:
    """Tensors stacked with a channel axis, (B, C, S, S) float32.

    Raises:
        NightsiftError: the cache was deleted meanwhile.
    """
    stacked = np.stack([_tensor(ref) for ref in refs])
    return stacked if stacked.ndim == 4 else stacked[:, None]


def read_stars(looks: Iterable[Look]) -> list[StarList]:
    """Stars of frames, wherever they are kept; none where nothing was measured.

    Raises:
        NightsiftError: the cache was deleted meanwhile.
    """
    counts: dict[tuple[Path, str], int] = {}
    return [
        _stars(look.stars, counts) if isinstance(look.stars, Ref) else look.stars or NO_STARS
        for look in looks
    ]


def read_lines(looks: Iterable[Look]) -> npt.NDArray[np.float32]:
    """Cells that lines are looked for in, (N, GRID, GRID); NaN where none were made.

    Raises:
        NightsiftError: the cache was deleted meanwhile.
    """
    return np.stack([_lines(look.lines) for look in looks]).astype(np.float32)


def read_picture(ref: Ref) -> BlockMeans | None:
    """A small picture; None where the cache was deleted meanwhile."""
    content = _content(ref)
    return None if content is None else unpack(content)


def _tensor(ref: TensorRef) -> npt.NDArray[np.float32]:
    content = _needed(ref.place, "tensor")
    return np.frombuffer(content, dtype=np.float32).reshape(ref.shape)


def _stars(ref: Ref, counts: dict[tuple[Path, str], int]) -> StarList:
    """Stars of one frame; `counts` holds how many features stand before them, per kind."""
    content = _needed(ref, "star list")
    kind = ref.database, ref.key
    if kind not in counts:
        with open_database(ref.database) as connection:
            counts[kind] = len(_layout(connection, ref.key))
    return StarList(*np.frombuffer(content, dtype=np.float64)[counts[kind] :].reshape(4, -1))


def _lines(kept: Cells | Ref | None) -> Cells:
    if kept is None:
        return np.full((GRID, GRID), np.nan, dtype=np.float16)
    if isinstance(kept, Ref):
        return np.frombuffer(_needed(kept, "line cells"), np.float16).reshape(GRID, GRID)
    return kept


def _needed(ref: Ref, what: str) -> bytes:
    content = _content(ref)
    if content is None:
        raise NightsiftError(f"{ref.database}: the {what} of {ref.name} is gone; run again")
    return content


def _content(ref: Ref) -> bytes | None:
    query = "SELECT value FROM look WHERE name = ? AND key = ?"
    if not ref.database.exists():
        return None
    with open_database(ref.database) as connection:
        row = connection.execute(query, (ref.name, ref.key)).fetchone()
    return row[0] if row else None


def _kept_looks(database: Path, files: Sequence[Path], wanted: Wanted) -> dict[Path, Look]:
    """Looks at files of one folder that are as they were when they were looked at."""
    stamps = {path: stamp_of(path) for path in files}
    measured_by, tensor_by, picture_by = (
        wanted.features_key,
        wanted.tensor_key,
        wanted.picture_key,
    )
    with open_database(database) as connection:
        facts = _rows(connection, FACTS)
        names = _layout(connection, measured_by)
        measured = _rows(connection, measured_by, 8 * len(names))
        tensors = _stamps(connection, tensor_by)
        shape = tuple(_layout(connection, tensor_by))
        lined = _stamps(connection, wanted.lines_key)
        pictures = _stamps(connection, picture_by)
    out: dict[Path, Look] = {}
    for path, stamp in stamps.items():
        name = path.name
        known, row = facts.get(name), measured.get(name)
        if known is None or known[0] != stamp:
            continue
        info = FrameInfo.from_json(json.loads(known[1]))
        features: Mapping[str, float] = {}
        stars = lines = tensor = picture = None
        if row is not None and row[0] == stamp:
            features = dict(zip(names, np.frombuffer(row[1]).tolist(), strict=True))
            stars = Ref(database, name, measured_by)
            if lined.get(name) == stamp:
                lines = Ref(database, name, wanted.lines_key)
        if tensors.get(name) == stamp:
            tensor = TensorRef(Ref(database, name, tensor_by), shape)
        if pictures.get(name) == stamp:
            picture = Ref(database, name, picture_by)
        out[path] = Look(path, info, "", features, stars, lines, tensor, picture)
    return out


def _insert(connection: sqlite3.Connection, item: Taken, wanted: Wanted) -> None:
    assert item.info is not None
    name, stamp = item.path.name, item.stamp
    connection.execute("DELETE FROM look WHERE name = ? AND (size, mtime_ns) != (?, ?)",
                       (name, *stamp))  # fmt: skip
    rows: list[tuple[str, Any, bytes | memoryview]] = [
        (FACTS, [], json.dumps(item.info.to_json()).encode())
    ]
    if item.measured is not None:
        names = list(item.measured.features)
        values = np.array(list(item.measured.features.values()), dtype=np.float64)
        stars = np.array(item.measured.stars, dtype=np.float64)
        packed = np.concatenate([values, stars.ravel()]).tobytes()
        rows.append((wanted.features_key, names, packed))
        if item.measured.lines is not None:
            rows.append((wanted.lines_key, [], item.measured.lines.tobytes()))
    if item.tensor is not None:
        tensor = np.ascontiguousarray(item.tensor, dtype=np.float32)
        rows.append((wanted.tensor_key, list(tensor.shape), tensor.data))
    if item.picture is not None:
        rows.append((wanted.picture_key, [], pack(item.picture)))
    for key, layout, value in rows:
        connection.execute("INSERT OR IGNORE INTO kind VALUES (?, ?)", (key, json.dumps(layout)))
        if layout != _layout(connection, key):
            raise ValueError(f"{key}: the same names and shapes for every frame, got {layout}")
        connection.execute("INSERT OR REPLACE INTO look VALUES (?, ?, ?, ?, ?)",
                           (name, key, *stamp, value))  # fmt: skip


def _rows(
    connection: sqlite3.Connection, key: str, length: int | None = None
) -> dict[str, tuple[Stamp, bytes]]:
    """Name, stamp and value of each row of a kind, or the first `length` bytes of the value."""
    value = "value" if length is None else f"substr(value, 1, {length})"
    query = f"SELECT name, size, mtime_ns, {value} FROM look WHERE key = ?"
    found = connection.execute(query, (key,)) if key else []
    return {name: (Stamp(size, mtime_ns), value) for name, size, mtime_ns, value in found}


def _stamps(connection: sqlite3.Connection, key: str) -> dict[str, Stamp]:
    query = "SELECT name, size, mtime_ns FROM look WHERE key = ?"
    found = connection.execute(query, (key,)) if key else []
    return {name: Stamp(size, mtime_ns) for name, size, mtime_ns in found}


def _layout(connection: sqlite3.Connection, key: str) -> list[Any]:
    row = connection.execute("SELECT layout FROM kind WHERE key = ?", (key,)).fetchone()
    layout: list[Any] = json.loads(row[0]) if row else []
    return layout


def _by_folder(files: Sequence[Path]) -> dict[Path, list[Path]]:
    out: dict[Path, list[Path]] = {}
    for path in files:
        out.setdefault(path.absolute().parent, []).append(path)
    return out
