"""Files to looks: what is kept comes from the store, the rest is read once and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from nightsift.look.look import Look, Taken, Wanted, take_look
from nightsift.look.parallel import as_completed, make_pool, worker_count
from nightsift.look.store import LookStore

Progress = Callable[[int, int], None]

# Looks that are kept together: 8 MB of tensors.
_BATCH = 32
# Files waiting or read per worker: enough to do while the caller is busy.
_AHEAD = 16


def look_at(
    files: Sequence[Path],
    wanted: Wanted,
    store: LookStore,
    *,
    workers: int = 0,
    processes: bool = False,
    progress: Progress | None = None,
    once_reading: Callable[[], object] = lambda: None,
) -> list[Look]:
    """Look at files; each is decoded at most once, and not at all where all is kept.

    Args:
        files: FITS files, in any order.
        wanted: what to bring back.
        store: where looks are kept.
        workers: files read at the same time; 0 means one per core.
        processes: read in processes instead of threads: twice as fast for small frames, but
            only for programs with an `if __name__ == "__main__"`.
        progress: called with (files done, all files).
        once_reading: called once while the first files are being read.

    Returns:
        One look per file, in the order given; one without a frame has an `error`.

    Raises:
        NightsiftError: the cache cannot be written; what was complete stays usable.
    """
    kept = store.read(files, wanted)
    jobs: list[tuple[Path, Wanted]] = []
    for path in dict.fromkeys(files):
        look = kept.get(path)
        rest = wanted if look is None else wanted.lacking(look)
        if rest is not None:
            jobs.append((path, rest))
    failed: dict[Path, Look] = {}
    batch: list[Taken] = []
    workers = worker_count(workers)
    count = len(set(files))
    done = count - len(jobs)
    ahead = _AHEAD * workers
    with (
        make_pool(workers, len(jobs), processes=processes) as pool,
        # Closed before the pool, which would do all that it was given.
        closing(as_completed(pool, _take, jobs, ahead=ahead, once_running=once_reading)) as results,
    ):
        for number, taken in enumerate(results, start=1):
            if taken.error:
                failed[taken.path] = Look(taken.path, error=taken.error)
            batch.append(taken)
            if len(batch) == _BATCH:
                store.add(batch, wanted)
                batch.clear()
            if progress:
                progress(done + number, count)
    store.add(batch, wanted)
    if jobs:
        kept |= store.read([path for path, _ in jobs], wanted)
    changed = {path: Look(path, error="it changes while it is read") for path, _ in jobs}
    seen = changed | kept | failed
    return [seen[path] for path in files]


def _take(job: tuple[Path, Wanted]) -> Taken:
    return take_look(*job)
