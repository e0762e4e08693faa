"""Spreads the making of frames over processes and writes the tables of what was made."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol, TypeVar

from nightsift.simulate.defects.catalogue import DEFECTS
from nightsift.simulate.occurrences import learn_defects
from nightsift.simulate.tables import FrameTruth, write_tables

Progress = Callable[[int, int], None]
# Starting processes takes seconds: less work than this is done at once.
_WORTH_PROCESSES_PX = 5e7


class Job(Protocol):
    """Some frames of one night, made by one process."""

    @property
    def folder(self) -> Path:
        """Where they go."""

    @property
    def frames(self) -> Sequence[Any]:
        """What each is made from."""


SomeJob = TypeVar("SomeJob", bound=Job)


def make_all(
    make_frames: Callable[[SomeJob], list[FrameTruth]],
    jobs: Sequence[SomeJob],
    *,
    pixels: float,
    workers: int,
    progress: Progress | None = None,
) -> list[Path]:
    """Make the frames of all jobs, and write labels and truth beside them.

    Args:
        make_frames: writes the frames of a job; a function of a module, so that processes can
            find it.
        jobs: what it is called with.
        pixels: of all frames together.
        workers: processes; 0 for as many as there are cores, if the work is worth it.
        progress: called with (frames done, frames to do).

    Returns:
        The folders, in the order of the jobs.
    """
    if not workers:
        workers = 1 if pixels < _WORTH_PROCESSES_PX else os.cpu_count() or 1
    folders = list(dict.fromkeys(job.folder for job in jobs))
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    total, done = sum(len(job.frames) for job in jobs), 0
    made: dict[int, list[FrameTruth]] = {}
    for number, truths in _in_processes(make_frames, jobs, workers):
        made[number] = truths
        done += len(truths)
        if progress:
            progress(done, total)
    for folder in folders:
        own = [made[i] for i, job in enumerate(jobs) if job.folder == folder]
        write_tables(folder, [truth for truths in own for truth in truths])
    return folders


def _in_processes(
    make_frames: Callable[[SomeJob], list[FrameTruth]], jobs: Sequence[SomeJob], processes: int
) -> Iterator[tuple[int, list[FrameTruth]]]:
    """(number, result) of each job, as they end."""
    if processes == 1 or len(jobs) == 1:
        yield from ((number, make_frames(job)) for number, job in enumerate(jobs))
        return
    # Spawned, not forked: the parent may hold threads of torch.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=learn_defects, initargs=(dict(DEFECTS),)
    ) as pool:
        futures = {pool.submit(make_frames, job): number for number, job in enumerate(jobs)}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
