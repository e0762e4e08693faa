"""A picture that is put on the canvas pixel by pixel, as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist


class Raster(Artist):
    """An RGBA picture at whole pixels; matplotlib's own images are resampled at each drawing.

    Attributes:
        pixels: (H, W, 4) uint8, first row on top.
        x: left edge on the canvas, px.
        y: lower edge on the canvas, px, from the bottom.
    """

    def __init__(self, *, zorder: float) -> None:
        super().__init__()
        self.set_zorder(zorder)
        self.pixels: npt.NDArray[np.uint8] = np.zeros((1, 1, 4), np.uint8)
        self.x = 0.0
        self.y = 0.0

    def draw(self, renderer: Any) -> None:
        """Called by the figure."""
        if self.get_visible():
            context = renderer.new_gc()
            renderer.draw_image(context, round(self.x), round(self.y), self.pixels[::-1])
            context.restore()
        self.stale = False
