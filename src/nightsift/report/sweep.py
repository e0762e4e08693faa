"""One table and one figure over the jobs of a sweep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from nightsift.files import replacing
from nightsift.models.fusion import HEADS
from nightsift.report.figures import HEAD_COLOURS, STYLE, new_figure, save_figure

SPLITS = ("val", "test")
METRICS = (
    "average_precision",
    "recall_at_1pct_false_rejection",
    "f1",
    "expected_calibration_error",
)


def read_sweep(folder: Path) -> pd.DataFrame:
    """One row per job: its number, its overrides, whether it succeeded, and its scores.

    Args:
        folder: the sweep's, with one numbered folder per job.
    """
    jobs = sorted(
        (path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal()),
        key=lambda path: int(path.name),
    )
    table = pd.DataFrame([_read_job(job) for job in jobs])
    return table if len(table) else pd.DataFrame(columns=["job", "status", "error"])


def _read_job(job: Path) -> dict[str, Any]:
    overrides = job / ".hydra" / "overrides.yaml"
    listed: Any = OmegaConf.load(overrides) if overrides.is_file() else []
    pairs = [str(item).partition("=") for item in listed or []]
    row: dict[str, Any] = {"job": int(job.name)}
    row |= {key.lstrip("+~"): _value(value) for key, _, value in pairs}
    metrics, error = job / "metrics.json", job / "error.txt"
    if not metrics.is_file():
        text = error.read_text("utf-8").strip() if error.is_file() else "the job did not end"
        return row | {"status": "failed", "error": (text.splitlines() or [""])[0]}
    data = json.loads(metrics.read_text("utf-8"))
    row |= {"status": "done", "error": "", "threshold": data["threshold"]}
    for split in SPLITS:
        for head in HEADS:
            scores = data["splits"].get(split, {}).get(head, {})
            for metric in METRICS:
                row[f"{split}_{head}_{metric}"] = scores.get(metric, {}).get("value")
    return row


def _value(text: str) -> Any:
    """A number where the text is one, so that the axis of a sweep is numeric."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def swept_key(table: pd.DataFrame) -> str | None:
    """The override with the most distinct values, the seed only if nothing else varies."""
    overrides = list(table.columns[1 : list(table.columns).index("status")])
    counts = {key: table[key].nunique() for key in overrides if table[key].nunique() > 1}
    without_seed = {key: n for key, n in counts.items() if key != "seed"} or counts
    return max(without_seed, key=lambda key: without_seed[key], default=None)


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
    # Heads stand side by side so that their bars do not cover each other.
    nudge = 0.008 * ((max(position.values()) - min(position.values())) or 1)
    for shift, head in zip((-nudge, nudge, 0.0), HEADS, strict=True):
        score = done[f"{split}_{head}_average_precision"].astype(float)
        if score.isna().all():
            continue
        groups = score.groupby(x)
        mean, spread = groups.mean(), groups.std().fillna(0)
        colour = HEAD_COLOURS[head]
        axes.plot(x + shift, score, "o", ms=3, color=colour, alpha=0.3, mew=0)
        axes.errorbar(
            mean.index + shift, mean, spread, fmt="o-", ms=5, capsize=3, color=colour, label=head
        )
    if numeric and min(ticks) > 0 and max(ticks) / min(ticks) >= 100:
        axes.set_xscale("log")
    if not numeric:
        axes.set_xticks(range(len(ticks)), ticks)


def write_sweep(folder: Path) -> pd.DataFrame:
    """Write `sweep.csv` and `sweep.png` into the folder of the sweep; returns the table."""
    table = read_sweep(folder)
    with replacing(folder / "sweep.csv") as temporary:
        table.to_csv(temporary, index=False)
    save_figure(sweep_figure(table), folder / "sweep.png")
    return table
