"""What a run leaves behind: tables, numbers, figures, and a summary in the terminal."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from nightsift.files import file_name, replacing
from nightsift.models.fusion import HEADS
from nightsift.report.figures import (
    night_figure,
    precision_recall_figure,
    reliability_figure,
    save_figure,
)

# Figures of single nights beyond this many are left out, the most interesting nights first.
MAX_NIGHT_FIGURES = 24
_SHOWN = {
    "average_precision": "AP",
    "auroc": "AUROC",
    "f1": "F1",
    "recall_at_1pct_false_rejection": "recall at 1% FR",
    "expected_calibration_error": "ECE",
}


def report_run(
    run_dir: Path, table: pd.DataFrame, metrics: dict[str, Any], *, out_csv: Path | None = None
) -> None:
    """Write predictions.csv, metrics.json and figures, and print the numbers.

    Args:
        run_dir: made when needed.
        table: predictions of every file.
        metrics: content of metrics.json.
        out_csv: where the predictions go instead of `run_dir`.
    """
    (run_dir / "figures").mkdir(parents=True, exist_ok=True)
    csv = out_csv or run_dir / "predictions.csv"
    write_predictions(csv, table)
    with replacing(run_dir / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    write_figures(run_dir / "figures", table, metrics["threshold"])
    print_metrics(metrics)
    print_verdicts(table)
    print(f"written: {csv}, {run_dir / 'metrics.json'}, {run_dir / 'figures'}")


def write_predictions(path: Path, table: pd.DataFrame) -> None:
    """Write the table of predictions as CSV, atomically; missing values are empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")


def write_figures(folder: Path, table: pd.DataFrame, threshold: float) -> None:
    """Precision-recall and reliability of the most honest split, and each night's timeline."""
    for split in ("test", "val"):
        part = table[(table["split"] == split) & table["label"].notna() & table["prob_bad"].notna()]
        if part["label"].nunique() == 2:
            heads = {name: part[column].to_numpy() for name, column in HEADS.items()}
            label = part["label"].to_numpy(dtype=float)
            save_figure(
                precision_recall_figure(heads, label, threshold),
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
            threshold,
        )
        save_figure(figure, folder / f"night_{name}.png")


def print_metrics(metrics: dict[str, Any]) -> None:
    """A table of the numbers that matter, one row per split and head."""
    table = Table(title=f"threshold of the fused probability: {metrics['threshold']:.4f}")
    table.add_column("split")
    table.add_column("head")
    table.add_column("bad / all", justify="right")
    for title in _SHOWN.values():
        table.add_column(title, justify="right")
    over = "frames"
    for split, heads in metrics["splits"].items():
        for head, scores in heads.items():
            over = scores["interval_over"]
            counts = f"{scores['n_bad']['value']} / {scores['n']['value']}"
            table.add_row(split, head, counts, *(_cell(scores[name]) for name in _SHOWN))
    table.caption = f"95 % intervals over {over} in brackets; test is the one to quote"
    if metrics["splits"]:
        Console(width=120).print(table)


def print_verdicts(table: pd.DataFrame) -> None:
    """One row per night: frames, bad ones, unreadable ones."""
    out = Table(title="verdicts")
    for title in ("night", "frames", "bad", "unreadable"):
        out.add_column(title, justify="left" if title == "night" else "right")
    nights = table.groupby("night", sort=False)
    shown = list(nights)[:MAX_NIGHT_FIGURES]
    for night, part in shown:
        unreadable = int(part["prob_bad"].isna().sum())
        out.add_row(str(night), str(len(part)), str(int(part["pred"].sum())), str(unreadable))
    if len(nights) > len(shown):
        out.caption = f"and {len(nights) - len(shown)} more nights in the CSV"
    Console(width=100).print(out)


def _cell(score: dict[str, float | None]) -> str:
    if score["value"] is None:
        return "-"
    if score["low"] is None or score["high"] is None:
        return f"{score['value']:.3f}"
    return f"{score['value']:.3f} [{score['low']:.3f}-{score['high']:.3f}]"
