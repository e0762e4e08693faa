"""The review window: keys and clicks go to the state, and the state is drawn."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure
from matplotlib.widgets import Button

from nightsift.fits.reader import UnreadableFrame, read_frame
from nightsift.review.choice import FILTERS, ORDERS
from nightsift.review.keys import TextEntry, command_for, plain_key
from nightsift.review.large import LargeView
from nightsift.review.mouse import Mouse
from nightsift.review.paint import Painter, Scene
from nightsift.review.pictures import Pictures
from nightsift.review.stars import bright_star
from nightsift.review.state import ReviewState
from nightsift.review.thumbnails import ThumbnailCache
from nightsift.review.tiles import TEXT

log = logging.getLogger(__name__)

TICK_MS = 100
_BLINK_S = 0.3
_BLINK_REACH = 4


class ReviewWindow:
    """The grid, the strip, one large frame, and what is typed.

    Args:
        figure: an empty figure with its canvas.
        state: what to show.
        thumbnails: pictures of the frames.
    """

    def __init__(self, figure: Figure, state: ReviewState, thumbnails: ThumbnailCache) -> None:
        self.figure = figure
        self.state: ReviewState = state
        self.pictures = Pictures(state, thumbnails)
        self.painter = Painter(figure, state, self.pictures)
        self.large: LargeView = self.painter.large
        self.entry: TextEntry | None = None
        self.is_large = False
        self.blinking: int | None = None  # the frame that a blink has come to
        self._help = False
        self._drawn: object = None
        self._blink_at = 0.0
        self._closed = False
        self._buttons = [
            self._button("Prev", lambda: self.state.turn(-1)),
            self._button("Next", lambda: self.state.turn(1)),
            self._button("Mark", self.state.mark),
            self._button("Save", self.save),
        ]
        self.mouse = Mouse(self)
        self._connect()
        self.resize()

    # What keys and buttons do.

    def judge(self, label: int | None) -> None:
        """Label the selected frames; during a blink the frame that is seen."""
        if self.blinking is not None:
            self.state.click(self.blinking)
            self.blinking = None
        self.state.judge(label)

    def type_note(self) -> None:
        """Let the person type a note in the window."""
        first = self.state.path(self.state.targets()[0])
        self.entry = TextEntry("note: ", self.state.store.entry(first).notes, self.state.note)

    def type_search(self) -> None:
        """Let the person type a part of a file name."""
        self.entry = TextEntry("find: ", "", self.state.find)

    def step(self, step: int, *, extend: bool = False) -> None:
        """Move the cursor; a large frame follows."""
        self.state.move(step, extend=extend)
        self.follow()

    def follow(self) -> None:
        """Show the frame under the cursor if one is shown large, at the same place."""
        if self.is_large:
            self._show_large(keep_place=True)

    def leave(self) -> None:
        """Leave whatever covers the grid, else drop the selection."""
        if self.blinking is not None:
            self.blinking = None
        elif self.is_large:
            self.is_large = False
        else:
            self.state.selected.clear()

    def save(self) -> None:
        """Write the table now, and say so."""
        if self.state.store.flush():
            self.state.message = f"saved: {self.state.store.csv.name}"

    def next_filter(self) -> None:
        """Choose other frames."""
        self.state.show(FILTERS[(FILTERS.index(self.state.keep) + 1) % len(FILTERS)])

    def next_order(self) -> None:
        """Order the frames differently."""
        self.state.show(order=ORDERS[(ORDERS.index(self.state.order) + 1) % len(ORDERS)])

    def toggle_stretch(self) -> None:
        """One stretch for the whole night, or each frame by itself."""
        self.pictures.night_stretch = not self.pictures.night_stretch
        whole = self.pictures.night_stretch
        self.state.message = f"stretch: {'the whole night alike' if whole else 'each frame'}"
        self.large.set_limits(self.pictures.limits(self.state.path(self.state.at_cursor())))

    def toggle_help(self) -> None:
        """Show the list of keys; the next key hides it."""
        self._help = not self._help

    def toggle_large(self) -> None:
        """Show the frame under the cursor as large as the window, or the grid again."""
        self.is_large = not self.is_large
        if self.is_large:
            self._show_large(keep_place=False)

    def toggle_blink(self) -> None:
        """Step through the neighbours in time, under one stretch; or stop that."""
        if self.blinking is not None:
            self.blinking = None
            return
        self.blinking = self.state.at_cursor()
        self._blink_at = time.monotonic() + _BLINK_S
        self.pictures.thumbnails.want([self.state.path(frame) for frame in self._blink_frames()])

    def on_key(self, event: Any) -> None:
        """Handle a key press."""
        key = plain_key(event.key)
        if self.entry is not None:
            entry = self.entry
            self.act(lambda: None if entry.press(key) else self._end_entry())
        elif self._help:
            self.act(self.toggle_help)
        elif command := command_for(key, large=self.is_large or self.blinking is not None):
            if self.blinking is not None and key not in (".", "g", "b", "u", "escape"):
                self.blinking = None
            self.act(lambda: command.run(self))

    def tick(self) -> None:
        """A tenth of a second has passed: show what threads have done, go on with a blink."""
        changed = self.state.store.poll()
        if self.blinking is not None and time.monotonic() > self._blink_at:
            frames = self._blink_frames()
            self.blinking = frames[(frames.index(self.blinking) + 1) % len(frames)]
            self._blink_at = time.monotonic() + _BLINK_S
            changed = True
        if changed or self._fingerprint() != self._drawn:
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
        blink = None if self.blinking is None else (self.blinking, self._blink_frames())
        typed = str(self.entry) if self.entry else ""
        self.painter.draw(Scene(self.is_large, blink, self._help, typed, self.mouse.value))

    def act(self, action: Callable[[], object]) -> None:
        """Do what a person asked for, under a fresh line of text, and show it."""
        self.state.message = ""
        action()
        self.draw()

    def _button(self, name: str, action: Callable[[], object]) -> Button:
        axes = self.figure.add_axes((0, 0, 0.05, 0.03), label=name)
        # The same colour under the mouse: a hover would draw the whole window.
        button = Button(axes, name, color="#303030", hovercolor="#303030")
        button.label.set(color=TEXT, fontsize=8)
        button.on_clicked(lambda _event: self.act(action))
        self.painter.button_axes.append(axes)
        return button

    def _show_large(self, *, keep_place: bool) -> None:
        path = self.state.path(self.state.at_cursor())
        try:
            pixels = read_frame(path).pixels
        except UnreadableFrame as error:
            self.is_large = False
            self.state.message = f"{path.name}: {error}"
            return
        thumbnails = self.pictures.thumbnails
        thumbnails.want([path])
        thumbnails.wait([path], timeout_s=10)
        self.large.show(pixels, self.pictures.limits(path), keep_place=keep_place)
        self.large.measure(bright_star(pixels))

    def _end_entry(self) -> None:
        self.entry = None

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

    def _blink_frames(self) -> list[int]:
        return self.state.neighbours(_BLINK_REACH)
