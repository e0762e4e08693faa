"""Looks on disk: one small database per folder of frames, read in bulk.

Below `cache_dir/looks/` each folder of frames has a `<folder key>.sqlite` with a row per file and
kind: header facts, features with stars, tensors. A row is good while size and time of change of
its file stay, and only under the key of what made it; rows of a changed file go when it is
looked at anew. Processes may read and fill the same database at the same time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nightsift.errors import NightsiftError
from nightsift.fits.header import FrameInfo
from nightsift.look.look import Look, Stamp, Taken, TensorRef, Wanted, stamp_of
from nightsift.look.scene import StarList

log = logging.getLogger(__name__)

FORMAT = 1
FACTS = f"facts-{FORMAT}"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kind (key TEXT PRIMARY KEY, layout TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS look (
    name TEXT, key TEXT, size INTEGER, mtime_ns INTEGER, value BLOB, PRIMARY KEY (name, key)
);
"""
# Databases kept open at once by a thread: memory and handles stay bounded.
_OPEN = 16
_WAIT_S = 60.0
_MMAP_BYTES = 1 << 31


class DamagedCache(NightsiftError):
    """A database could not be read any more and is gone."""


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
            stamps = {path: stamp_of(path) for path in members}
            try:
                with _open(database) as connection:
                    facts = _rows(connection, FACTS)
                    measured = _rows(connection, wanted.features_key)
                    names = _layout(connection, wanted.features_key)
                    tensors = _stamps(connection, wanted.tensor_key)
                    shape = tuple(_layout(connection, wanted.tensor_key))
            except DamagedCache:
                log.warning("the cache %s was damaged and is made again", database)
                continue
            for path, stamp in stamps.items():
                kept = facts.get(path.name)
                if kept is None or kept[0] != stamp:
                    continue
                look = Look(path, FrameInfo.from_json(json.loads(kept[1])))
                row = measured.get(path.name)
                if row is not None and row[0] == stamp:
                    features, stars = _unpack(row[1], names)
                    look = Look(path, look.info, "", features, stars)
                if tensors.get(path.name) == stamp:
                    ref = TensorRef(database, path.name, wanted.tensor_key, shape)
                    look = Look(path, look.info, "", look.features, look.stars, ref)
                out[path] = look
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
                raise _unusable(self.root, error.strerror) from error
            with _open(database) as connection, connection:
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
    stacked = np.stack([_read_tensor(ref) for ref in refs])
    return stacked if stacked.ndim == 4 else stacked[:, None]


def _read_tensor(ref: TensorRef) -> npt.NDArray[np.float32]:
    query = "SELECT value FROM look WHERE name = ? AND key = ?"
    row = None
    if ref.database.exists():
        with _open(ref.database) as connection:
            row = connection.execute(query, (ref.name, ref.key)).fetchone()
    if row is None:
        raise NightsiftError(f"{ref.database}: the tensor of {ref.name} is gone; run again")
    return np.frombuffer(row[0], dtype=np.float32).reshape(ref.shape)


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
    if item.tensor is not None:
        tensor = np.ascontiguousarray(item.tensor, dtype=np.float32)
        rows.append((wanted.tensor_key, list(tensor.shape), tensor.data))
    for key, layout, value in rows:
        connection.execute("INSERT OR IGNORE INTO kind VALUES (?, ?)", (key, json.dumps(layout)))
        if layout != _layout(connection, key):
            raise ValueError(f"{key}: the same names and shapes for every frame, got {layout}")
        connection.execute("INSERT OR REPLACE INTO look VALUES (?, ?, ?, ?, ?)",
                           (name, key, *stamp, value))  # fmt: skip


def _unpack(value: bytes, names: Sequence[str]) -> tuple[Mapping[str, float], StarList]:
    packed = np.frombuffer(value, dtype=np.float64)
    stars = packed[len(names) :].reshape(4, -1)
    return dict(zip(names, packed.tolist(), strict=False)), StarList(*stars)


def _rows(connection: sqlite3.Connection, key: str) -> dict[str, tuple[Stamp, bytes]]:
    query = "SELECT name, size, mtime_ns, value FROM look WHERE key = ?"
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


class _Connections(threading.local):
    """Open databases of one thread of one process: SQLite's must cross neither."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.open: OrderedDict[Path, sqlite3.Connection] = OrderedDict()


_connections = _Connections()


@contextmanager
def _open(database: Path) -> Iterator[sqlite3.Connection]:
    """The connection to a database, made where it is new; a damaged one is removed."""
    if _connections.process != os.getpid():  # a forked child: not its own, so not to be closed
        _connections.__init__()  # type: ignore[misc]
    try:
        yield _connected(database)
    except sqlite3.OperationalError as error:
        raise _unusable(database, error) from error
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        if opened := _connections.open.pop(database, None):
            opened.close()
        database.unlink(missing_ok=True)
        raise DamagedCache(f"the cache {database} was damaged and is removed; run again") from error


def _unusable(place: Path, why: object) -> NightsiftError:
    return NightsiftError(
        f"the cache {place} cannot be used ({why}): choose another place, cache_dir=DIR"
    )


def _connected(database: Path) -> sqlite3.Connection:
    opened = _connections.open
    if database in opened and database.exists():
        opened.move_to_end(database)
        return opened[database]
    if database in opened:  # the cache was deleted meanwhile
        opened.pop(database).close()
    opened[database] = _new_connection(database)
    if len(opened) > _OPEN:
        opened.popitem(last=False)[1].close()
    return opened[database]


def _new_connection(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database, timeout=_WAIT_S)
    try:
        # Tensors are large: large pages need fewer steps from one to the next.
        connection.execute("PRAGMA page_size = 32768")
        connection.execute(f"PRAGMA mmap_size = {_MMAP_BYTES}")
        connection.executescript(_SCHEMA)
        connection.execute("SELECT count(*) FROM kind").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection
