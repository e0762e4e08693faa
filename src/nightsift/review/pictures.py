"""Pictures of frames at the size of the window, under the stretch in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from nightsift.look.stretch import Grey, Limits, night_limits, own_limits, thumbnail_grey
from nightsift.review.state import ReviewState
from nightsift.review.thumbnails import ThumbnailCache

# Pages made ahead on either side of the current one before the rest of the night.
_PAGES_AHEAD = 3
_KEPT = 150
# The stretch of the night settles as frames are seen; it changes in steps, not with each one.
SEEN_STEP = 25


class Pictures:
    """Scaled and stretched thumbnails.

    Args:
        state: which frames are on the page.
        thumbnails: where they come from.
    """

    def __init__(self, state: ReviewState, thumbnails: ThumbnailCache) -> None:
        self.state = state
        self.thumbnails = thumbnails
        self.night_stretch = False
        self._kept: OrderedDict[object, Grey] = OrderedDict()
        self._night: tuple[int, Limits | None] = (-1, None)

    def order(self) -> None:
        """Ask for the current page, the pages around it, then the night around the cursor."""
        state, page = self.state, self.state.page
        pages = [page]
        for distance in range(1, _PAGES_AHEAD + 1):
            pages += [page + distance, page - distance]
        near = [f for p in pages if 0 <= p < state.pages for f in state.page_frames(p)]
        cursor = state.at_cursor()
        night = sorted(range(len(state.frames)), key=lambda frame: abs(frame - cursor))
        seen = self.thumbnails.seen
        rest = (state.path(frame) for frame in night)
        self.thumbnails.want(
            [*(state.path(frame) for frame in near), *(path for path in rest if path not in seen)]
        )

    def limits(self, path: Path) -> Limits:
        """The stretch of a frame."""
        night = self._night_limits() if self.night_stretch else None
        seen = self.thumbnails.seen.get(path)
        return night or (own_limits(seen) if seen and not seen.error else Limits(0, 1))

    def common_limits(self, frames: Iterable[int]) -> Limits | None:
        """One stretch for some frames."""
        found = (self.thumbnails.seen.get(self.state.path(frame)) for frame in frames)
        return night_limits(thumbnail for thumbnail in found if thumbnail is not None)

    def get(self, frame: int, width: int, height: int, limits: Limits | None = None) -> Grey | None:
        """The picture of a frame as large as fits; None where there is none yet, or ever."""
        path = self.state.path(frame)
        thumbnail = self.thumbnails.get(path)
        if thumbnail is None or thumbnail.error:
            return None
        limits = limits or self.limits(path)
        key = (path, width, height, limits)
        if key not in self._kept:
            self._kept[key] = thumbnail_grey(thumbnail, limits, width, height)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def fingerprint(self, frames: Iterable[int]) -> object:
        """Changes when there is something new to draw."""
        there = tuple(self.thumbnails.get(self.state.path(frame)) is not None for frame in frames)
        return there, self._step()

    def _step(self) -> int:
        seen = len(self.thumbnails.seen)
        return -1 if seen == len(self.state.frames) else seen // SEEN_STEP

    def _night_limits(self) -> Limits | None:
        if self._night[0] != self._step() or self._night[1] is None:
            self._night = (self._step(), night_limits(list(self.thumbnails.seen.values())))
        return self._night[1]
