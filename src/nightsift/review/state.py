"""What the review window knows: pages, cursor, selection, labels, undo; no drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nightsift.errors import NightsiftError
from nightsift.review.choice import (
    FILTERS,
    ORDERS,
    Judged,
    arrange,
    check_choice,
    choose,
    fall_back,
)
from nightsift.review.frames import ReviewFrame, Score, Scores
from nightsift.review.journal import Entry
from nightsift.review.store import LabelStore

MAX_SIDE = 6
LABEL_NAMES = {1: "bad", 0: "good", None: "unlabelled"}
Change = Mapping[Path, Entry | None]


class ReviewState:
    """Everything that keys and mouse change.

    Frames are named by their index in time order. The frames shown are chosen when a filter or
    order is set, not when a label changes: a frame just judged stays where it was.

    Args:
        frames: in time order, at least one.
        store: their labels.
        scores: of some of them.
        keep: filter, one of `FILTERS`.
        order: one of `ORDERS`.
        rows: of the grid, 1 to 6.
        cols: of the grid, 1 to 6.

    Raises:
        NightsiftError: an argument is out of range.
    """

    def __init__(
        self,
        frames: Sequence[ReviewFrame],
        store: LabelStore,
        *,
        scores: Scores | None = None,
        keep: str = "bad",
        order: str = "time",
        rows: int = 3,
        cols: int = 3,
    ) -> None:
        for name, value in (("rows", rows), ("cols", cols)):
            if not 1 <= value <= MAX_SIDE:
                raise NightsiftError(f"{name}={value}: expected 1 to {MAX_SIDE}")
        check_choice("filter", keep, FILTERS)
        check_choice("order", order, ORDERS)
        self.frames = frames
        self.store = store
        self.scores = scores
        self.keep, self.order = keep, order
        self.rows, self.cols = rows, cols
        self.message = ""
        self.cursor: int | None = None
        self.selected: set[int] = set()
        self.visible: list[int] = []
        self._anchor: int | None = None
        self._undo: list[Change] = []
        self._redo: list[Change] = []
        self.show(keep, order)

    def at_cursor(self) -> int:
        """The frame under the cursor."""
        assert self.cursor is not None  # `show` leaves it on a frame
        return self.cursor

    @property
    def page_size(self) -> int:
        """Frames on a full page."""
        return self.rows * self.cols

    @property
    def pages(self) -> int:
        """Number of pages, at least 1."""
        return max(1, math.ceil(len(self.visible) / self.page_size))

    @property
    def page(self) -> int:
        """Page with the cursor, from 0."""
        return 0 if self.cursor is None else self.visible.index(self.cursor) // self.page_size

    def page_frames(self, page: int | None = None) -> list[int]:
        """Frames of a page, of the current one unless told."""
        start = (self.page if page is None else page) * self.page_size
        return self.visible[start : start + self.page_size]

    def path(self, frame: int) -> Path:
        """The file of a frame."""
        return self.frames[frame].path

    def label(self, frame: int) -> int | None:
        """1 bad, 0 good, None unlabelled."""
        return self.store.label(self.path(frame))

    def score(self, frame: int) -> Score:
        """What the table of scores says; blanks without one."""
        return self.scores.rows.get(self.path(frame), Score()) if self.scores else Score()

    def counts(self) -> dict[str, int]:
        """How many frames of the night are bad, good and unlabelled."""
        labels = [self.label(frame) for frame in range(len(self.frames))]
        return {name: labels.count(label) for label, name in LABEL_NAMES.items()}

    def show(self, keep: str | None = None, order: str | None = None) -> None:
        """Choose the frames to show anew; falls back to others, and says so, if there are none."""
        self.keep, self.order = keep or self.keep, order or self.order
        threshold = self.scores.threshold if self.scores else math.nan
        judged = [Judged(self.label(i), self.score(i)) for i in range(len(self.frames))]
        chosen = choose(judged, self.keep, threshold)
        self.message = ""
        if not chosen:
            wanted = self.keep
            self.keep, self.order = fall_back(judged, self.keep, self.order)
            chosen = choose(judged, self.keep, threshold)
            self.message = f"no frame is {_STATES[wanted]}: showing {self.keep} by {self.order}"
        self.visible = arrange(judged, chosen, self.order)
        self.selected &= set(self.visible)
        if self.cursor not in self.visible:
            self.cursor = self._anchor = self.visible[0]

    def move(self, step: int, *, extend: bool = False) -> None:
        """Move the cursor along the frames shown, stopping at the ends."""
        place = self.visible.index(self.at_cursor()) + step
        self.point_at(self.visible[min(max(place, 0), len(self.visible) - 1)], extend=extend)

    def point_at(self, frame: int, *, extend: bool = False) -> None:
        """Put the cursor on a frame; `extend` selects all from where the cursor came from."""
        if frame not in self.visible:
            self.show("all")
            self.message = "outside the filter: showing all"
        self.cursor = frame
        if extend and self._anchor in self.visible:
            ends = sorted((self.visible.index(self._anchor), self.visible.index(frame)))
            self.selected = set(self.visible[ends[0] : ends[1] + 1])
        else:
            self._anchor = frame

    def click(self, frame: int, *, extend: bool = False, toggle: bool = False) -> None:
        """What a mouse click does: point, and drop the selection unless told otherwise."""
        if not extend and not toggle:
            self.selected.clear()
        self.point_at(frame, extend=extend)
        if toggle:
            self.selected ^= {frame}

    def turn(self, pages: int) -> None:
        """Turn pages, stopping at the ends."""
        page = min(max(self.page + pages, 0), self.pages - 1)
        if page != self.page:
            self.cursor = self._anchor = self.page_frames(page)[0]

    def mark(self) -> None:
        """Add the frame under the cursor to the selection, or take it out, and step on."""
        frame = self.at_cursor()
        self.selected ^= {frame}
        self.move(1)

    def select(self, frames: Iterable[int]) -> None:
        """Select these and put the cursor on the first; those not shown are left out."""
        self.selected = set(frames) & set(self.visible)
        shown = [frame for frame in self.visible if frame in self.selected]
        if shown:
            self.cursor = self._anchor = shown[0]

    def targets(self) -> list[int]:
        """Frames that a decision is about: the selection, else the one under the cursor."""
        return sorted(self.selected) or [self.at_cursor()]

    def judge(self, label: int | None) -> None:
        """Label the targets 1 bad, 0 good, or None neither; they are on disk on return."""
        targets = self.targets()
        paths = [self.path(frame) for frame in targets]
        self._change({path: self.store.judged(path, label) for path in paths})
        self.message = self.message or f"{_count(len(targets))}: {LABEL_NAMES[label]}"

    def note(self, text: str) -> None:
        """Write a note on the targets; their labels and timestamps stay."""
        paths = [self.path(frame) for frame in self.targets()]
        self._change({path: self.store.entry(path)._replace(notes=text) for path in paths})
        self.message = self.message or f"{_count(len(paths))}: note written"

    def undo(self) -> None:
        """Take back the last decision; without limit."""
        self._step(self._undo, self._redo, "undone")

    def redo(self) -> None:
        """Repeat the decision taken back last."""
        self._step(self._redo, self._undo, "redone")

    def find(self, text: str) -> bool:
        """Go to the next file whose name contains `text` in any case; whether there is one."""
        here = self.at_cursor()
        names = [frame.path.name.casefold() for frame in self.frames]
        around = [*range(here + 1, len(names)), *range(here + 1)]
        hit = next((i for i in around if text.casefold() in names[i]), None)
        if hit is None:
            self.message = f"no file name contains {text}"
            return False
        self.message = ""
        self.click(hit)
        return True

    def neighbours(self, reach: int) -> list[int]:
        """Frames of the same night around the cursor in time order, `reach` on either side."""
        here = self.at_cursor()
        around = range(max(0, here - reach), min(len(self.frames), here + reach + 1))
        return [i for i in around if self.frames[i].night == self.frames[here].night]

    def _change(self, wanted: Change) -> None:
        self.message = ""
        before = self._decide(wanted)
        if before is not None:
            self._undo.append(before)
            self._redo.clear()

    def _step(self, source: list[Change], target: list[Change], done: str) -> None:
        if not source:
            self.message = f"nothing to be {done}"
            return
        change = source.pop()
        self.message = ""
        before = self._decide(change)
        if before is None:
            source.append(change)
            return
        target.append(before)
        touched = {path for path in change}
        frames = [i for i, frame in enumerate(self.frames) if frame.path in touched]
        if frames[0] not in self.visible:
            self.show("all")
        self.cursor = self._anchor = frames[0]
        self.message = f"{done}: {_count(len(frames))}"

    def _decide(self, wanted: Change) -> Change | None:
        try:
            return self.store.decide(wanted)
        except NightsiftError as error:
            self.message = str(error)
            return None


_STATES = {
    "bad": "labelled bad",
    "good": "labelled good",
    "unlabelled": "unlabelled",
    "disagree": "labelled against its score",
    "uncertain": "near the threshold",
    "all": "here",
}


def _count(number: int) -> str:
    return "1 frame" if number == 1 else f"{number} frames"
