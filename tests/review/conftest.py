"""Review windows on an Agg canvas over small seeded nights, driven by synthetic events."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseButton, MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nightsift.review.session import open_state, start_thumbnails
from nightsift.review.view import ReviewWindow


class Canvas(FigureCanvasAgg):
    """Draws when asked to, as the canvases of window systems do."""

    def draw_idle(self, *_args: object, **_keys: object) -> None:
        pass


class Hand:
    """Presses keys and clicks tiles of a window."""

    def __init__(self, window: ReviewWindow) -> None:
        self.window = window
        self.state = window.state
        self.canvas = window.figure.canvas

    def press(self, *keys: str) -> None:
        for key in keys:
            event = KeyEvent("key_press_event", self.canvas, key)
            self.canvas.callbacks.process("key_press_event", event)

    def write(self, text: str) -> None:
        self.press(*text, "enter")

    def mouse(self, name: str, x: float, y: float, **more: object) -> None:
        kind = {"press": "button_press_event", "release": "button_release_event"}.get(
            name, f"{name}_event"
        )
        event = MouseEvent(kind, self.canvas, x, y, **{"button": MouseButton.LEFT, **more})
        self.canvas.callbacks.process(kind, event)

    def click(self, x: float, y: float, **more: object) -> None:
        self.mouse("press", x, y, **more)
        self.mouse("release", x, y)

    def drag(self, start: tuple[float, float], stop: tuple[float, float]) -> None:
        self.mouse("press", *start)
        self.mouse("motion_notify", *stop)
        self.mouse("release", *stop)

    def tile(self, place: int) -> tuple[float, float]:
        """The middle of a tile, in pixels of the canvas."""
        box, painter = self.window.painter.layout.picture(place), self.window.painter
        bounds = painter.grid.bbox
        return bounds.x0 + box.x + box.width / 2, bounds.y1 - box.y - box.height / 2

    def strip(self, frame: int) -> tuple[float, float]:
        """The place of a frame on the strip."""
        x, y = self.window.painter.strip.axes.transData.transform((frame, 0.5))
        return float(x), float(y)

    def button(self, name: str) -> tuple[float, float]:
        axes = next(a for a in self.window.painter.button_axes if a.get_label() == name)
        x, y = axes.transAxes.transform((0.5, 0.5))
        return float(x), float(y)

    def look(self) -> np.ndarray:
        """The window as it is drawn, (H, W, 4), first row on top."""
        self.canvas.draw()
        return np.asarray(self.canvas.buffer_rgba())

    def ready(self) -> None:
        """Wait for the pictures of the page."""
        paths = [self.state.path(frame) for frame in self.state.page_frames()]
        assert self.window.pictures.thumbnails.wait(paths, 20)
        self.window.tick()

    def rows(self) -> dict[str, dict[str, str]]:
        """The table on disk once it is written."""
        assert self.state.store.flush()
        with self.state.store.csv.open(newline="") as stream:
            return {row["file"]: row for row in csv.DictReader(stream)}


OpenHand = Callable[..., Hand]


@pytest.fixture
def open_hand(tmp_path: Path) -> Iterator[OpenHand]:
    """open_hand(folder, rows=2): a hand on a new window."""
    hands: list[Hand] = []

    def open_(folder: Path, *, size: tuple[float, float] = (9, 7), **keys: object) -> Hand:
        state = open_state(folder, cache_dir=tmp_path / "cache", **keys)
        figure = Figure(figsize=size, dpi=100)
        Canvas(figure)
        hands.append(Hand(ReviewWindow(figure, state, start_thumbnails(state, tmp_path / "cache"))))
        hands[-1].ready()
        return hands[-1]

    yield open_
    for hand in hands:
        hand.window.close()


@pytest.fixture
def fresh(make_night, tmp_path: Path) -> Path:
    """A night of 30 frames, six of them bad, without a label table."""
    folder = make_night("fresh", n=30, bad={10, 11, 12, 20, 21, 22})
    (folder / "labels.csv").unlink()
    return folder
