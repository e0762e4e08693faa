"""Draws the picture of the documentation: the real window on a night, as a person left it.

python benchmarks/review_picture.py NIGHT_FOLDER PREDICTIONS.csv docs/review.png
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from matplotlib.backend_bases import KeyEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nightsift.report.figures import DPI, save_figure
from nightsift.review.session import open_state, start_thumbnails
from nightsift.review.view import ReviewWindow

# Judge four frames, step to the next, and look at the night under one stretch.
KEYS = ("b", "right", "b", "right", "b", "right", "g", "right", "t", "space", "space")


def main() -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("night", type=Path)
    parser.add_argument("scores", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = {"scores": options.scores, "keep": "all", "order": "score"}
        state = open_state(options.night, folder / "labels.csv", cache_dir=folder, **keys)
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
        save_figure(window.figure, options.out)
        window.close()


if __name__ == "__main__":
    main()
