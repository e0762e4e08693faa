"""How long a person waits for the review window, and how much memory it takes.

    python benchmarks/review.py night FOLDER [--frames 500] [--side 4096]
    python benchmarks/review.py open FOLDER [--rows 3]
    python benchmarks/review.py table [--rows 1000000]
    python benchmarks/review.py --quick

`night` writes a night of large frames (17 GB as it stands). `open` starts a fresh process on it
with an empty cache and the files dropped from the memory of the system, so that they come from
the disk; it counts from the start of the process, imports included. `--quick` does everything
once with few small frames, to see that it works.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nights import large_night
from timing import peak_mib

from nightsift.review.session import open_state, start_thumbnails
from nightsift.review.store import LabelStore

# When the process that opens a night was started, seconds since the epoch.
STARTED = float(os.environ.get("REVIEW_STARTED", time.time()))


def forget(folder: Path) -> None:
    """Ask the system to drop the files from its memory."""
    os.sync()
    for path in folder.glob("*.fits"):
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def open_once(folder: Path, cache: Path, rows: int) -> None:
    """Open, draw the first page, make all pictures, turn pages, label."""
    state = open_state(folder, cache / "labels.csv", cache_dir=cache, rows=rows, cols=rows)
    listed = time.time() - STARTED
    thumbnails = start_thumbnails(state, cache)
    # As the task does it: the window is imported while threads read the first frames.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from nightsift.review.view import ReviewWindow

    FigureCanvasAgg.draw_idle = lambda self: None  # drawn when asked to, as in a window system
    canvas = FigureCanvasAgg(Figure(figsize=(12, 8), dpi=100))
    window = ReviewWindow(canvas.figure, state, thumbnails)
    thumbnails.wait([state.path(frame) for frame in state.page_frames()], 600)
    window.tick()
    canvas.draw()
    first = time.time() - STARTED
    while len(thumbnails.seen) < len(state.frames):
        time.sleep(0.05)
    whole = time.time() - STARTED
    print(f"  {listed:.2f} s headers read, {first:.2f} s first page, {whole:.1f} s all pictures")
    turns = [press(canvas, key) for key in ("pagedown",) * 12 + ("pageup",) * 12]
    labels = [press(canvas, key) for key in ("b", "right") * 20]
    window.close()
    for name, times in (("turn a page", turns), ("label or step", labels)):
        print(f"  {name}: median {np.median(times) * 1e3:.0f} ms, worst {max(times) * 1e3:.0f} ms")
    print(f"  peak memory {peak_mib():.0f} MiB")


def press(canvas: Any, key: str) -> float:
    """Seconds from a key to the drawn window."""
    from matplotlib.backend_bases import KeyEvent

    start = time.perf_counter()
    canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, key))
    canvas.draw()
    return time.perf_counter() - start


def open_table(rows: int) -> None:
    """Open a table of many rows of other nights, and label frames of one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = folder / "labels.csv"
        with table.open("w") as stream:
            stream.write("file,label,notes,timestamp\n")
            stream.writelines(
                f'night{i // 1000}/f{i % 1000}.fits,{"bad" if i % 9 == 0 else ""},"a, note",\n'
                for i in range(rows)
            )
        files = [folder / "night7" / f"f{i}.fits" for i in range(500)]
        start = time.perf_counter()
        store = LabelStore(table, files, fallback_dir=folder / "x")
        print(f"  {rows} rows open in {time.perf_counter() - start:.2f} s")
        times = []
        for path in files[:50]:
            start = time.perf_counter()
            store.decide({path: store.judged(path, 1)})
            times.append(time.perf_counter() - start)
            store.poll()
            time.sleep(0.05)
        start = time.perf_counter()
        assert store.close()
        print(f"  decide: median {np.median(times) * 1e3:.1f} ms, worst {max(times) * 1e3:.1f} ms")
        print(f"  closing took {time.perf_counter() - start:.2f} s")


def open_twice(folder: Path, rows: int) -> None:
    """Open a night with an empty and with a filled cache, each in a process of its own."""
    with tempfile.TemporaryDirectory() as cache:
        for case in ("from the disk, no cache", "again, with the cache"):
            forget(folder)
            print(case, flush=True)
            command = [sys.executable, __file__, "once", str(folder)]
            command += ["--cache", cache, "--rows", str(rows)]
            start = time.perf_counter()
            started = {"REVIEW_STARTED": str(time.time())}
            subprocess.run(command, check=True, env={**os.environ, **started})
            print(f"  {time.perf_counter() - start:.1f} s from start to end of the process")


def quick() -> None:
    """Everything once, with few small frames and a short table."""
    with tempfile.TemporaryDirectory() as where:
        open_twice(large_night(Path(where, "night"), 12, 256), 2)
    open_table(10_000)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["night", "open", "once", "table"])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        quick()
    elif options.what == "table":
        open_table(options.rows or 1_000_000)
    elif options.folder is None:
        parser.error("which FOLDER?")
    elif options.what == "night":
        large_night(options.folder, options.frames, options.side)
    elif options.what == "once":
        open_once(options.folder, options.cache, options.rows or 3)
    else:
        open_twice(options.folder, options.rows or 3)


if __name__ == "__main__":
    main()
