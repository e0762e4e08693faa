"""Cells that lie over a frame, and where they lie in the coordinates of another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform

from nightsift.night.alignment import Alignment, Points, frame_centre

Floats = npt.NDArray[np.float32]


class Canvas(NamedTuple):
    """A picture of cells in the coordinates of the reference frame.

    Attributes:
        origin: (2,) row and column of the reference frame's first cell, cells.
        shape: (h, w) cells.
    """

    origin: npt.NDArray[np.float64]
    shape: tuple[int, int]


class Mesh(NamedTuple):
    """Cells that lie over a frame.

    Attributes:
        shape: (h, w) cells.
        cell: (2,) height and width of a cell, px of the frame.
        frame: (H, W) of the frame, px.
    """

    shape: tuple[int, int]
    cell: tuple[float, float]
    frame: tuple[int, int]

    def corners(self, pose: Alignment) -> Points:
        """(4, 2) x and y of a frame's corners in the coordinates of the reference frame, px."""
        h, w = self.frame
        corners = np.array([[0, 0], [w, 0], [0, h], [w, h]], dtype=float) - 0.5
        return pose.to_reference(corners, frame_centre(self.frame))

    def canvas(self, corners: Points, most: float) -> Canvas:
        """A picture that holds frames with these corners, (n, 4, 2) px.

        Frames that lie far from most others do not make it wider than `most` frames.
        """
        low, high = corners.min(axis=(0, 1))[::-1], corners.max(axis=(0, 1))[::-1]
        frame, cell = np.array(self.frame), np.array(self.cell)
        low = np.maximum(low, -most / 2 * frame)
        high = np.minimum(high, (1 + most / 2) * frame)
        origin = np.ceil(np.maximum(-low, 0) / cell)
        shape = origin + np.ceil(np.maximum(high, frame) / cell)
        return Canvas(origin, (int(shape[0]), int(shape[1])))

    def to_canvas(self, cells: Floats, pose: Alignment, canvas: Canvas) -> Floats:
        """Cells of a frame, (P, h, w), in the picture, NaN outside of the frame."""
        matrix, offset = self._affine(lambda xy: pose.to_frame(xy, frame_centre(self.frame)))
        # Places of the picture count from its own first cell.
        return _warped(cells, matrix, offset - matrix @ canvas.origin, canvas.shape)

    def from_canvas(
        self, cells: Floats, pose: Alignment, origin: npt.NDArray[np.float64]
    ) -> Floats:
        """The picture, (P, h, w), where a frame sees it, 0 outside of the picture."""
        matrix, offset = self._affine(lambda xy: pose.to_reference(xy, frame_centre(self.frame)))
        return np.nan_to_num(_warped(cells, matrix, offset + origin, self.shape))

    def _affine(
        self, move: Callable[[Points], Points]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The map of px, (N, 2) x and y, as matrix and offset of rows and columns of cells."""
        height, width = self.cell
        # The middle of a cell is where its index is whole.
        first = np.array([0.5 * width - 0.5, 0.5 * height - 0.5])
        places = first + np.array([[0.0, 0.0], [0.0, height], [width, 0.0]])
        moved = (move(places) - first) / [width, height]
        rows_and_columns = moved[:, ::-1]
        offset = rows_and_columns[0]
        return (rows_and_columns[1:] - offset).T, offset


def _warped(
    cells: Floats,
    matrix: npt.NDArray[np.float64],
    offset: npt.NDArray[np.float64],
    shape: tuple[int, int],
) -> Floats:
    """Each plane at `matrix @ (row, column) + offset`, linear between cells, NaN outside."""
    return np.stack(
        [
            affine_transform(plane, matrix, offset, shape, order=1, mode="constant", cval=np.nan)
            for plane in cells
        ]
    ).astype(np.float32)
