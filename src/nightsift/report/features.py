"""Features along a night, one panel each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

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
