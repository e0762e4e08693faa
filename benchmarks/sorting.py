"""How long sorting a night takes, from the start of the process to its end.

    python benchmarks/sorting.py FOLDER [--runs 3]
    python benchmarks/sorting.py --big [--frames 64] [--side 4096]
    python benchmarks/sorting.py FOLDER --watch
    python benchmarks/sorting.py --quick

Each run has an empty cache of its own; `again` is a second run with what the first one left.
`--watch` copies the frames of FOLDER one after another into a watched folder and times the answer.
`--quick` does both on a small simulated night, to see that it works.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nights import large_night, quick_night
from timing import timed

from nightsift.fits.folders import find_files


def sort(folder: Path, work: Path) -> float:
    """Seconds of one whole process."""
    command = [sys.executable, "-m", "nightsift.tasks.predict", f"folder={folder}"]
    command += [f"cache_dir={work / 'cache'}", f"hydra.run.dir={work / 'run'}"]
    return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)).wall_s


def measure(folder: Path, runs: int) -> None:
    """Cold and warm times of `runs` runs."""
    frames = len(find_files(folder))
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as work:
            first, again = (sort(folder, Path(work)) for _ in range(2))
        print(
            f"{frames} frames: {first:.2f} s, {first / frames:.3f} s a frame; again {again:.2f} s"
        )


def watch(folder: Path, frames: int = 12) -> None:
    """Seconds from a file's arrival to its row in the table; what is told of it can wait."""
    with tempfile.TemporaryDirectory() as work:
        night = Path(work) / "night"
        night.mkdir()
        command = [sys.executable, "-u", "-m", "nightsift.tasks.predict", f"folder={night}"]
        command += [f"cache_dir={Path(work) / 'cache'}", f"hydra.run.dir={Path(work) / 'run'}"]
        process = subprocess.Popen([*command, "watch=true"], stdout=subprocess.PIPE, text=True)
        table = Path(work) / "run" / "predictions.csv"
        try:
            assert process.stdout is not None
            process.stdout.readline()
            waits = []
            for path in find_files(folder)[:frames]:
                shutil.copyfile(path, night / path.name)
                waits.append(timed(lambda name=path.name: wait_for(name, table)).wall_s)
        finally:
            process.kill()
            process.communicate()
    print(f"answers after {np.median(waits):.2f} s (worst {max(waits):.2f} s) of {len(waits)}")


def wait_for(name: str, table: Path) -> None:
    """Until a row about a file stands in the table; a minute at most."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if table.exists() and name in table.read_text(encoding="utf-8"):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{table} says nothing of {name}")


def quick() -> None:
    """Both on a small simulated night."""
    with tempfile.TemporaryDirectory() as where:
        night = quick_night(Path(where, "night"))
        measure(night, runs=1)
        watch(night, frames=2)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--watch", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        quick()
    elif options.big:
        with tempfile.TemporaryDirectory() as work:
            night = large_night(Path(work, "night"), options.frames, options.side)
            measure(night, options.runs)
    elif options.folder is None:
        parser.error("which FOLDER?")
    elif options.watch:
        watch(options.folder)
    else:
        measure(options.folder, options.runs)


if __name__ == "__main__":
    main()
