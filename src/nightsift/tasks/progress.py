"""How far a task is: a bar on a terminal, a line in the log now and then elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

log = logging.getLogger(__name__)

Update = Callable[[int, int], None]
# Seconds between two lines of the log.
_PAUSE_S = 10.0


@contextmanager
def progress_bar(what: str) -> Iterator[Update]:
    """Show how far something is while the block runs; yields `update(done, total)`.

    Where standard error is no terminal, lines such as `reading frames: 120 of 400` go to the
    log: the last one when the block ends well, others not before ten seconds have passed.

    Args:
        what: is done, in a few words.
    """
    from rich.console import Console

    console = Console(stderr=True)
    # Neither has a thread of its own: processes can then be forked.
    with _bar(what, console) if console.is_terminal else _lines(what) as update:
        yield update


@contextmanager
def _bar(what: str, console: Console) -> Iterator[Update]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, refresh=True)

        yield update


@contextmanager
def _lines(what: str) -> Iterator[Update]:
    last: tuple[int, int] | None = None
    logged: tuple[int, int] | None = None
    due = time.monotonic() + _PAUSE_S

    def update(done: int, total: int) -> None:
        nonlocal last, logged, due
        last = done, total
        if time.monotonic() >= due:
            log.info("%s: %d of %d", what, done, total)
            logged, due = last, time.monotonic() + _PAUSE_S

    yield update
    if last and last != logged:
        log.info("%s: %d of %d", what, *last)
