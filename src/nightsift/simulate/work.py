"""Spreads the making of frames over processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]
# Starting processes takes seconds: less work than this is done at once.
_WORTH_PROCESSES_PX = 5e7


def process_count(workers: int, pixels: float) -> int:
    """How many processes to use: `workers`, or as many as there are cores if it is 0."""
    if workers:
        return workers
    return 1 if pixels < _WORTH_PROCESSES_PX else os.cpu_count() or 1


def in_processes(
    run: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    processes: int,
    weigh: Callable[[Job], int],
    progress: Progress | None = None,
) -> list[Result]:
    """`run` of each job, in the order of the jobs.

    Args:
        run: a function of a module, so that processes can find it.
        jobs: what it is called with.
        processes: how many at once; 1 for this one.
        weigh: how many frames a job is, for the progress.
        progress: called with (frames done, frames to do).
    """
    total, done = sum(weigh(job) for job in jobs), 0
    results: dict[int, Result] = {}
    for index, result in _results(run, jobs, processes):
        results[index] = result
        done += weigh(jobs[index])
        if progress:
            progress(done, total)
    return [results[index] for index in range(len(jobs))]


def _results(
    run: Callable[[Job], Result], jobs: Sequence[Job], processes: int
) -> Iterator[tuple[int, Result]]:
    if processes == 1 or len(jobs) == 1:
        yield from ((index, run(job)) for index, job in enumerate(jobs))
        return
    # Spawned, not forked: the parent may hold threads of torch.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        futures = {pool.submit(run, job): index for index, job in enumerate(jobs)}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
