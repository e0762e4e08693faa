"""Small databases in the cache folder, shared by threads and processes."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightsift.errors import NightsiftError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kind (key TEXT PRIMARY KEY, layout TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS look (
    name TEXT, key TEXT, size INTEGER, mtime_ns INTEGER, value BLOB, PRIMARY KEY (name, key)
);
"""
# Databases kept open at once by a thread: memory and handles stay bounded.
_OPEN = 128
_WAIT_S = 60.0
_MMAP_BYTES = 1 << 31


class DamagedCache(NightsiftError):
    """A database could not be read any more and is gone."""


class _Connections(threading.local):
    """Open databases of one thread of one process: SQLite's must cross neither."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.open: OrderedDict[Path, sqlite3.Connection] = OrderedDict()


_connections = _Connections()


@contextmanager
def open_database(database: Path) -> Iterator[sqlite3.Connection]:
    """The connection to a database, made where it is new; a damaged one is removed."""
    if _connections.process != os.getpid():  # a forked child: not its own, so not to be closed
        _connections.__init__()  # type: ignore[misc]
    try:
        yield _connected(database)
    except sqlite3.OperationalError as error:
        raise unusable(database, error) from error
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        if opened := _connections.open.pop(database, None):
            opened.close()
        database.unlink(missing_ok=True)
        raise DamagedCache(f"the cache {database} was damaged and is removed; run again") from error


def unusable(place: Path, why: object) -> NightsiftError:
    """What to tell of a place that no cache can be kept in."""
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
