"""The night at a glance along the bottom: scores, sky and stars over time, and what is flagged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from nightsift.review.raster import Raster
from nightsift.review.state import ReviewState
from nightsift.review.tiles import COLOURS, CURSOR, SELECTED, TEXT

Floats = npt.NDArray[np.float64]
# Room for the times below the lanes, in heights of these.
_BELOW = 0.3
_LANE_COLOURS = ("#D8D8D8", "#E69F00", "#56B4E9", "#CC79A7")


class Lane(NamedTuple):
    """One curve of the strip.

    Attributes:
        name: what it shows.
        values: (N,) one per frame in time order, NaN where unknown.
        low: value at the bottom of the lane.
        high: value at its top.
    """

    name: str
    values: Floats
    low: float
    high: float


def lanes(state: ReviewState, background: Sequence[float]) -> list[Lane]:
    """The curves that there are values for.

    Args:
        state: holds the scores.
        background: (N,) levels of the sky seen while making thumbnails, ADU, NaN where unknown.
    """
    scores = [state.score(frame) for frame in range(len(state.frames))]
    probabilities = state.scores is None or state.scores.probabilities
    columns = {
        "P(bad)" if probabilities else "score": [score.score for score in scores],
        "sky ADU": [score.background_adu for score in scores],
        "FWHM px": [score.fwhm_px for score in scores],
        "transp.": [score.transparency for score in scores],
    }
    if all(math.isnan(value) for value in columns["sky ADU"]):
        columns["sky ADU"] = list(background)
    found = []
    for name, column in columns.items():
        values = np.array(column, dtype=np.float64)
        known = values[np.isfinite(values)]
        if known.size:
            # Two outliers in a hundred frames must not flatten the rest.
            low, high = (0.0, 1.0) if name == "P(bad)" else np.percentile(known, (1, 99))
            found.append(Lane(name, values, float(low), float(max(high, low + 1e-9))))
    return found


class Strip:
    """Draws the lanes; x is the index of a frame in time order.

    The curves are drawn once, on a figure of their own that is kept as a picture: only the marks
    over it move when pages turn.

    Args:
        axes: for the marks; its place is the place of the lanes.
        state: what to show.
    """

    def __init__(self, axes: Axes, state: ReviewState) -> None:
        self.axes = axes
        self.state = state
        self._curves = Raster(zorder=1)
        axes.figure.add_artist(self._curves)
        axes.set(xlim=(-0.5, len(state.frames) - 0.5), ylim=(0, 1), zorder=2)
        axes.set_axis_off()
        self._page = Rectangle((0, 0), 1, 1, color=CURSOR, alpha=0.18, lw=0)
        self._cursor = Line2D([], [], color=CURSOR, lw=1.0)
        self._drag = Rectangle((0, 0), 0, 1, color=SELECTED, alpha=0.35, lw=0, visible=False)
        for patch in (self._page, self._drag):
            axes.add_patch(patch)
        self._ticks_of = {
            label: Line2D([], [], color=COLOURS[label], lw=1.5, solid_capstyle="butt")
            for label in (0, 1)
        }
        for line in (self._cursor, *self._ticks_of.values()):
            axes.add_line(line)

    def redraw(self, background: Sequence[float]) -> None:
        """Draw the curves anew: after scores or sky levels changed.

        Args:
            background: as for `lanes`.
        """
        place, window = self.axes.bbox, self.axes.figure.bbox
        width, height = round(window.width), round(place.height + _BELOW * place.height)
        dpi = self.axes.figure.dpi
        figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="none")
        canvas = FigureCanvasAgg(figure)
        share = place.height / height
        axes = figure.add_axes((place.x0 / width, 1 - share, place.width / width, share))
        self._draw(axes, background)
        canvas.draw()
        self._curves.pixels = np.array(canvas.buffer_rgba())
        self._curves.x, self._curves.y = 0, place.y1 - height

    def follow(self) -> None:
        """Move the marks of the page, the cursor and the labels."""
        page = self.state.page_frames()
        self._page.set_x(min(page) - 0.5)
        self._page.set_width(max(page) - min(page) + 1 if self.state.order == "time" else 0)
        self._cursor.set_data([self.state.at_cursor()] * 2, [0, 1])
        labels = [self.state.label(frame) for frame in range(len(self.state.frames))]
        for label, line in self._ticks_of.items():
            places = [place for place, value in enumerate(labels) if value == label]
            # One line with gaps is drawn a hundred times faster than a line for each frame.
            line.set_data(np.repeat(places, 3), np.tile([0.01, 0.11, math.nan], len(places)))

    def frame_at(self, x: float) -> int:
        """The frame at a place on the strip."""
        return min(max(round(x), 0), len(self.state.frames) - 1)

    def show_drag(self, start: float | None, stop: float = 0.0) -> None:
        """Show the spell being selected; None hides it."""
        self._drag.set_visible(start is not None)
        if start is not None:
            self._drag.set_x(min(start, stop))
            self._drag.set_width(abs(stop - start))

    def _draw(self, axes: Axes, background: Sequence[float]) -> None:
        axes.set(xlim=self.axes.get_xlim(), ylim=(0, 1), yticks=[])
        axes.set_facecolor("#101010")
        axes.tick_params(colors=TEXT, labelsize=7, length=2, pad=1)
        axes.set_xticks(*self._ticks())
        found = lanes(self.state, background)
        height = 0.86 / max(1, len(found))
        for number, lane in enumerate(found):
            self._draw_lane(axes, lane, number, 1 - (number + 1) * height, height)

    def _draw_lane(self, axes: Axes, lane: Lane, number: int, bottom: float, height: float) -> None:
        share = (np.clip(lane.values, lane.low, lane.high) - lane.low) / (lane.high - lane.low)
        y = bottom + height * (0.1 + 0.8 * share)
        x = np.arange(len(y))
        colour = _LANE_COLOURS[number % len(_LANE_COLOURS)]
        # A lone value between two unknown ones makes no line.
        axes.plot(x, y, color=colour, lw=0.8, marker=".", ms=1.5)
        if number == 0 and self.state.scores is not None:
            flagged = np.array([bool(self.state.score(i).flagged) for i in range(len(y))])
            axes.plot(x[flagged], y[flagged], "o", ms=2.5, color=COLOURS[1])
        text = f"{lane.name}\n{lane.low:.3g}-{lane.high:.3g}"
        axes.annotate(
            text,
            (1.004, bottom + height / 2),
            xycoords="axes fraction",
            fontsize=6,
            color=colour,
            va="center",
            annotation_clip=False,
        )

    def _ticks(self) -> tuple[list[int], list[str]]:
        """Up to eight places with their times, or frame numbers where times are missing."""
        frames = self.state.frames
        step = max(1, len(frames) // 8)
        places = list(range(0, len(frames), step))
        times = [frames[place].time for place in places]
        return places, [
            f"{time:%H:%M}" if time else str(place + 1)
            for place, time in zip(places, times, strict=True)
        ]
