"""Many frames on one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from astropy.visualization import AsinhStretch, ZScaleInterval

from nightsift.fits.folders import find_files
from nightsift.fits.labels import find_label_csvs, match_labels, read_label_csv
from nightsift.fits.reader import UnreadableFrame
from nightsift.look.picture import BlockMeans
from nightsift.report.figures import BAD, GOOD, MARGINAL, STYLE, new_figure, save_figure
from nightsift.report.pictures import FramePictures

SHEET = "contact_sheet.png"
_COLUMNS = 8
_MOST_TILES = 48


class Tile(NamedTuple):
    """One picture of a sheet.

    Attributes:
        path: of the frame.
        caption: one or two short lines below it.
        colour: of its frame.
    """

    path: Path
    caption: str
    colour: str


def grey_values(picture: BlockMeans) -> npt.NDArray[np.float64]:
    """Grey values 0-1 of a small picture: zscale, asinh."""
    small = picture.values.astype(np.float64)
    low, high = ZScaleInterval().get_limits(small)
    # A wider range than zscale's: stars should not all be white discs.
    scaled = np.clip((small - low) / max(4 * (high - low), 1e-9), 0, 1)
    stretched: npt.NDArray[np.float64] = AsinhStretch(0.1)(scaled)
    return stretched


def draw_sheet(
    tiles: Sequence[Tile], out: Path, title: str, frames: FramePictures | None = None
) -> None:
    """Write a PNG of `tiles` in rows of eight; a frame that cannot be read stays empty."""
    frames = frames or FramePictures()
    rows = -(-len(tiles) // _COLUMNS)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = new_figure(1.6 * _COLUMNS, 1.85 * rows + 0.4)
        figure.suptitle(title)
        axes = np.atleast_1d(figure.subplots(rows, _COLUMNS)).ravel()
        for axis in axes[len(tiles) :]:
            axis.set_axis_off()
        for axis, tile in zip(axes, tiles, strict=False):
            axis.set(xticks=[], yticks=[])
            axis.set_xlabel(tile.caption, fontsize=6, parse_math=False)
            for spine in axis.spines.values():
                spine.set(visible=True, color=tile.colour, linewidth=2)
            try:
                image = grey_values(frames.small(tile.path))
            except UnreadableFrame as error:
                axis.set_title(str(error), fontsize=6)
                continue
            axis.imshow(image, cmap="gray", origin="lower", vmin=0, vmax=1)
        save_figure(figure, out)


def draw_contact_sheets(
    folders: Sequence[Path], *, progress: Callable[[int, int], None] | None = None
) -> None:
    """A sheet in each night folder: its labelled frames in time order, thinned where many.

    Frames that are not good are kept first.

    Args:
        folders: each with frames and a label table.
        progress: called with (sheets done, sheets to do).
    """
    for number, folder in enumerate(folders, start=1):
        tiles = _choose(_tiles(folder))
        draw_sheet(tiles, folder / SHEET, folder.name)
        if progress:
            progress(number, len(folders))


def _tiles(folder: Path) -> list[Tile]:
    files = find_files(folder)
    match = match_labels([read_label_csv(path) for path in find_label_csvs(folder)], files)
    colours = {1: BAD, 0: GOOD, None: MARGINAL}
    tiles = []
    for path in files:
        label = match.labels.get(path)
        notes = match.extras.get(path, {}).get("notes", "")
        caption = "\n".join([path.stem[-22:], *notes.split("; ")[:2]])
        tiles.append(Tile(path, caption, colours[label]))
    return tiles


def _choose(tiles: list[Tile]) -> list[Tile]:
    """At most `_MOST_TILES`: up to three quarters others than good ones, evenly spread."""
    if len(tiles) <= _MOST_TILES:
        return tiles
    special = [i for i, tile in enumerate(tiles) if tile.colour != GOOD]
    plain = [i for i, tile in enumerate(tiles) if tile.colour == GOOD]
    special = _spread(special, _MOST_TILES * 3 // 4)
    chosen = sorted(special + _spread(plain, _MOST_TILES - len(special)))
    return [tiles[i] for i in chosen]


def _spread(items: list[int], most: int) -> list[int]:
    if len(items) <= most:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, most).astype(int)]
