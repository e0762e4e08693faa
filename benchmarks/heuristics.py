"""How fast a night is measured, against the published formula in plain numpy.

    python benchmarks/heuristics.py night [--side 4096] [--frames 16] [--plain-frames 4]
    python benchmarks/heuristics.py small [--frames 120]
    python benchmarks/heuristics.py folder FOLDER
    python benchmarks/heuristics.py memory
    python benchmarks/heuristics.py --quick

Both ways run in one process, one after the other, on the same files: ours with two workers and
all features, the other as published, one frame after the other. `--quick` runs everything once
on a few small frames, to see that it works.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from timing import peak_mib, timed

from nightsift.fits.folders import find_files
from nightsift.heuristics.published import published_features
from nightsift.heuristics.score import judge_features
from nightsift.heuristics.table import measure_night


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
    idle = 2 * theirs.processor_s / m / (ours.processor_s / n)
    ratio = theirs.wall_s / m / (ours.wall_s / n)
    print(f"ratio: {ratio:.1f}; on two idle cores: {idle:.1f}")


def memory(frames: int) -> None:
    """Print the peak memory of this process when it measures so many small frames."""
    with tempfile.TemporaryDirectory() as folder:
        files = make_night(Path(folder), frames, 500, 650)
        start = peak_mib()
        measure_night(files, workers=2)
    print(f"{frames} frames: {start:.0f} MiB before, {peak_mib():.0f} MiB at most")


def measure_memory(counts: Sequence[int]) -> None:
    """The same for several counts, each in a process of its own."""
    for frames in counts:
        command = [sys.executable, __file__, "one_memory", "--frames", str(frames)]
        print(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout, end="")


def compare_made(frames: int, height: int, width: int, plain_frames: int) -> None:
    """Compare on frames that are made for it."""
    with tempfile.TemporaryDirectory() as folder:
        compare(make_night(Path(folder), frames, height, width), min(frames, plain_frames))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    choices = ["night", "small", "folder", "memory", "one_memory"]
    parser.add_argument("what", nargs="?", choices=choices)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--plain-frames", type=int, default=4)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(arguments)
    if given.quick:
        compare_made(4, 200, 300, 2)
        measure_memory([2])
    elif given.what == "memory":
        measure_memory([50, 400])
    elif given.what == "one_memory":
        memory(given.frames)
    elif given.what == "night":
        compare_made(given.frames or 16, given.side, given.side, given.plain_frames)
    elif given.what == "small":
        compare_made(given.frames or 120, 500, 650, given.plain_frames)
    elif given.folder is None:
        parser.error("which FOLDER?")
    else:
        files = find_files(given.folder)
        compare(files, min(len(files), 40))


if __name__ == "__main__":
    main()
