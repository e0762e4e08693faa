"""Scores in the terminal: one table, and below it what must be known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from nightsift.metrics.notes import has_both_classes
from nightsift.report.terminal import console

_WIDTH = 120
_SHOWN = {
    "average_precision": "AP",
    "auroc": "AUROC",
    "f1": "F1",
    "recall_at_1pct_false_rejection": "recall at 1% FR",
    "expected_calibration_error": "ECE",
}
Heads = Mapping[str, Mapping[str, Any]]


def print_metrics(metrics: Mapping[str, Any]) -> None:
    """A table of the numbers that matter, one row per split and head.

    Args:
        metrics: content of metrics.json; older ones have no `notes`.
    """
    threshold, splits = metrics["threshold"], metrics["splits"]
    title = "threshold of the fused probability: " + (
        "none" if threshold is None else f"{threshold:.4f}"
    )
    quoted = "fused" in splits.get("test", {}) and has_both_classes(splits["test"]["fused"])
    remark = "test is the one to quote" if quoted else ""
    print_scores(title, splits, metrics.get("notes", []), remark=remark)


def print_scores(
    title: str, splits: Mapping[str, Heads], notes: Sequence[str], *, remark: str = ""
) -> None:
    """One row per split and head, with intervals, and the notes below.

    Args:
        title: of the table.
        splits: scores of the heads of each.
        notes: one line each.
        remark: at the end of the caption.
    """
    terminal = console(_WIDTH)
    table = Table(title=title)
    table.add_column("split")
    table.add_column("head")
    table.add_column("bad / all", justify="right")
    for name in _SHOWN.values():
        table.add_column(name, justify="right")
    resampled: dict[str, list[str]] = {}
    for split, heads in splits.items():
        for head, scores in heads.items():
            members = resampled.setdefault(scores["interval_over"], [])
            if split not in members:
                members.append(split)
            counts = f"{scores['n_bad']['value']} / {scores['n']['value']}"
            table.add_row(split, head, counts, *(_cell(scores[name]) for name in _SHOWN))
    over = [
        unit if len(resampled) == 1 else f"{unit} ({', '.join(members)})"
        for unit, members in resampled.items()
    ]
    caption = f"95 % intervals over {' and '.join(over)} in brackets"
    table.caption = f"{caption}; {remark}" if remark else caption
    terminal.print(table if resampled else title)
    for note in notes:
        terminal.print(f"note: {note}")


def _cell(score: Mapping[str, float | None]) -> str:
    if score["value"] is None:
        return "-"
    if score["low"] is None or score["high"] is None:
        return f"{score['value']:.3f}"
    return f"{score['value']:.3f} [{score['low']:.3f}-{score['high']:.3f}]"
