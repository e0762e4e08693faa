"""Small pictures of frames: made once, kept in the cache folder, made ahead in the background."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nightsift.files import replacing
from nightsift.fits.reader import UnreadableFrame, read_frame
from nightsift.look.thumbnail import Thumbnail, make_thumbnail

log = logging.getLogger(__name__)

FORMAT = 1
# About 900 thumbnails of a square camera at the usual size.
MEMORY_BYTES = 160_000_000


class ThumbnailCache:
    """Thumbnails in memory and on disk; threads make ahead what `want` asks for.

    On disk it is `cache_dir/thumbnails/<folder key>/<file key>.npz`; the file key holds size and
    time of modification, so that a frame that was replaced is made again.

    Args:
        cache_dir: root of all caches; made when needed.
        side: longer side of the pictures, px.
        threads: that make pictures; each holds one frame at a time.
        memory_bytes: of thumbnails kept in memory, the ones used last.
    """

    def __init__(
        self, cache_dir: Path, *, side: int, threads: int = 2, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        self.root = cache_dir / "thumbnails"
        self.side = side
        self.memory_bytes = memory_bytes
        self.seen: dict[Path, Thumbnail] = {}  # of every frame, without the picture
        self._memory: OrderedDict[Path, Thumbnail] = OrderedDict()
        self._bytes = 0
        self._queue: list[Path] = []
        self._busy: set[Path] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"thumbnails-{i}", daemon=True)
            for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def get(self, path: Path) -> Thumbnail | None:
        """The picture if it is in memory."""
        with self._changed:
            if path in self._memory:
                self._memory.move_to_end(path)
            return self._memory.get(path)

    def want(self, paths: Sequence[Path]) -> None:
        """Replace the list of pictures to make, most urgent first.

        What is in memory is skipped; the list should not hold much more than memory does.
        """
        with self._changed:
            self._queue = list(reversed(paths))
            self._changed.notify_all()

    def wait(self, paths: Sequence[Path], timeout_s: float) -> bool:
        """Wait until pictures are there; whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: all(p in self._memory for p in paths), timeout_s)

    def close(self) -> None:
        """Stop making pictures."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (path := self._next()) is not None:
            thumbnail = self._load_or_make(path)
            with self._changed:
                self._busy.discard(path)
                self._keep(path, thumbnail)
                self._changed.notify_all()

    def _next(self) -> Path | None:
        with self._changed:
            while not self._closed:
                while self._queue:
                    path = self._queue.pop()
                    if path not in self._memory and path not in self._busy:
                        self._busy.add(path)
                        return path
                self._changed.wait()
            return None

    def _keep(self, path: Path, thumbnail: Thumbnail) -> None:
        self.seen[path] = thumbnail._replace(values=thumbnail.values[:0])
        self._memory[path] = thumbnail
        self._bytes += thumbnail.values.nbytes
        while self._bytes > self.memory_bytes and len(self._memory) > 1:
            _, old = self._memory.popitem(last=False)
            self._bytes -= old.values.nbytes

    def _load_or_make(self, path: Path) -> Thumbnail:
        try:
            place = self._place(path)
            if place.exists() and (cached := _load(place)) is not None:
                return cached
            thumbnail = make_thumbnail(read_frame(path).pixels, self.side)
        except (UnreadableFrame, OSError, MemoryError) as error:
            text = (error.strerror if isinstance(error, OSError) else None) or str(error)
            return Thumbnail(np.empty((0, 0), np.float16), error=text or "too large")
        try:
            _save(place, thumbnail)
        except OSError as error:
            log.debug("thumbnail of %s not kept: %s", path, error)
        return thumbnail

    def _place(self, path: Path) -> Path:
        stat = path.stat()
        folder = _digest(os.fsencode(path.absolute().parent))
        facts = json.dumps([FORMAT, self.side, stat.st_size, stat.st_mtime_ns]).encode()
        return self.root / folder / f"{_digest(os.fsencode(path.name) + facts)}.npz"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]


def _save(place: Path, thumbnail: Thumbnail) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    facts = np.array(thumbnail[1:5], dtype=np.float64)
    with replacing(place) as temporary, temporary.open("wb") as stream:
        np.savez(stream, values=thumbnail.values, facts=facts)


def _load(place: Path) -> Thumbnail | None:
    try:
        with place.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            background, noise, low, high = content["facts"].tolist()
            return Thumbnail(content["values"], background, noise, low, high)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s is damaged and made again: %s", place, error)
        return None
