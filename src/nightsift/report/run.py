"""What a run leaves behind: tables, numbers, figures, and a summary in the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from nightsift.files import file_name, replacing
from nightsift.metrics.notes import metrics_notes
from nightsift.models.fusion import HEADS
from nightsift.report.figures import (
    night_figure,
    precision_recall_figure,
    reliability_figure,
    save_figure,
)
from nightsift.report.metrics_table import print_metrics
from nightsift.report.terminal import console, rows_by_night

# Figures of single nights beyond this many are left out, the most interesting nights first.
MAX_NIGHT_FIGURES = 24


def report_run(
    run_dir: Path,
    table: pd.DataFrame,
    metrics: Mapping[str, Any],
    *,
    out_csv: Path | None = None,
    mixed: Collection[str] = (),
) -> dict[str, Any]:
    """Write predictions.csv, metrics.json and figures, and print the numbers.

    Args:
        run_dir: made when needed.
        table: predictions of every file.
        metrics: content of metrics.json but for `notes`.
        out_csv: where the predictions go instead of `run_dir`.
        mixed: names of the nights that are loose frames.

    Returns:
        The content of metrics.json, with `notes` at the end.
    """
    whole = {**metrics, "notes": metrics_notes(metrics)}
    (run_dir / "figures").mkdir(parents=True, exist_ok=True)
    csv = out_csv or run_dir / "predictions.csv"
    write_predictions(csv, table)
    with replacing(run_dir / "metrics.json") as temporary:
        temporary.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    write_figures(run_dir / "figures", table, metrics["threshold"])
    print_metrics(whole)
    print_verdicts(table, mixed)
    print(f"written: {csv}, {run_dir / 'metrics.json'}, {run_dir / 'figures'}")
    return whole


def write_predictions(path: Path, table: pd.DataFrame) -> None:
    """Write the table of predictions as CSV, atomically; missing values are empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")


def write_figures(folder: Path, table: pd.DataFrame, threshold: float | None) -> None:
    """Precision-recall and reliability of the most honest split, and each night's timeline."""
    level = math.nan if threshold is None else threshold
    for split in ("test", "val"):
        part = table[(table["split"] == split) & table["label"].notna() & table["prob_bad"].notna()]
        if part["label"].nunique() == 2:
            heads = {name: part[column].to_numpy() for name, column in HEADS.items()}
            label = part["label"].to_numpy(dtype=float)
            save_figure(
                precision_recall_figure(heads, label, level),
                folder / f"precision_recall_{split}.png",
            )
            save_figure(reliability_figure(heads, label), folder / f"reliability_{split}.png")
            break
    readable = table[table["prob_bad"].notna()]
    sequences = readable[readable["prob_seq"].notna()]
    rejected = sequences.groupby("night")["pred"].sum().sort_values(ascending=False)
    for night in rejected.index[:MAX_NIGHT_FIGURES]:
        part = sequences[sequences["night"] == night]
        name = file_name(str(night))
        figure = night_figure(
            str(night),
            [datetime.fromisoformat(text) if text else None for text in part["time"]],
            part["prob_frame"].to_numpy(),
            part["prob_seq"].to_numpy(),
            part["prob_bad"].to_numpy(),
            part["label"].astype("Float64").fillna(-1).to_numpy(dtype=float),
            level,
        )
        save_figure(figure, folder / f"night_{name}.png")


def print_verdicts(table: pd.DataFrame, mixed: Collection[str] = ()) -> None:
    """One row per night: frames, bad ones, unreadable ones.

    Args:
        table: predictions of every file.
        mixed: names of the nights that are loose frames, which share one row.
    """
    out = Table(title="verdicts")
    for title in ("night", "frames", "bad", "unreadable"):
        out.add_column(title, justify="left" if title == "night" else "right")
    rows, out.caption = rows_by_night(table, mixed, most=MAX_NIGHT_FIGURES)
    for night, part in rows:
        unreadable = int(part["prob_bad"].isna().sum())
        out.add_row(night, str(len(part)), str(int(part["pred"].sum())), str(unreadable))
    console(100).print(out)
