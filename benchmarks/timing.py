"""How long something takes."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Spent(NamedTuple):
    """Seconds on the clock, and of processor time with that of processes that have ended."""

    wall_s: float
    processor_s: float


def timed(action: Callable[[], object]) -> Spent:
    """What `action` takes."""
    start, busy = time.perf_counter(), processor_s()
    action()
    return Spent(time.perf_counter() - start, processor_s() - busy)


def processor_s() -> float:
    """Processor time of this process and of those that it started and that have ended."""
    usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(item.ru_utime + item.ru_stime for item in usage)


def peak_mib() -> float:
    """Largest memory of this process so far, MiB; Linux.

    `ru_maxrss` would begin with what the parent held when it started this process.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
