"""What rejection buys: light curves before and after, as figure and table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nightsift.errors import NightsiftError
from nightsift.photometry.lightcurve import LightCurve, measure_lightcurve
from nightsift.report.figures import BAD, GOOD, REJECTED, STYLE, new_figure
from nightsift.sorting.night import Verdicts

log = logging.getLogger(__name__)


def measure_lightcurves(
    night: Verdicts, target: Sequence[float], transit: Sequence[str]
) -> list[tuple[str, LightCurve]]:
    """Name and light curve of every night that allows one; the others are named in the log.

    Args:
        night: the verdicts.
        target: x and y on the first kept frame, px; empty for a bright steady star.
        transit: first and last contact, UTC in ISO 8601; empty for none.

    Raises:
        NightsiftError: `target` or `transit` is not what it should be.
    """
    if len(target) not in (0, 2) or len(transit) not in (0, 2):
        raise NightsiftError("expected target=[x,y] and transit=[first,last], or nothing")
    place = (float(target[0]), float(target[1])) if target else None
    first, last = (_time(text) for text in transit) if transit else (None, None)
    verdict = dict(zip(night.table["file"], night.table["verdict"], strict=True))
    found: list[tuple[str, LightCurve]] = []
    for own in night.nights.nights:
        times = [look.info.time if look.info else None for look in own.looks]
        inside = [bool(t and first and last and first <= t <= last) for t in times]
        try:
            curve = measure_lightcurve(
                own.looks,
                np.array([verdict[str(path)] != "bad" for path in own.files]),
                target=place,
                inside=np.array(inside),
            )
        except NightsiftError as error:
            log.warning("%s: no light curve: %s", own.name, error)
            continue
        found.append((own.name, curve))
    return found


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        raise NightsiftError(f"transit: {text!r} is no time such as 2025-03-01T22:10") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def lightcurve_table(curve: LightCurve) -> pd.DataFrame:
    """`file`, `hours`, `flux`, `kept`, `inside` (the transit), one row per frame."""
    return pd.DataFrame(
        {
            "file": [str(path) for path in curve.files],
            "hours": curve.hours,
            "flux": curve.flux,
            "kept": curve.kept.astype(int),
            "inside": curve.inside.astype(int),
        }
    )


def lightcurve_figure(night: str, curve: LightCurve) -> Figure:
    """Relative flux of all frames and of the kept ones, one above the other, on one scale."""
    with mpl.rc_context(STYLE):
        figure = new_figure(9.0, 4.2)
        above, below = figure.subplots(2, 1, sharex=True)
        timed = bool(np.isfinite(curve.hours).all())
        x = curve.hours if timed else np.arange(1, len(curve.flux) + 1)
        kept = curve.kept
        above.plot(x, curve.flux, "-o", ms=2.5, lw=0.6, color=GOOD)
        below.plot(x[kept], curve.flux[kept], "-o", ms=2.5, lw=0.6, color="black")
        above.set_title(f"{night}: all frames, scatter {curve.before_ppt:.2f} ppt")
        below.set_title(f"kept frames, scatter {curve.after_ppt:.2f} ppt")
        middle, spread = 1.0, 4 * max(curve.after_ppt, 1.0) / 1000
        spread = max(spread, 1.3 * float(np.abs(curve.flux[kept] - 1).max(initial=0)))
        shown = np.clip(curve.flux[~kept], middle - 0.97 * spread, middle + 0.97 * spread)
        above.plot(x[~kept], shown, "o", ms=4, color=BAD, label="rejected (at the edge: beyond)")
        for axes in (above, below):
            axes.set(ylabel="relative flux", ylim=(middle - spread, middle + spread))
            if curve.inside.any():
                axes.axvspan(x[curve.inside].min(), x[curve.inside].max(), color=REJECTED, lw=0)
        below.set_xlabel("hours since the first frame" if timed else "frame")
        if not kept.all():
            above.legend(loc="upper right")
    return figure
