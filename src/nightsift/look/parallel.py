"""Several frames or nights at the same time: processes for many, threads for a few."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from itertools import islice
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# Starting processes costs about as much as reading this many frames...
_FILES_WORTH_PROCESSES = 16
# ... or comparing this many with their nights.
FRAMES_WORTH_PROCESSES = 400


def worker_count(workers: int) -> int:
    """`workers`, or one per core where it is 0."""
    return workers or os.cpu_count() or 1


def make_pool(workers: int, jobs: int, *, processes: bool) -> Executor:
    """A pool for `jobs` frames; shut it down by using it as a context.

    Much of a small frame's time is spent in the interpreter, which threads share.

    Args:
        workers: at the same time.
        jobs: frames in all.
        processes: whether processes are allowed: they need a program that can be imported
            without starting anything (`if __name__ == "__main__"`).
    """
    if not processes or workers == 1 or jobs < _FILES_WORTH_PROCESSES:
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(_method()))


def _method() -> str:
    """How processes start: by fork, at once, unless a thread could hold a lock meanwhile.

    Torch keeps threads of its own that no child inherits: a child that used it would wait for
    them for ever.
    """
    known = multiprocessing.get_all_start_methods()
    if known[0] == "fork" and threading.active_count() == 1 and "torch" not in sys.modules:
        return "fork"
    return "forkserver" if "forkserver" in known else "spawn"


def as_completed(
    pool: Executor,
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    *,
    ahead: int,
    once_running: Callable[[], object] = lambda: None,
) -> Generator[Result, None, None]:
    """Results as they become ready; what has not begun when the caller stops is left undone.

    Args:
        pool: does the work.
        work: one job to its result.
        jobs: to be done.
        ahead: so many jobs and results are in memory at any time.
        once_running: called when the first jobs are on their way.
    """
    waiting = iter(jobs)
    running = {pool.submit(work, job) for job in islice(waiting, ahead)}
    try:
        once_running()
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
            running |= {pool.submit(work, job) for job in islice(waiting, len(finished))}
    finally:
        for future in running:
            future.cancel()
