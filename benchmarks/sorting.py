"""How long sorting a night takes, from the start of the process to its end.

    python benchmarks/sorting.py FOLDER [--runs 3]
    python benchmarks/sorting.py --big [--frames 64] [--side 4096]
    python benchmarks/sorting.py FOLDER --watch

Each run has an empty cache of its own; `again` is a second run with what the first one left.
`--watch` copies the frames of FOLDER one after another into a watched folder and times the answer.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nightsift.fits.folders import find_files
from review import write_night


def sort(folder: Path, work: Path) -> float:
    """Seconds of one whole process."""
    command = [sys.executable, "-m", "nightsift.tasks.predict", f"folder={folder}"]
    command += [f"cache_dir={work / 'cache'}", f"hydra.run.dir={work / 'run'}"]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def measure(folder: Path, runs: int) -> None:
    """Cold and warm times of `runs` runs."""
    frames = len(find_files(folder))
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as work:
            first, again = (sort(folder, Path(work)) for _ in range(2))
        print(
            f"{frames} frames: {first:.2f} s, {first / frames:.3f} s a frame; again {again:.2f} s"
        )


def watch(folder: Path) -> None:
    """Seconds from a file's arrival to the line about it."""
    files = find_files(folder)[:12]
    with tempfile.TemporaryDirectory() as work:
        night = Path(work) / "night"
        night.mkdir()
        command = [sys.executable, "-u", "-m", "nightsift.tasks.predict", f"folder={night}"]
        command += [f"cache_dir={Path(work) / 'cache'}", f"hydra.run.dir={Path(work) / 'run'}"]
        process = subprocess.Popen([*command, "watch=true"], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        waits = []
        for path in files:
            shutil.copyfile(path, night / path.name)
            start = time.perf_counter()
            while path.name not in process.stdout.readline():
                pass
            waits.append(time.perf_counter() - start)
        process.kill()
        process.wait()
        process.stdout.close()
    print(f"answers after {np.median(waits):.2f} s (worst {max(waits):.2f} s) of {len(waits)}")


def main() -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--watch", action="store_true")
    options = parser.parse_args()
    if options.big:
        with tempfile.TemporaryDirectory() as work:
            write_night(Path(work) / "night", options.frames, options.side)
            measure(Path(work) / "night", options.runs)
    elif options.watch:
        watch(options.folder)
    else:
        measure(options.folder, options.runs)


if __name__ == "__main__":
    main()
