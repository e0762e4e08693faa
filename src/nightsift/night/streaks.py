"""Straight lines through a frame: satellites, planes, meteors; by a fast Radon transform."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.look.lines import CLIP_SIGMA, GRID
from nightsift.look.statistics import quick_sigma

Floats = npt.NDArray[np.float32]

# Columns of a piece of a line, and how many of its cells must be free of stars.
PIECE = 32
_PIECE_CELLS = 20
# Cells that a line must cross: a fifth of the side. Shorter ones are galaxies and star pairs.
_MIN_CELLS = 24
# Lines closer to the axes than the first slope (in cells over the whole GRID) are rows and
# columns of the detector: bleeding, bad columns, banding. Up to the second one, what is left of
# these counts half.
_AXIS_SLOPE, _NEAR_AXIS_SLOPE = 2, 10


class Streak(NamedTuple):
    """The most significant straight line, and the most significant piece of one.

    Attributes:
        significance: sum along the line over its noise; noise alone gives 4 to 6, seldom 7.
        angle_deg: direction, counter-clockwise from the +x axis where y grows with the rows,
            -90 to 90.
        length_px: how far it can be followed, px of the frame.
        piece_significance: the same sum over a quarter of the frame's longer side, along which
            lines that bend or end are straight; noise alone gives 4 to 6.
    """

    significance: float
    angle_deg: float
    length_px: float
    piece_significance: float


class _Line(NamedTuple):
    value: float
    turn: int
    start: int
    slope: int


def find_streak(cells: Floats, cell_px: int) -> Streak:
    """Look for the straightest excess of light that crosses the frame.

    Args:
        cells: (GRID, GRID) float32 of `nightsift.look.lines.line_cells`, or how they differ
            from the night's; NaN where nothing is known.
        cell_px: side of a cell, px of the frame.
    """
    weight = np.isfinite(cells).astype(np.float32)
    if not weight.any():
        return Streak(0.0, 0.0, 0.0, 0.0)
    signal = cells / max(quick_sigma(cells[weight > 0]), 1e-6)
    signal = np.clip(np.nan_to_num(signal), -CLIP_SIGMA, CLIP_SIGMA).astype(np.float32)
    quarters = [_turned(image, turn) for turn in range(4) for image in (signal, weight)]
    pieces, sums = _slopes(np.stack(quarters))
    best = _Line(0.0, 0, 0, 0)
    piece = 0.0
    for turn in range(4):
        piece = max(piece, _piece_significance(pieces[:, 2 * turn], pieces[:, 2 * turn + 1]))
        ratio = _significance(sums[:, 2 * turn], sums[:, 2 * turn + 1])
        place = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
        if ratio[place] > best.value:
            best = _Line(float(ratio[place]), turn, int(place[1]) - GRID, int(place[0]))
    rows, cols = _path(best)
    inside = (rows >= 0) & (rows < GRID) & (cols >= 0) & (cols < GRID)
    rows, cols = rows[inside], cols[inside]
    run = _longest_run(signal[rows, cols])
    dy, dx = float(rows[-1] - rows[0]), float(cols[-1] - cols[0])
    length = run / max(len(rows), 1) * float(np.hypot(dx, dy)) * cell_px
    angle = float(np.degrees(np.arctan2(dy, dx)))
    return Streak(best.value, (angle + 90) % 180 - 90, length, piece)


def _significance(sums: Floats, total: Floats) -> Floats:
    """Sum over noise of each line of one quarter, 0 where too few cells were summed."""
    usable = total >= _MIN_CELLS
    usable[:_AXIS_SLOPE] = False
    ratio = np.where(usable, sums / np.sqrt(np.maximum(total, 1)), np.float32(0))
    seen = ratio[::4][usable[::4]]
    # Sky that is not quite flat makes sums scatter more than noise does.
    scatter = quick_sigma(seen, 0.0) if seen.size else 1.0
    ratio /= np.float32(max(scatter, 1.0))
    ratio[:_NEAR_AXIS_SLOPE] *= np.float32(0.5)
    return ratio


def _piece_significance(sums: Floats, total: Floats) -> float:
    """Largest sum over noise of the lines over PIECE columns of one quarter."""
    usable = total >= _PIECE_CELLS
    usable[0] = False
    if not usable.any():
        return 0.0
    ratio = sums[usable] / np.sqrt(total[usable])
    scatter = quick_sigma(ratio[::4], 0.0)
    return float(ratio.max()) / max(scatter, 1.0)


def _turned(image: Floats, turn: int) -> Floats:
    """The image such that the lines of this quarter descend by 0 to 45 degrees."""
    out = image[::-1] if turn % 2 else image
    return out.T if turn >= 2 else out


def _slopes(stack: Floats) -> tuple[Floats, Floats]:
    """Sums along all lines that descend by 0 to GRID - 1 rows over the width.

    The fast discrete Radon transform (Brady 1998, SIAM J. Comput. 27, 107,
    https://doi.org/10.1137/S0097539793256673): strips are joined two by two, each time with
    twice as many slopes.

    Args:
        stack: (K, GRID, GRID), images to be summed along the same lines.

    Returns:
        (PIECE, K, GRID / PIECE, 2 GRID) by slope over PIECE columns, image, strip of columns, and
        starting row + GRID; (GRID, K, 2 GRID) by slope, image, and starting row + GRID.
    """
    count = stack.shape[0]
    # (slope, K, strip, row); rows above the image are zero so that lines may start there.
    level = np.zeros((1, count, GRID, 2 * GRID), dtype=np.float32)
    level[0, :, :, GRID:] = stack.transpose(0, 2, 1)
    pieces, width = level, 1
    while width < GRID:
        left, right = level[:, :, 0::2], level[:, :, 1::2]
        joined = np.empty((2 * width, *left.shape[1:]), dtype=np.float32)
        for slope in range(2 * width):
            shift = (slope + 1) // 2
            first, second = left[slope // 2], right[slope // 2]
            end = 2 * GRID - shift
            np.add(first[..., :end], second[..., shift:], out=joined[slope][..., :end])
            joined[slope][..., end:] = first[..., end:]
        level, width = joined, 2 * width
        if width == PIECE:
            pieces = level
    return pieces, level[:, :, 0]


def _path(line: _Line) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of the cells of a line, in the image as it was before turning."""
    cols = np.arange(GRID)
    rows = line.start + np.rint(cols * line.slope / (GRID - 1)).astype(np.intp)
    inside = (rows >= 0) & (rows < GRID)
    rows, cols = rows[inside], cols[inside]
    if line.turn >= 2:
        rows, cols = cols, rows
    if line.turn % 2:
        rows = GRID - 1 - rows
    return rows, cols


def _longest_run(values: Floats) -> int:
    """Cells of the longest stretch whose running mean stays above half of the line's mean."""
    if len(values) < 9:
        return len(values)
    smooth = np.convolve(values, np.ones(9) / 9, mode="same")
    above = np.concatenate([[0], (smooth > 0.5 * max(smooth.mean(), 0.3)).astype(int), [0]])
    starts, stops = np.flatnonzero(np.diff(above) == 1), np.flatnonzero(np.diff(above) == -1)
    return int((stops - starts).max(initial=0))
