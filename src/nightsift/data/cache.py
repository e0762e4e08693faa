"""Each file is decoded once, ever: tensors in memory-mapped segments beside a small index.

Layout below `cache_dir/tensors/<transform key>/`: for each folder of frames one
`<folder key>.json` (file name -> size, mtime, header facts, segment and row) and its segments
`<folder key>-<random>.npy`, (n, S, S) or (n, C, S, S) float32 with n <= 128. Segments are
written once and never changed; the index is replaced atomically. Two processes that fill the
same folder at once may do the work twice, but each leaves a complete index.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.errors import NightsiftError
from nightsift.files import replacing
from nightsift.fits.header import FrameInfo
from nightsift.fits.reader import UnreadableFrame, read_frame
from nightsift.look.transforms import Transform

log = logging.getLogger(__name__)

FORMAT = 3
SEGMENT_ROWS = 128
# Mappings kept open at once: memory stays bounded whatever the number of frames.
_OPEN_SEGMENTS = 16


class TensorRef(NamedTuple):
    """Where the tensor of one frame lies: a segment file and a row in it."""

    segment: Path
    row: int


class CachedFrame(NamedTuple):
    """One file after the cache has seen it: header facts and tensor, or the reason why not."""

    path: Path
    info: FrameInfo | None
    ref: TensorRef | None
    error: str


class Entry(NamedTuple):
    """A tensor for the cache, (S, S) or (C, S, S) float32, and what it was made from."""

    path: Path
    stamp: tuple[int, int]
    info: FrameInfo
    tensor: npt.NDArray[np.float32]


class TensorCache:
    """Tensors of frames under one transform and image size.

    Args:
        cache_dir: root of all caches; made when needed.
        transform: maps pixels to the network input.
        img_size: side of the tensors, px.
        workers: threads that decode at the same time; 0 means one per core.
    """

    def __init__(
        self, cache_dir: Path, transform: Transform, *, img_size: int = 128, workers: int = 0
    ) -> None:
        if img_size < 16:
            raise NightsiftError(f"data.img_size must be at least 16, got {img_size}")
        key = json.dumps([FORMAT, transform.spec(), img_size], sort_keys=True)
        self.folder = cache_dir / "tensors" / _digest(key)
        self.transform = transform
        self.img_size = img_size
        self.workers = workers or os.cpu_count() or 1
        self._open: OrderedDict[Path, npt.NDArray[np.float32]] = OrderedDict()

    def ensure(
        self, files: Sequence[Path], *, progress: Callable[[int, int], None] | None = None
    ) -> list[CachedFrame]:
        """Make the tensors that are missing or out of date.

        Args:
            files: FITS files, in any order.
            progress: called with (files done, files to do) as the work goes on.

        Returns:
            One `CachedFrame` per file, in the order given. A file that cannot be read has
            an `error`; it is tried again next time.

        Raises:
            OSError: the cache cannot be written; what was complete stays usable.
        """
        by_folder = {folder: list[Path]() for folder in _folders(files)}
        for path in files:
            by_folder[path.absolute().parent].append(path)
        done: dict[Path, CachedFrame] = {}
        for folder, members in by_folder.items():
            index = _FolderIndex(self.folder, folder)
            missing = [path for path in members if not index.holds(path)]
            for start in range(0, len(missing), SEGMENT_ROWS):
                part = missing[start : start + SEGMENT_ROWS]
                done.update((frame.path, frame) for frame in self._fill(index, part))
                if progress:
                    progress(min(len(files), len(done)), len(files))
            done.update((path, index.frame(path)) for path in members if path not in done)
            if progress:
                progress(len(done), len(files))
        return [done[path] for path in files]

    def missing(self, files: Sequence[Path]) -> list[Path]:
        """Those of `files` that have no tensor, or one older than they are."""
        indices = {folder: _FolderIndex(self.folder, folder) for folder in _folders(files)}
        return [path for path in files if not indices[path.absolute().parent].holds(path)]

    def add(self, entries: Sequence[Entry]) -> None:
        """Keep tensors that were made elsewhere.

        Args:
            entries: of any folders; `stamp` is size and time of the file before it was read.
        """
        for folder in _folders([entry.path for entry in entries]):
            index = _FolderIndex(self.folder, folder)
            own = [entry for entry in entries if entry.path.absolute().parent == folder]
            for start in range(0, len(own), SEGMENT_ROWS):
                part = own[start : start + SEGMENT_ROWS]
                facts = [(entry.path, entry.stamp, entry.info) for entry in part]
                index.add(facts, [entry.tensor for entry in part])

    def read(self, ref: TensorRef) -> npt.NDArray[np.float32]:
        """A copy of one tensor, (S, S) or (C, S, S) float32."""
        segment = self._open.get(ref.segment)
        if segment is None:
            segment = np.load(ref.segment, mmap_mode="r", allow_pickle=False)
            self._open[ref.segment] = segment
            if len(self._open) > _OPEN_SEGMENTS:
                self._open.popitem(last=False)
        else:
            self._open.move_to_end(ref.segment)
        return np.array(segment[ref.row])

    def read_many(self, refs: Iterable[TensorRef]) -> npt.NDArray[np.float32]:
        """Tensors stacked with a channel axis, (B, C, S, S) float32."""
        stacked = np.stack([self.read(ref) for ref in refs])
        return stacked if stacked.ndim == 4 else stacked[:, None]

    def _fill(self, index: _FolderIndex, files: list[Path]) -> list[CachedFrame]:
        """Decode one segment's worth of files, write it, and enter it into the index."""
        with ThreadPoolExecutor(self.workers) as pool:
            results = list(pool.map(self._decode, files))
        tensors = [r.tensor for r in results if r.tensor is not None]
        if tensors:
            good = [r for r in results if r.tensor is not None]
            index.add([(r.path, r.stamp, r.info) for r in good], tensors)
        return [
            index.frame(r.path)
            if r.tensor is not None
            else CachedFrame(r.path, None, None, r.error)
            for r in results
        ]

    def _decode(self, path: Path) -> _Decoded:
        try:
            stamp = _stamp(path)  # before reading: a file that grows meanwhile is made again
            frame = read_frame(path)
            return _Decoded(path, stamp, frame.info, self.transform(frame.pixels, self.img_size))
        except UnreadableFrame as error:
            return _Decoded(path, (0, 0), None, None, str(error))
        except OSError as error:
            return _Decoded(path, (0, 0), None, None, error.strerror or str(error))


class _Decoded(NamedTuple):
    path: Path
    stamp: tuple[int, int]
    info: FrameInfo | None
    tensor: npt.NDArray[np.float32] | None
    error: str = ""


class _FolderIndex:
    """The index of one folder of frames, in memory and on disk."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.key = _digest(str(folder.resolve()))
        self.path = root / f"{self.key}.json"
        self.rows = self._load()

    def holds(self, path: Path) -> bool:
        """Whether the entry of `path` is there and as old as the file."""
        row = self.rows.get(path.name)
        try:
            return row is not None and tuple(row["stamp"]) == _stamp(path)
        except OSError:
            return False

    def frame(self, path: Path) -> CachedFrame:
        """The entry of a file that `holds`."""
        row = self.rows[path.name]
        ref = TensorRef(self.root / row["segment"], int(row["row"]))
        return CachedFrame(path, FrameInfo.from_json(row["info"]), ref, "")

    def add(
        self,
        entries: list[tuple[Path, tuple[int, int], Any]],
        tensors: list[npt.NDArray[np.float32]],
    ) -> None:
        """Write one segment, then the index that names it."""
        self.root.mkdir(parents=True, exist_ok=True)
        segment = self.root / f"{self.key}-{secrets.token_hex(6)}.npy"
        with replacing(segment) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.stack(tensors), allow_pickle=False)
        # Another process may have added rows since this one looked: keep theirs.
        self.rows = {**self._load(), **self.rows}
        for row, (path, stamp, info) in enumerate(entries):
            self.rows[path.name] = {
                "stamp": list(stamp),
                "info": info.to_json(),
                "segment": segment.name,
                "row": row,
            }
        with replacing(self.path) as temporary:
            temporary.write_text(json.dumps(self.rows), encoding="utf-8")
        self._drop_unused()

    def _load(self) -> dict[str, dict[str, Any]]:
        try:
            rows: dict[str, dict[str, Any]] = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            log.warning("cache index %s is damaged: its tensors are made again", self.path)
            return {}
        present = {file.name for file in self.root.glob(f"{self.key}-*.npy")}
        return {name: row for name, row in rows.items() if row["segment"] in present}

    def _drop_unused(self) -> None:
        """Remove segments that no entry names any more, unless another process just made them.

        A mapped file cannot be removed on Windows; it goes at the next chance.
        """
        used = {row["segment"] for row in self.rows.values()}
        for file in self.root.glob(f"{self.key}-*.npy"):
            try:
                old = file.stat().st_mtime < self.path.stat().st_mtime - 3600
                if file.name not in used and old:
                    file.unlink()
            except OSError:
                log.debug("could not remove unused cache segment %s", file)


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _folders(files: Sequence[Path]) -> list[Path]:
    return list(dict.fromkeys(path.absolute().parent for path in files))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
