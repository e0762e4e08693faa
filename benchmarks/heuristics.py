"""How fast a night is measured, against the published formula in plain numpy.

    python benchmarks/heuristics.py night [--side 4096] [--frames 16] [--plain-frames 4]
    python benchmarks/heuristics.py small [--frames 120]
    python benchmarks/heuristics.py folder FOLDER
    python benchmarks/heuristics.py memory

Both ways run in one process, one after the other, on the same synthetic files: ours with two
workers and all features, the other as published, one frame after the other.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from nightsift.fits.folders import find_files
from nightsift.heuristics.published import published_features
from nightsift.heuristics.score import judge_features
from nightsift.heuristics.table import measure_night


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of processor time, processes included, that `action` takes."""
    start, busy = time.perf_counter(), processor_s()
    action()
    return time.perf_counter() - start, processor_s() - busy


def processor_s() -> float:
    """Processor time of this process and of those that it started and that have ended."""
    usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(item.ru_utime + item.ru_stime for item in usage)


def make_night(folder: Path, frames: int, height: int, width: int) -> list[Path]:
    """Frames of Gaussian stars that drift, with hot pixels, as unsigned integers."""
    rng = np.random.default_rng(0)
    count = height * width // 3000
    x, y = rng.uniform(0, width, count), rng.uniform(0, height, count)
    flux = 10 ** rng.uniform(3.2, 5.8, count)
    rows, cols = np.mgrid[-10:11, -10:11]
    hot = rng.integers(0, height, count), rng.integers(0, width, count)
    files = []
    for i in range(frames):
        image = rng.normal(1000, 33, (height, width)).astype(np.float32)
        for cx, cy, light in zip(x + 2 * i, y, flux, strict=True):
            ix, iy = round(cx), round(cy)
            if 10 < ix < width - 11 and 10 < iy < height - 11:
                shape = np.exp(-((cols - cx + ix) ** 2 + (rows - cy + iy) ** 2) / 5.8)
                image[iy - 10 : iy + 11, ix - 10 : ix + 11] += light / 18.2 * shape
        image[hot] += 3000
        header = fits.Header({"DATE-OBS": f"2025-03-01T{i // 60:02d}:{i % 60:02d}:00"})
        files.append(folder / f"f{i:04d}.fits")
        fits.writeto(files[-1], image.clip(0, 65535).astype(np.uint16), header)
    return files


def plain(files: Sequence[Path]) -> None:
    """The published columns, one frame after the other."""
    for file in files:
        published_features(fits.getdata(file).astype(np.float32))


def compare(files: Sequence[Path], plain_frames: int) -> None:
    """Print seconds per frame of both ways and their ratio."""
    measure_night(files[:1])
    n, m = len(files), plain_frames
    ours = timed(lambda: judge_features(measure_night(files, workers=2, processes=True)))
    theirs = timed(lambda: plain(files[:m]))
    for name, (wall, busy), count in (("ours, 2 workers", ours, n), ("published", theirs, m)):
        each = (
            f"{1000 * wall / count:.0f} ms per frame, {1000 * busy / count:.0f} ms processor time"
        )
        print(f"{name}: {each}, {count / wall:.1f} frames per second")
    # On a busy machine the second ratio is the one that other jobs do not change.
    idle = 2 * theirs[1] / m / (ours[1] / n)
    print(f"ratio: {theirs[0] / m / (ours[0] / n):.1f}; on two idle cores: {idle:.1f}")


def memory(frames: int) -> None:
    """Print the peak memory of one process that measures so many small frames."""
    with tempfile.TemporaryDirectory() as folder:
        files = make_night(Path(folder), frames, 500, 650)
        start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        measure_night(files, workers=2)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{frames} frames: {start // 1024} MB before, {peak // 1024} MB at most")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["night", "small", "folder", "memory", "one_memory"])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--plain-frames", type=int, default=4)
    given = parser.parse_args()
    if given.what == "memory":
        for frames in (50, 400):
            command = [sys.executable, __file__, "one_memory", "--frames", str(frames)]
            subprocess.run(command, check=True)
    elif given.what == "one_memory":
        memory(given.frames)
    elif given.what == "folder":
        files = find_files(given.folder)
        compare(files, min(len(files), 40))
    else:
        size = (500, 650) if given.what == "small" else (given.side, given.side)
        count = given.frames or (120 if given.what == "small" else 16)
        with tempfile.TemporaryDirectory() as folder:
            compare(make_night(Path(folder), count, *size), min(count, given.plain_frames))


if __name__ == "__main__":
    main()
