"""Figures of the heuristics: features along a night, and the candidates side by side."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from astropy.visualization import AsinhStretch, ZScaleInterval
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from nightsift.fits.reader import UnreadableFrame, read_frame
from nightsift.report.figures import BAD, GOOD, STYLE, new_figure

# Column and axis label; those that a method does not measure are left out.
_PANELS = (
    ("candidate_score", "score"),
    ("transparency", "transparency"),
    ("n_stars", "stars"),
    ("fwhm_px", "FWHM, px"),
    ("elongation", "elongation"),
    ("background_adu", "background, adu"),
    ("streak_significance", "best line, sigma"),
    ("shift_px", "shift, px"),
)
_COLUMNS = 5
_THUMB_PX = 220


def features_figure(night: str, table: pd.DataFrame) -> Figure:
    """Features along one night, one panel each, with the flagged frames marked.

    Args:
        night: title.
        table: candidates of one night in time order.
    """
    panels = [panel for panel in _PANELS if panel[0] in table]
    with mpl.rc_context(STYLE):
        figure = new_figure(9.0, 0.8 + 1.05 * len(panels))
        column: Any = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        x = _positions(column[-1], table)
        flagged = table["flag_any"].to_numpy(dtype=bool)
        for axes, (name, label) in zip(column, panels, strict=True):
            values = table[name].to_numpy(dtype=float)
            axes.plot(x, values, "-o", ms=2.5, lw=0.7, color=GOOD, zorder=2)
            axes.plot(x[flagged], values[flagged], "o", ms=4.5, color=BAD, zorder=3)
            axes.set_ylabel(label, fontsize=8)
        column[0].set(title=f"{night}: {flagged.sum()} of {len(table)} frames flagged", ylim=(0, 1))
        column[0].axhline(0.5, color=BAD, lw=0.8, ls="--")
    return figure


def contact_sheet(table: pd.DataFrame) -> Figure:
    """Small pictures of the first candidates with rank, score and reason.

    Args:
        table: candidates, worst first; the files are read again.
    """
    rows = max(1, -(-len(table) // _COLUMNS))
    with mpl.rc_context(STYLE):
        figure = new_figure(2.4 * _COLUMNS, 2.75 * rows)
        grid: Any = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for axes in grid:
            axes.set_axis_off()
        records = table.to_dict("records")
        for rank, (axes, row) in enumerate(zip(grid, records, strict=False), start=1):
            thumb = thumbnail(Path(str(row["file"])))
            if thumb is not None:
                axes.imshow(thumb, cmap="gray", vmin=0, vmax=1, origin="lower")
            colour = BAD if row["flag_any"] else "#404040"
            name = Path(str(row["file"])).name
            title = f"{rank}  {row['candidate_score']:.2f}  {name[-22:]}\n{_wrapped(row)}"
            axes.set_title(title, fontsize=6.5, color=colour, parse_math=False)
    return figure


def thumbnail(path: Path) -> Any:
    """(h, w) float 0-1, block means under zscale and asinh; None for an unreadable file."""
    try:
        pixels = read_frame(path).pixels.astype(np.float32)
    except UnreadableFrame:
        return None
    step = max(1, max(pixels.shape) // _THUMB_PX)
    h, w = pixels.shape[0] // step, pixels.shape[1] // step
    small = pixels[: h * step, : w * step].reshape(h, step, w, step).mean(axis=(1, 3))
    low, high = ZScaleInterval().get_limits(small)
    # A wider range than zscale's: stars should not all be white discs.
    scaled = np.clip((small - low) / max(float(4 * (high - low)), 1e-6), 0, 1)
    return AsinhStretch(0.1)(scaled)


def _positions(axes: Axes, table: pd.DataFrame) -> Any:
    stamps = [datetime.fromisoformat(text) if text else None for text in table["date_obs"]]
    if any(stamp is None for stamp in stamps):
        axes.set_xlabel("frame")
        return np.arange(1, len(table) + 1)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel("mid-exposure, UTC")
    naive = [stamp.replace(tzinfo=None) for stamp in stamps if stamp]
    return np.array(naive, dtype="datetime64[ms]")


def _wrapped(row: dict[Any, Any]) -> str:
    words, lines = str(row["explanation"] or row["reason"]).split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 38:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines[:2])
