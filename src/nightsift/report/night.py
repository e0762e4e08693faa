"""What sorting a night leaves behind: predictions, lists, timelines, the page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.table import Table

from nightsift.files import file_name, replacing
from nightsift.photometry.lightcurve import LightCurve
from nightsift.report.features import features_figure
from nightsift.report.figures import save_figure
from nightsift.report.groups import shown_as
from nightsift.report.handoff import write_lists
from nightsift.report.lightcurves import lightcurve_figure, lightcurve_table
from nightsift.report.page import write_page
from nightsift.report.pictures import FramePictures
from nightsift.report.run import MAX_NIGHT_FIGURES, write_predictions
from nightsift.report.terminal import console, rows_by_night
from nightsift.sorting.ignore import IGNORED
from nightsift.sorting.night import Verdicts
from nightsift.sorting.verdicts import VERDICTS, spells

PAGE = "report.html"
# Rows of the table in the terminal.
_NIGHTS, _SPELLS = 24, 5


def write_night(
    run_dir: Path,
    title: str,
    night: Verdicts,
    *,
    out_csv: Path | None = None,
    curves: Sequence[tuple[str, LightCurve]] = (),
) -> list[Path]:
    """Write everything a person or a program wants to know of the verdicts.

    Args:
        run_dir: made when needed.
        title: of the page.
        night: the verdicts.
        out_csv: where the predictions go instead of `run_dir`.
        curves: night and light curve.

    Returns:
        The predictions, the page, and the folders of lists and figures.
    """
    table = night.table
    csv = out_csv or run_dir / "predictions.csv"
    write_predictions(csv, table)
    lists, figures = run_dir / "lists", run_dir / "figures"
    write_lists(lists, table, night.features)
    figures.mkdir(parents=True, exist_ok=True)
    pictures: list[tuple[str, Path]] = []
    for name, figure in timeline_figures(night):
        pictures.append((name, figures / f"timeline_{file_name(name)}.png"))
        save_figure(figure, pictures[-1][1])
    facts = []
    for name, curve in curves:
        pictures.append((f"{name}, light curve", figures / f"lightcurve_{file_name(name)}.png"))
        save_figure(lightcurve_figure(name, curve), pictures[-1][1])
        with replacing(run_dir / f"lightcurve_{file_name(name)}.csv") as temporary:
            lightcurve_table(curve).to_csv(temporary, index=False, float_format="%.6f")
        facts.append(f"{name}: {curve.summary()}")
    counts = {verdict: int((table["verdict"] == verdict).sum()) for verdict in ("bad", "review")}
    about = (
        f"{len(table)} files: {counts['bad']} bad, {counts['review']} to be looked at; "
        f"bad from a probability of {night.card.threshold:.3f}"
    )
    write_page(
        run_dir / PAGE,
        title,
        table,
        pictures,
        facts=[about, *_asked(night), *facts],
        frames=FramePictures(night.nights),
    )
    return [csv, run_dir / PAGE, lists, figures]


def _asked(night: Verdicts) -> list[str]:
    """What the observer wanted otherwise than the weights."""
    said = []
    if night.ignored:
        kept = int(night.table["explanation"].astype(str).str.startswith(IGNORED).sum())
        said.append(f"ignored: {', '.join(night.ignored)}, which keeps {kept} frames")
    if limits := night.limits.describe():
        said.append(f"limits: {limits}")
    return said


def timeline_figures(night: Verdicts) -> list[tuple[str, Figure]]:
    """Name and figure of each night of three frames or more, those with most bad frames first."""
    judged = night.table[night.table["verdict"] != ""]
    known = night.features.set_index("file")
    shown = shown_as(judged)
    bad = judged["verdict"].eq("bad").groupby(shown, sort=False).sum()
    lines = [level for level in (night.card.threshold, night.card.review_low) if level is not None]
    figures: list[tuple[str, Figure]] = []
    for name in bad.sort_values(ascending=False, kind="stable").index:
        part = judged[shown == name]
        if len(part) < 3 or len(figures) == MAX_NIGHT_FIGURES:
            continue
        rows: pd.DataFrame = known.reindex(part["file"])
        rows = rows.assign(prob_bad=part["prob_bad"].to_numpy(), date_obs=part["time"].to_numpy())
        verdict = part["verdict"].to_numpy(dtype=np.str_)
        title = f"{name}: {int((verdict == 'bad').sum())} of {len(part)} frames bad"
        figures.append((str(name), features_figure(title, rows, verdict, lines=lines)))
    return figures


def print_sorted(table: pd.DataFrame, mixed: Collection[str] = ()) -> None:
    """Per night: frames, bad ones by reason, doubtful and unreadable ones; the worst spells.

    Args:
        table: predictions with verdicts.
        mixed: names of the nights that are loose frames, which share one row.
    """
    terminal = console(120)
    out = Table(title="verdicts")
    for title in ("night", "frames", "good", "review", "bad", "unreadable", "why"):
        out.add_column(title, justify="left" if title in ("night", "why") else "right")
    rows, out.caption = rows_by_night(table, mixed, most=_NIGHTS)
    for night, part in rows:
        counts = [int((part["verdict"] == verdict).sum()) for verdict in (*VERDICTS, "")]
        why = part.loc[part["verdict"] == "bad", "reason"].value_counts()
        reasons = ", ".join(f"{count} {reason}" for reason, count in why.items())
        out.add_row(night, *(str(count) for count in (len(part), *counts)), reasons)
    terminal.print(out)
    for night, first, last, count, reason in spells(table)[:_SPELLS]:
        terminal.print(f"{night}: {count} bad frames in a row ({reason}), {first} to {last}")
