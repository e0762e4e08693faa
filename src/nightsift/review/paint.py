"""Draws the state: the grid, a blink, the strip and the lines of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nightsift.look.stretch import Limits
from nightsift.review.large import LargeView
from nightsift.review.pictures import Pictures
from nightsift.review.raster import Raster
from nightsift.review.state import ReviewState
from nightsift.review.strip import Strip
from nightsift.review.tiles import BACKGROUND, CONFLICT, TEXT, Box, Layout, Tile, compose
from nightsift.review.titles import frame_ink, frame_title, head_text, help_text

# Sizes for a figure of 100 dots per inch.
_HEAD, _FOOT, _STRIP, _SMALL_STRIP, _LINE, _BORDER = 20, 24, 110, 40, 13, 3
_SMALL_WINDOW = 520


class Scene(NamedTuple):
    """What covers the window.

    Attributes:
        large: one frame instead of the grid.
        blink: the frame that a blink has come to, and the frames that it goes through.
        help: the list of keys.
        typed: the line being typed.
        value: the pixel under the mouse.
    """

    large: bool
    blink: tuple[int, Sequence[int]] | None
    help: bool
    typed: str
    value: str


class Painter:
    """The artists of the window.

    Args:
        figure: an empty figure.
        state: what to draw.
        pictures: of the frames.
    """

    def __init__(self, figure: Figure, state: ReviewState, pictures: Pictures) -> None:
        self.figure = figure
        self.state = state
        self.pictures = pictures
        self.layout = Layout(1, 1, 1, 1, 0, 1, 1)
        figure.set_facecolor(BACKGROUND)
        self.grid = figure.add_axes((0, 0, 1, 1), label="grid")
        self.grid.set_axis_off()
        self._image = Raster(zorder=0)
        figure.add_artist(self._image)
        self.rubber = Rectangle((0, 0), 0, 0, fill=False, ec="white", ls="--", visible=False)
        self.grid.add_patch(self.rubber)
        large = figure.add_axes((0, 0, 1, 1), label="large", facecolor=BACKGROUND)
        self.large = LargeView(large, figure.add_axes((0, 0, 0.1, 0.1), label="profile"))
        self.strip = Strip(figure.add_axes((0, 0, 1, 0.1), label="strip"), state)
        self.button_axes: list[Axes] = []
        self._strip_drawn: object = None
        style: dict[str, Any] = {"color": TEXT, "fontsize": 8, "parse_math": False}  # $ is $
        self._head = figure.text(0.006, 0.995, "", va="top", **style)
        self._foot = figure.text(0.006, 0.008, "", va="bottom", **style)
        box = {"facecolor": "#202020", "edgecolor": TEXT, "boxstyle": "round,pad=0.8"}
        middle: dict[str, Any] = {"ha": "center", "va": "center", "family": "monospace"}
        self._help = figure.text(0.5, 0.5, help_text(), bbox=box, **middle, **style)

    def resize(self) -> None:
        """Lay everything out for the size of the figure."""
        width, height = (int(side) for side in self.figure.bbox.size)
        unit = self.figure.dpi / 100
        strip = (_STRIP if height > _SMALL_WINDOW * unit else _SMALL_STRIP) * unit
        foot, below = _FOOT * unit, (_FOOT + 18) * unit + strip
        grid = max(40, round(height - _HEAD * unit - below - 4 * unit))
        bottom = height - round(_HEAD * unit) - grid
        inset = Box(0, 0, round(min(220 * unit, width / 3)), round(min(150 * unit, grid / 3)))
        corner = (width - inset.width - 12 * unit, bottom + 20 * unit)
        places = [
            (self.grid, (0, bottom, width, grid)),
            (self.large.axes, (0, bottom, width, grid)),
            (self.large.inset, (*corner, inset.width, inset.height)),
            (self.strip.axes, (10 * unit, foot + 18 * unit, width - 100 * unit, strip)),
        ]
        for number, axes in enumerate(reversed(self.button_axes), start=1):
            x = width - number * 62 * unit
            places.append((axes, (x, 3 * unit, 58 * unit, foot - 4 * unit)))
        for axes, (x, y, w, h) in places:
            axes.set_position((x / width, y / height, w / width, h / height))
        line, tile = round(_LINE * unit), grid // self.state.rows
        lines = sum(tile > share * line for share in (4, 6))
        border = max(1, round((_BORDER if tile > 6 * line else 1) * unit))
        self.layout = Layout(width, grid, self.state.rows, self.state.cols, lines, line, border)
        self.grid.set(xlim=(0, width), ylim=(grid, 0))
        self._image.x, self._image.y = 0, bottom
        self._help.set_fontsize(8 if height > _SMALL_WINDOW * unit else 6)

    def draw(self, scene: Scene) -> None:
        """Bring all artists up to date and ask the canvas to show them."""
        state, large = self.state, scene.large and scene.blink is None
        self.grid.set_visible(not large)
        self._image.set_visible(not large)
        self.large.axes.set_visible(large)
        self.large.inset.set_visible(large and self.large.star is not None)
        if scene.blink is not None:
            shown, frames = scene.blink
            whole = self.layout._replace(rows=1, cols=1, lines=2)
            self._draw_tiles([shown], whole, self.pictures.common_limits(frames))
        elif not large:
            self._draw_tiles(state.page_frames(), self.layout)
        self._draw_strip()
        self._draw_texts(scene)
        self.figure.canvas.draw_idle()

    def grid_point(self, event: Any) -> tuple[float, float]:
        """Position of a mouse event on the grid, px, y downwards; negative outside."""
        bounds = self.grid.bbox
        return event.x - bounds.x0, bounds.y1 - event.y

    def on_grid(self, event: Any) -> bool:
        """Whether a mouse event is on the grid, or on the large frame over it."""
        x, y = self.grid_point(event)
        return 0 <= x < self.layout.width and 0 <= y < self.layout.height

    def _draw_tiles(
        self, frames: Sequence[int], layout: Layout, limits: Limits | None = None
    ) -> None:
        state, tiles = self.state, list[Tile]()
        for place, frame in enumerate(frames):
            room = layout.picture(place)
            picture = self.pictures.get(frame, room.width, room.height, limits)
            marks = (frame == state.cursor, frame in state.selected)
            name, facts = frame_title(state, frame)
            if self.pictures.thumbnails.get(state.path(frame)) is None:
                name += " (reading)"
            ink = frame_ink(state, frame)
            tiles.append(Tile(picture, state.label(frame), *marks, (name, facts), ink))
        self._image.pixels = compose(layout, tiles)

    def _draw_strip(self) -> None:
        state, seen = self.state, self.pictures.thumbnails.seen
        drawn = (self.pictures.fingerprint(()), tuple(self.figure.bbox.size))
        if drawn != self._strip_drawn:
            levels = [
                seen[frame.path].background_adu if frame.path in seen else math.nan
                for frame in state.frames
            ]
            self.strip.redraw(levels)
            self._strip_drawn = drawn
        self.strip.follow()

    def _draw_texts(self, scene: Scene) -> None:
        state = self.state
        foot, colour = state.message, TEXT
        if state.store.problem:
            foot = f"NOT IN THE TABLE YET, kept and retried: {state.store.problem}"
            colour = CONFLICT
        elif not foot and (scene.large or scene.blink):
            frame = scene.blink[0] if scene.blink else state.at_cursor()
            foot = "   ".join([*frame_title(state, frame), scene.value])
        self._head.set_text(head_text(state))
        self._foot.set(text=scene.typed or foot, color=colour)
        self._help.set_visible(scene.help)
