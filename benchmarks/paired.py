"""How long a command takes here and in another source tree, one after the other, in pairs.

    python benchmarks/paired.py OTHER_SRC predict|heuristics|evaluate|train [FOLDER ...]
        [KEY=VALUE ...] [--pairs 3]
    python benchmarks/paired.py --quick

OTHER_SRC is the `src` of another checkout. Folders are what the command is given to work on, the
rest goes to it as it stands; `evaluate` takes the shipped weights and `train` one epoch unless
told otherwise. Every run is a process of its own with an empty cache; a first pair fills the
system's memory with files and code and is not counted. A ratio above 1 means that this tree is
faster. Processor time is that of all processes of a run; other jobs on the machine change it
less. Linux only. `--quick` compares this tree with itself once on a small simulated night.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nights import quick_night
from timing import Spent, processor_s

OURS = Path(__file__).resolve().parents[1] / "src"
_FOLDERS = {
    "predict": "folder={}",
    "heuristics": "folder={}",
    "evaluate": "data.seq_dirs=[{}]",
    "train": "data.seq_dirs=[{}]",
}
_UNLESS_TOLD = {"evaluate": ["ckpt=pretrained"], "train": ["trainer.max_epochs=1"]}
_PR_SET_CHILD_SUBREAPER = 36


def overrides_of(task: str, given: Sequence[str]) -> list[str]:
    """What a command is given: folders under their key, then the rest."""
    folders = [f"'{Path(item).resolve()}'" for item in given if Path(item).is_dir()]
    rest = [item for item in given if not Path(item).is_dir()]
    named = [_FOLDERS[task].format(",".join(folders))] if folders else []
    return [*_UNLESS_TOLD.get(task, []), *named, *rest]


def run_once(src: Path, task: str, overrides: Sequence[str]) -> Spent:
    """Time one process of a tree; processor time is that of all that it starts.

    Raises:
        SystemExit: it fails; its output says why.
    """
    environment = {**os.environ, "PYTHONPATH": str(src)}
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", f"nightsift.tasks.{task}", *overrides]
        command += [f"cache_dir={work}/cache", f"hydra.run.dir={work}/run"]
        start, busy = time.perf_counter(), processor_s()
        done = subprocess.run(
            command, cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        wall = time.perf_counter() - start
        wait_for_all()
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Spent(wall, processor_s() - busy)


def wait_for_all() -> None:
    """Wait for what a process has left behind; its processor time counts only then."""
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass


def check_tree(src: Path) -> None:
    """Raise SystemExit unless a process that is given `src` takes the package from there."""
    command = [sys.executable, "-c", "import nightsift; print(nightsift.__file__)"]
    environment = {**os.environ, "PYTHONPATH": str(src)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    if not Path(found.stdout.strip()).is_relative_to(src):
        raise SystemExit(f"{src} holds no package nightsift: {found.stdout.strip()} is used")


def spread(what: str, values: Sequence[float]) -> str:
    """`what` with median, smallest and largest ratio."""
    return f"{what} {np.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def compare(other: Path, task: str, overrides: Sequence[str], pairs: int, *, warm: bool) -> None:
    """Print the times of each pair, then the ratios."""
    # What the processes leave behind becomes a child of this one, to be waited for.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for src in (other, OURS):
        check_tree(src)
        if warm:
            run_once(src, task, overrides)
    walls, busy = [], []
    for _ in range(pairs):
        theirs, ours = (run_once(src, task, overrides) for src in (other, OURS))
        walls.append(theirs.wall_s / ours.wall_s)
        busy.append(theirs.processor_s / ours.processor_s)
        print(
            f"other {theirs.wall_s:.2f} s ({theirs.processor_s:.2f} s of processor time), "
            f"this {ours.wall_s:.2f} s ({ours.processor_s:.2f} s): {walls[-1]:.2f}",
            flush=True,
        )
    print(f"{task}: {spread('faster by', walls)}, {spread('by processor time', busy)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", nargs="?", type=Path)
    parser.add_argument("task", nargs="?", choices=sorted(_FOLDERS))
    parser.add_argument("given", nargs="*", metavar="FOLDER or KEY=VALUE")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        with tempfile.TemporaryDirectory() as where:
            night = quick_night(Path(where, "night"))
            overrides = overrides_of("heuristics", [str(night)])
            compare(OURS, "heuristics", overrides, 1, warm=False)
    elif options.task is None:
        parser.error("OTHER_SRC and a task are needed")
    else:
        overrides = overrides_of(options.task, options.given)
        compare(options.other.resolve(), options.task, overrides, options.pairs, warm=True)


if __name__ == "__main__":
    main()
