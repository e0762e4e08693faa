"""What a person can do with the frames of a night, whichever key, button or mouse asks for it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from nightsift.fits.reader import UnreadableFrame, read_frame
from nightsift.review.choice import FILTERS, ORDERS
from nightsift.review.large import LargeView
from nightsift.review.pictures import Pictures
from nightsift.review.stars import bright_star
from nightsift.review.state import ReviewState
from nightsift.review.text_entry import TextEntry

_BLINK_S = 0.3
_BLINK_REACH = 4


class Actions(ABC):
    """The state of a review, what covers its grid, and everything that changes them.

    Knows nothing of keys, of the mouse or of how it is drawn: what is built on it draws.

    Args:
        state: labels, pages, cursor, selection.
        pictures: of the frames.
        large: shows one frame over the grid.
    """

    def __init__(self, state: ReviewState, pictures: Pictures, large: LargeView) -> None:
        self.state = state
        self.pictures = pictures
        self.large = large
        self.entry: TextEntry | None = None
        self.is_large = False
        self.blinking: int | None = None  # the frame that a blink has come to
        self.shows_help = False
        self.pixel_text = ""  # the pixel under the mouse
        self._blink_at = 0.0

    @abstractmethod
    def draw(self) -> None:
        """Show everything as it is now."""

    def act(self, action: Callable[[], object]) -> None:
        """Do what a person asked for, under a fresh line of text, and show it."""
        self.state.message = ""
        action()
        self.draw()

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

    def type_key(self, key: str) -> None:
        """Add a key to what is being typed; Enter and Escape end it."""
        if self.entry is not None and not self.entry.press(key):
            self.entry = None

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
        self.shows_help = not self.shows_help

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
        self.pictures.thumbnails.want([self.state.path(frame) for frame in self.blink_frames()])

    def blink_on(self) -> bool:
        """Come to the next frame of a blink if it is time; whether it was."""
        if self.blinking is None or time.monotonic() <= self._blink_at:
            return False
        frames = self.blink_frames()
        self.blinking = frames[(frames.index(self.blinking) + 1) % len(frames)]
        self._blink_at = time.monotonic() + _BLINK_S
        return True

    def blink_frames(self) -> list[int]:
        """The frames that a blink goes through."""
        return self.state.neighbours(_BLINK_REACH)

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
