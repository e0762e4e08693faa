"""Draws the picture of the documentation: the real window on a night, as a person left it.

    python benchmarks/review_picture.py NIGHT_FOLDER PREDICTIONS.csv docs/review.png
    python benchmarks/review_picture.py --quick

`--quick` draws a small simulated night, to see that it works.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backend_bases import KeyEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from nights import quick_night

from nightsift import judge
from nightsift.report.figures import DPI, save_figure
from nightsift.review.session import open_state, start_thumbnails
from nightsift.review.view import ReviewWindow

# Judge four frames, step to the next, and look at the night under one stretch.
KEYS = ("b", "right", "b", "right", "b", "right", "g", "right", "t", "space", "space")


def draw(night: Path, scores: Path, out: Path) -> None:
    """Open the window, press the keys, save what it shows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = {"scores": scores, "keep": "all", "order": "score"}
        state = open_state(night, folder / "labels.csv", cache_dir=folder, **keys)
        window = ReviewWindow(
            FigureCanvasAgg(Figure(figsize=(12, 8), dpi=DPI)).figure,
            state,
            start_thumbnails(state, folder),
        )
        window.pictures.thumbnails.wait([frame.path for frame in state.frames], 600)
        canvas = window.figure.canvas
        for key in KEYS:
            canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, key))
        window.tick()
        save_figure(window.figure, out)
        window.close()


def quick() -> None:
    """Judge a small simulated night with the shipped weights, and draw that."""
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        night, scores = quick_night(folder / "night"), folder / "predictions.csv"
        judge(night).table.to_csv(scores, index=False)
        draw(night, scores, folder / "out.png")
        print(f"{(folder / 'out.png').stat().st_size} bytes drawn")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("night", nargs="?", type=Path)
    parser.add_argument("scores", nargs="?", type=Path)
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        quick()
    elif options.out is None:
        parser.error("NIGHT_FOLDER, PREDICTIONS.csv and OUT.png are needed")
    else:
        draw(options.night, options.scores, options.out)


if __name__ == "__main__":
    main()
