"""One table and one figure over the jobs of a sweep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from nightsift.files import replacing
from nightsift.models.fusion import HEADS
from nightsift.report.figures import HEAD_COLOURS, STYLE, new_figure, save_figure
from nightsift.report.pooled import FOLD_KEYS, write_pooled

SPLITS = ("val", "test")
METRICS = (
    "average_precision",
    "recall_at_1pct_false_rejection",
    "f1",
    "expected_calibration_error",
)
# Keys that repeat an experiment rather than change it.
_REPEATING = (*FOLD_KEYS, "seed")
_ENDS = ("status", "error", "notes")
_SLANTED: Any = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}


def read_sweep(folder: Path) -> pd.DataFrame:
    """One row per job: its number, overrides, whether it succeeded, its scores and their notes.

    Args:
        folder: the sweep's, with one numbered folder per job.
    """
    jobs = sorted(
        (path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal()),
        key=lambda path: int(path.name),
    )
    overrides = [_overrides(job) for job in jobs]
    results = [_result(job) for job in jobs]
    rows = [
        {"job": int(job.name), **keys, **result}
        for job, keys, result in zip(jobs, overrides, results, strict=True)
    ]
    swept = dict.fromkeys(key for keys in overrides for key in keys)
    scores = dict.fromkeys(key for result in results for key in result if key not in _ENDS)
    columns = ["job", *swept, "status", "error", *scores, "notes"]
    return pd.DataFrame(rows, columns=columns)


def _overrides(job: Path) -> dict[str, Any]:
    path = job / ".hydra" / "overrides.yaml"
    listed: Any = OmegaConf.load(path) if path.is_file() else []
    pairs = [str(item).partition("=") for item in listed or []]
    return {key.lstrip("+~"): _value(value) for key, _, value in pairs}


def _result(job: Path) -> dict[str, Any]:
    metrics, error = job / "metrics.json", job / "error.txt"
    if not metrics.is_file():
        text = error.read_text("utf-8").strip() if error.is_file() else "the job did not end"
        return {"status": "failed", "error": (text.splitlines() or [""])[0], "notes": ""}
    data = json.loads(metrics.read_text("utf-8"))
    row = {"status": "done", "error": "", "threshold": data["threshold"]}
    for split in SPLITS:
        for head in HEADS:
            scores = data["splits"].get(split, {}).get(head, {})
            for metric in METRICS:
                row[f"{split}_{head}_{metric}"] = scores.get(metric, {}).get("value")
    return row | {"notes": "; ".join(data.get("notes", []))}


def _value(text: str) -> Any:
    """A number where the text is one, so that the axis of a sweep is numeric."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def override_keys(table: pd.DataFrame) -> list[str]:
    """The columns of a table of `read_sweep` that are overrides."""
    return list(table.columns[1 : list(table.columns).index("status")])


def swept_key(table: pd.DataFrame) -> str | None:
    """The override with the most distinct values; what only repeats a run if nothing else varies.

    Those are the left-out night, the fold and the seed.
    """
    counts = {key: table[key].nunique() for key in override_keys(table)}
    counts = {key: n for key, n in counts.items() if n > 1}
    changing = {key: n for key, n in counts.items() if key not in _REPEATING} or counts
    return max(changing, key=lambda key: changing[key], default=None)


def sweep_figure(table: pd.DataFrame) -> Figure:
    """Average precision on the test (else validation) part against the swept key.

    Lines are means and bars standard deviations over everything else, such as seeds; faint
    dots are single jobs.
    """
    done = table[table["status"] == "done"]
    key = swept_key(table)
    with mpl.rc_context(STYLE):
        figure = new_figure(6.0, 4.0)
        axes = figure.add_subplot()
        split = "test"
        if not len(done) or done["test_fused_average_precision"].isna().all():
            split = "val"
        if len(done):
            _draw_heads(axes, done, key, split)
        failed = len(table) - len(done)
        axes.set(
            xlabel=key or "job",
            ylabel=f"average precision, {split}",
            title=f"{len(done)} jobs" + (f", {failed} failed" if failed else ""),
        )
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    return figure


def _draw_heads(axes: Any, done: pd.DataFrame, key: str | None, split: str) -> None:
    values = done[key] if key else done["job"]
    numeric = pd.api.types.is_numeric_dtype(values)
    ticks = sorted(values.unique()) if numeric else sorted(values.astype(str).unique())
    position = {value: value if numeric else i for i, value in enumerate(ticks)}
    x = values.map(lambda value: position[value if numeric else str(value)])
    logarithmic = numeric and min(ticks) > 0 and max(ticks) / min(ticks) >= 100
    if logarithmic:
        axes.set_xscale("log")
    if not numeric:
        long = sum(len(tick) for tick in ticks) > 60
        axes.set_xticks(range(len(ticks)), ticks, **(_SLANTED if long else {}))
    ends = np.array([min(position.values()), max(position.values())], dtype=float)
    span = float(np.ptp(np.log10(ends) if logarithmic else ends)) or 1.0
    # Heads stand side by side so that their bars do not cover each other.
    for part, head in zip((-0.008, 0.008, 0.0), HEADS, strict=True):
        score = done[f"{split}_{head}_average_precision"].astype(float)
        if score.notna().any():
            place = x * 10 ** (part * span) if logarithmic else x + part * span
            _draw_head(axes, place, score, head)


def _draw_head(axes: Any, x: pd.Series, score: pd.Series, head: str) -> None:
    colour = HEAD_COLOURS[head]
    groups = score.groupby(x)
    mean, spread = groups.mean(), groups.std().fillna(0)
    # A score between 0 and 1 has no business beyond.
    bars = [np.minimum(spread, mean), np.minimum(spread, 1 - mean)]
    axes.plot(x, score, "o", ms=3, color=colour, alpha=0.3, mew=0)
    axes.errorbar(mean.index, mean, bars, fmt="o-", ms=5, capsize=3, color=colour, label=head)


def write_sweep(folder: Path) -> pd.DataFrame:
    """Write `sweep.csv` and `sweep.png` into the folder of the sweep; returns the table.

    Where jobs leave out different nights, also what `write_pooled` writes.
    """
    table = read_sweep(folder)
    with replacing(folder / "sweep.csv") as temporary:
        table.to_csv(temporary, index=False)
    save_figure(sweep_figure(table), folder / "sweep.png")
    write_pooled(folder, table, override_keys(table))
    return table
