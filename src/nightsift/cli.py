"""The console command `nightsift <task> ...`."""

from __future__ import annotations

import importlib
import sys

TASKS = {
    "train": "train the joint model and measure it",
    "evaluate": "measure weights on labelled nights, or score unlabelled ones",
    "predict": "score a folder of frames without labels",
    "simulate": "write a small synthetic campaign with labels",
}


def main() -> None:
    """Start the task named by the first argument; the rest is the task's own."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in TASKS:
        sys.argv = [f"nightsift {name}", *sys.argv[2:]]
        importlib.import_module(f"nightsift.tasks.{name}").main()
        return
    print("usage: nightsift <task> [key=value ...]    (nightsift <task> --help)\n")
    for task, purpose in TASKS.items():
        print(f"  {task:<10} {purpose}")
    if name not in ("-h", "--help"):
        print(f"\nexpected one of these tasks, got {name!r}", file=sys.stderr)
        raise SystemExit(2)
