"""Features along a night, one panel each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from nightsift.report.figures import BAD, GOOD, MARGINAL, STYLE, new_figure

# Column and axis label; those that a method does not measure are left out.
_PANELS = (
    ("prob_bad", "probability"),
    ("candidate_score", "score"),
    ("transparency", "transparency"),
    ("n_stars", "stars"),
    ("fwhm_px", "FWHM, px"),
    ("elongation", "elongation"),
    ("background_adu", "background, adu"),
    ("streak_significance", "best line, sigma"),
    ("shift_px", "shift, px"),
)
# Above and below the panels, inches.
_MARGINS_IN = 0.8
# Size of the dots of each verdict.
_DOTS = {"good": (GOOD, 2.5), "review": (MARGINAL, 4.0), "bad": (BAD, 4.5)}


def features_figure(
    title: str, table: pd.DataFrame, verdict: npt.NDArray[np.str_], *, lines: Sequence[float] = ()
) -> Figure:
    """Probability or score, and features, along one night, one panel each.

    Args:
        title: of the figure.
        table: one row per frame of one night in time order, with `date_obs`.
        verdict: (N,) good, review or bad: the colours of the dots.
        lines: where lines go into the first panel, 0-1.
    """
    panels = [panel for panel in _PANELS if panel[0] in table]
    with mpl.rc_context(STYLE):
        height = _MARGINS_IN + 1.05 * len(panels)
        # Fitting the margins would take as long as drawing.
        figure = new_figure(9.0, height, fitted=False)
        figure.subplots_adjust(0.1, 0.5 / height, 0.985, 1 - 0.3 / height, hspace=0.16)
        column: Any = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        x = _positions(column[-1], table)
        for axes, (name, label) in zip(column, panels, strict=True):
            values = table[name].to_numpy(dtype=float)
            axes.plot(x, values, "-", lw=0.7, color=GOOD, zorder=2)
            for order, (kind, (colour, size)) in enumerate(_DOTS.items(), start=3):
                chosen = verdict == kind
                axes.plot(x[chosen], values[chosen], "o", ms=size, color=colour, zorder=order)
            axes.set_ylabel(label, fontsize=7.5)
            axes.yaxis.set_label_coords(-0.07, 0.5)
        column[0].set(title=title, ylim=(-0.04, 1.04))
        for level in lines:
            column[0].axhline(level, color=BAD, lw=0.8, ls="--", zorder=1)
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
