"""The review window: keys and clicks go to the state, and the state is drawn."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure
from matplotlib.widgets import Button

from nightsift.review.actions import Actions
from nightsift.review.keys import command_for, plain_key
from nightsift.review.mouse import Mouse
from nightsift.review.paint import Painter, Scene
from nightsift.review.pictures import Pictures
from nightsift.review.state import ReviewState
from nightsift.review.thumbnails import ThumbnailCache
from nightsift.review.tiles import TEXT

log = logging.getLogger(__name__)

TICK_MS = 100


class ReviewWindow(Actions):
    """The actions on a figure: its events come in, and the grid, the strip or a frame go out.

    Args:
        figure: an empty figure with its canvas.
        state: what to show.
        thumbnails: pictures of the frames.
    """

    def __init__(self, figure: Figure, state: ReviewState, thumbnails: ThumbnailCache) -> None:
        pictures = Pictures(state, thumbnails)
        self.figure = figure
        self.painter = Painter(figure, state, pictures)
        super().__init__(state, pictures, self.painter.large)
        self._drawn: object = None
        self._closed = False
        self._buttons = [
            self._button("Prev", lambda: self.state.turn(-1)),
            self._button("Next", lambda: self.state.turn(1)),
            self._button("Mark", self.state.mark),
            self._button("Save", self.save),
        ]
        self.mouse = Mouse(self, self.painter)
        self._connect()
        self.resize()

    def on_key(self, event: Any) -> None:
        """Handle a key press."""
        key = plain_key(event.key)
        if self.entry is not None:
            self.act(lambda: self.type_key(key))
        elif self.shows_help:
            self.act(self.toggle_help)
        elif command := command_for(key, large=self.is_large or self.blinking is not None):
            if self.blinking is not None and key not in (".", "g", "b", "u", "escape"):
                self.blinking = None
            self.act(lambda: command.run(self))

    def tick(self) -> None:
        """A tenth of a second has passed: show what threads have done, go on with a blink."""
        labelled, blinked = self.state.store.poll(), self.blink_on()
        if labelled or blinked or self._fingerprint() != self._drawn:
            self.draw()

    def resize(self, _event: Any = None) -> None:
        """Lay the window out anew."""
        self.painter.resize()
        if self.is_large:
            self.large.reset()
        self.draw()

    def close(self, _event: Any = None) -> None:
        """Write what is left and stop the threads; the terminal hears if that failed."""
        if self._closed:
            return
        self._closed = True
        self._timer.stop()
        self.pictures.thumbnails.close()
        if not self.state.store.close():
            why = self.state.store.problem
            log.warning("%s: decisions are kept and taken up next time", why)

    def draw(self) -> None:
        """Draw the state as it is now."""
        if self.blinking is None:
            self.pictures.order()
        self._drawn = self._fingerprint()
        blink = None if self.blinking is None else (self.blinking, self.blink_frames())
        typed = str(self.entry) if self.entry else ""
        self.painter.draw(Scene(self.is_large, blink, self.shows_help, typed, self.pixel_text))

    def _button(self, name: str, action: Callable[[], object]) -> Button:
        axes = self.figure.add_axes((0, 0, 0.05, 0.03), label=name)
        # The same colour under the mouse: a hover would draw the whole window.
        button = Button(axes, name, color="#303030", hovercolor="#303030")
        button.label.set(color=TEXT, fontsize=8)
        button.on_clicked(lambda _event: self.act(action))
        self.painter.button_axes.append(axes)
        return button

    def _connect(self) -> None:
        canvas = self.figure.canvas
        manager = canvas.manager
        if manager is not None and manager.key_press_handler_id is not None:
            # Matplotlib's own keys (g: grid, q: quit, s: save a picture) would be in the way.
            canvas.mpl_disconnect(manager.key_press_handler_id)
        canvas.mpl_connect("key_press_event", self.on_key)
        canvas.mpl_connect("resize_event", self.resize)
        canvas.mpl_connect("close_event", self.close)
        self._timer = canvas.new_timer(TICK_MS, [(self.tick, (), {})])
        self._timer.start()

    def _fingerprint(self) -> object:
        page = self.pictures.fingerprint(self.state.page_frames())
        return page, self.state.store.problem
