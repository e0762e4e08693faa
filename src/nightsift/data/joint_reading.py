"""Tensor and measurements of a frame from one reading of its file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nightsift.data.cache import SEGMENT_ROWS, Entry, TensorCache
from nightsift.fits.reader import UnreadableFrame, read_frame
from nightsift.judge.table import in_parallel
from nightsift.look.measure import NO_STARS, Measured, measure_frame
from nightsift.look.parallel import make_pool
from nightsift.look.prepare import prepare
from nightsift.look.store import MeasuredStore
from nightsift.look.two_scale import TwoScale

# Files waiting or read per worker: 8 MB, and enough to do while the caller is busy.
_AHEAD = 32

Both = tuple[Measured, npt.NDArray[np.float32] | None]


def fill_caches(
    files: Sequence[Path],
    cache: TensorCache,
    store: Path,
    *,
    workers: int = 0,
    processes: bool = False,
    progress: Callable[[int, int], None] | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Read each file that lacks its tensor or its measurements once, and keep both.

    Does nothing for transforms that share no work with measuring.

    Args:
        files: FITS files; those that cannot be read are left for who needs them.
        cache: of tensors.
        store: folder of measurements.
        workers: files read at the same time; 0 means one per core.
        processes: in processes instead of threads, as for `measure_night`.
        progress: called with (files done, files to do).
        meanwhile: called once while the first files are being read.
    """
    transform = cache.transform
    if not isinstance(transform, TwoScale):
        return
    folders = dict.fromkeys(path.parent for path in files)
    stores = {folder: MeasuredStore(store, folder) for folder in folders}
    lacking = set(cache.missing(files))
    lacking |= {path for path in files if stores[path.parent].get(path) is None}
    to_do = [path for path in files if path in lacking]
    workers = workers or os.cpu_count() or 1
    entries: list[Entry] = []
    look = partial(_look, transform, cache.img_size)
    with make_pool(workers, len(to_do), processes=processes) as pool:
        results = in_parallel(pool, to_do, _AHEAD * workers, look, meanwhile)
        for done, (path, stamp, (measured, tensor)) in enumerate(results, start=1):
            stores[path.parent].put(path, stamp, measured)
            if tensor is not None and measured.info is not None:
                entries.append(Entry(path, (stamp[0], stamp[1]), measured.info, tensor))
            if len(entries) == SEGMENT_ROWS:
                cache.add(entries)
                entries = []
            if progress:
                progress(done, len(to_do))
    cache.add(entries)


def _look(transform: TwoScale, img_size: int, path: Path) -> Both:
    try:
        frame = read_frame(path)
    except (UnreadableFrame, OSError) as error:
        return Measured(None, {}, NO_STARS, str(error)), None
    prepared = prepare(frame.pixels)
    return measure_frame(frame.info, prepared), transform.render(prepared, img_size)
