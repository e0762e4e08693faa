"""The console command `nightsift <task> ...`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

TASKS = {
    "train": "train the joint model and measure it",
    "evaluate": "measure weights on labelled nights, or score unlabelled ones",
    "predict": "score a folder of frames without labels",
    "heuristics": "measure a night without weights: rank the likely bad frames, with reasons",
    "review": "look at frames and label them, in a window or a browser",
    "simulate": "write nights with known truth, synthetic or from your own frames",
}


def main() -> None:
    """Start the task named by the first argument; the rest is the task's own."""
    # As `python -m` does, but last: plugins=[mine] finds mine.py, and nothing is hidden by it.
    sys.path.append(str(Path.cwd()))
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    sys.argv = [f"nightsift {name}", *sys.argv[2:]]
    start(name)


def start(name: str) -> None:
    """Start the task called `name`, or say which tasks there are.

    Raises:
        SystemExit: status 2 for a name that is no task.
    """
    if name in TASKS:
        importlib.import_module(f"nightsift.tasks.{name}").main()
        return
    print("usage: nightsift <task> [key=value ...]    (nightsift <task> --help)\n")
    for task, purpose in TASKS.items():
        print(f"  {task:<10} {purpose}")
    if name not in ("-h", "--help"):
        print(
            f"nightsift: no such task: {name}; expected one of {', '.join(TASKS)}", file=sys.stderr
        )
        raise SystemExit(2)
