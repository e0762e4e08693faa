"""One frame as large as the window: zoom, pan, pixel value, and the profile of a star."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from nightsift.look.blocks import block_mean
from nightsift.look.stretch import Limits, resized, to_grey
from nightsift.review.stars import Profile, star_profile
from nightsift.review.tiles import CURSOR, SELECTED, TEXT

_MIN_SPAN_PX = 16.0


class LargeView:
    """A frame on axes, and an inset with a star's profile.

    Zoomed out, blocks of pixels are averaged; zoomed in, each pixel is to be seen.

    Args:
        axes: to draw the frame on; its data coordinates are pixels of the frame from 0.
        inset: to draw the profile on.
    """

    def __init__(self, axes: Axes, inset: Axes) -> None:
        self.axes = axes
        self.inset = inset
        self.pixels: npt.NDArray[Any] | None = None
        self.star: Profile | None = None
        self._levels: dict[int, npt.NDArray[Any]] = {}
        self._limits = Limits(0, 1)
        self._centre = (0.0, 0.0)
        self._scale = 1.0  # frame pixels per screen pixel
        self._image = axes.imshow(
            np.zeros((1, 1), np.uint8), cmap="gray", vmin=0, vmax=255, aspect="auto"
        )
        (self._ring,) = axes.plot([], [], "o", ms=16, mfc="none", mec=SELECTED, mew=1.2)
        axes.set(xticks=[], yticks=[])

    def show(self, pixels: npt.NDArray[Any], limits: Limits, *, keep_place: bool) -> None:
        """Show a frame, at the place and zoom of the last one if told and if it has its shape."""
        same = self.pixels is not None and self.pixels.shape == pixels.shape
        self.pixels, self._limits = pixels, limits
        self._levels = {1: pixels}
        if not (same and keep_place):
            self.reset()
        self.draw()

    def set_limits(self, limits: Limits) -> None:
        """Change the stretch."""
        self._limits = limits
        self.draw()

    def reset(self) -> None:
        """The whole frame."""
        if self.pixels is not None:
            height, width = self.pixels.shape
            self._centre = ((width - 1) / 2, (height - 1) / 2)
            self._scale = self._whole()
            self.draw()

    def zoom(self, factor: float, x: float | None = None, y: float | None = None) -> None:
        """Show `factor` times as much, keeping the pixel at (x, y) where it is."""
        room = min(self.axes.bbox.width, self.axes.bbox.height)
        scale = min(max(self._scale * factor, _MIN_SPAN_PX / room), self._whole())
        cx, cy = self._centre
        if x is not None and y is not None:
            share = scale / self._scale
            cx, cy = x + (cx - x) * share, y + (cy - y) * share
        self._scale = scale
        self.look_at(cx, cy)

    def look_at(self, x: float, y: float) -> None:
        """Bring a pixel to the middle, not beyond the edges of the frame."""
        if self.pixels is not None:
            height, width = self.pixels.shape
            self._centre = (min(max(x, 0), width - 1), min(max(y, 0), height - 1))
            self.draw()

    def pan(self, dx: float, dy: float) -> None:
        """Move by screen pixels."""
        self.look_at(self._centre[0] - dx * self._scale, self._centre[1] - dy * self._scale)

    def value_text(self, x: float, y: float) -> str:
        """Position (as FITS counts, from 1) and value of the pixel at (x, y)."""
        column, row = round(x), round(y)
        if self.pixels is None or not (
            0 <= row < self.pixels.shape[0] and 0 <= column < self.pixels.shape[1]
        ):
            return ""
        return f"x {column + 1}  y {row + 1}  {float(self.pixels[row, column]):.6g} ADU"

    def measure(self, place: tuple[float, float] | None) -> None:
        """Draw the profile of the star near a pixel; no inset where there is none."""
        self.star = None
        if self.pixels is not None and place is not None:
            self.star = star_profile(self.pixels, *place)
        self.inset.clear()
        self.inset.set_visible(self.star is not None)
        star = self.star
        self._ring.set_data([star.x] if star else [], [star.y] if star else [])
        if star is None:
            return
        self.inset.plot(star.radius_px, star.value_adu, ".", ms=2, color=TEXT, alpha=0.7)
        if np.isfinite(star.fwhm_px):
            self.inset.axvline(star.fwhm_px / 2, color=SELECTED, lw=1)
        self.inset.set_facecolor("#101010E0")
        self.inset.tick_params(colors=TEXT, labelsize=6, length=2, pad=1, direction="in")
        self.inset.set_title(
            f"FWHM {star.fwhm_px:.1f} px  peak {star.peak_adu:.0f} ADU", fontsize=7, color=CURSOR
        )

    def draw(self) -> None:
        """Cut out what is in view, at the resolution of the screen."""
        if self.pixels is None:
            return
        height, width = self.pixels.shape
        span_x, span_y = (
            self._scale * side for side in (self.axes.bbox.width, self.axes.bbox.height)
        )
        cx, cy = self._centre
        left, right = max(0, int(cx - span_x / 2)), min(width, int(cx + span_x / 2) + 2)
        low, high = max(0, int(cy - span_y / 2)), min(height, int(cy + span_y / 2) + 2)
        level = 2 ** max(0, int(np.log2(max(self._scale, 1))))
        blocks = self._level(level)
        part = blocks[low // level : -(-high // level), left // level : -(-right // level)]
        rows, cols = part.shape
        x0, y0 = left // level * level, low // level * level
        size = (
            max(1, round(cols * level / self._scale)),
            max(1, round(rows * level / self._scale)),
        )
        grey = to_grey(resized(part.astype(np.float32), *size), self._limits)
        self._image.set_data(grey)
        self._image.set_extent(
            (x0 - 0.5, x0 + cols * level - 0.5, y0 - 0.5, y0 + rows * level - 0.5)
        )
        self.axes.set_xlim(cx - span_x / 2, cx + span_x / 2)
        self.axes.set_ylim(cy - span_y / 2, cy + span_y / 2)

    def _whole(self) -> float:
        assert self.pixels is not None
        height, width = self.pixels.shape
        return float(max(width / self.axes.bbox.width, height / self.axes.bbox.height))

    def _level(self, level: int) -> npt.NDArray[Any]:
        if level not in self._levels:
            assert self.pixels is not None
            self._levels[level] = block_mean(self.pixels, level, np.float64)
        return self._levels[level]
