"""Who measures several frames at the same time: processes for a night, threads for a few."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

# Starting processes costs about as much as measuring this many frames.
_FRAMES_WORTH_PROCESSES = 16


def make_pool(workers: int, jobs: int, *, processes: bool) -> Executor:
    """A pool for `jobs` frames; shut it down by using it as a context.

    Much of a small frame's time is spent in the interpreter, which threads share.

    Args:
        workers: at the same time.
        jobs: frames in all.
        processes: whether processes are allowed: they need a program that can be imported
            without starting anything (`if __name__ == "__main__"`).
    """
    if not processes or workers == 1 or jobs < _FRAMES_WORTH_PROCESSES:
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(_method()))


def _method() -> str:
    """How processes start: by fork, at once, unless another thread could hold a lock."""
    known = multiprocessing.get_all_start_methods()
    if known[0] == "fork" and threading.active_count() == 1:
        return "fork"
    return "forkserver" if "forkserver" in known else "spawn"
