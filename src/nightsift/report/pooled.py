"""One table over the left-out nights of a sweep: each night judged by the job that left it out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nightsift.files import replacing
from nightsift.metrics.bootstrap import score_table
from nightsift.metrics.notes import one_class_notes
from nightsift.metrics.threshold import is_bad
from nightsift.models.fusion import HEADS
from nightsift.report.metrics_table import print_scores

# What divides the nights differently from job to job: the tests of such jobs belong together.
FOLD_KEYS = ("data.split.leave_out", "data.split.fold")


def write_pooled(folder: Path, sweep: pd.DataFrame, overrides: Sequence[str]) -> None:
    """Write `pooled_predictions.csv` and `pooled_metrics.json` and print the scores.

    Only where one of `FOLD_KEYS` varies. Jobs that differ in nothing else are one pool: their
    test frames are scored together, with intervals over nights. Scores that need a verdict use
    that of each frame's own job, by its own threshold. The others compare probabilities of
    different models, as a user of any one of them would meet them. The JSON holds, per pool, its
    overrides, jobs, nights, scores of each head as in metrics.json, and notes.

    Args:
        folder: of the sweep.
        sweep: of `nightsift.report.sweep.read_sweep`.
        overrides: the columns of `sweep` that are overrides.
    """
    varying = [key for key in overrides if sweep[key].nunique(dropna=False) > 1]
    folds = [key for key in varying if key in FOLD_KEYS]
    rows = _test_rows(folder, sweep) if folds else pd.DataFrame()
    if not len(rows):
        return
    with replacing(folder / "pooled_predictions.csv") as temporary:
        rows.to_csv(temporary, index=False)
    others = [key for key in varying if key not in folds]
    pools = [
        _pool(jobs, rows[rows["job"].isin(jobs["job"])], others) for jobs in _alike(sweep, others)
    ]
    content = {"pooled_over": folds, "pools": pools}
    with replacing(folder / "pooled_metrics.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for pool in pools:
        _print(pool, folds)


def _test_rows(folder: Path, sweep: pd.DataFrame) -> pd.DataFrame:
    """Rows of every job's predictions that belong to its test, as text, then `job`."""
    parts = []
    for job in sweep.loc[sweep["status"] == "done", "job"]:
        path = folder / str(job) / "predictions.csv"
        if path.is_file():
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            parts.append(table[table["split"] == "test"].drop(columns="job", errors="ignore"))
            parts[-1].insert(len(parts[-1].columns), "job", int(job))
    if not parts:
        return pd.DataFrame()
    rows = pd.concat(parts, ignore_index=True)
    columns = [*(name for name in rows if name != "job"), "job"]
    return rows[columns].fillna("")


def _alike(sweep: pd.DataFrame, keys: list[str]) -> list[pd.DataFrame]:
    """Jobs that agree in `keys`, together."""
    if not keys:
        return [sweep]
    return [jobs for _, jobs in sweep.groupby(keys, sort=False, dropna=False)]


def _pool(jobs: pd.DataFrame, rows: pd.DataFrame, keys: list[str]) -> dict[str, Any]:
    labelled = rows[rows["label"] != ""]
    scores = _scores(labelled, dict(zip(jobs["job"], jobs["threshold"], strict=True)))
    used = sorted(int(job) for job in labelled["job"].unique())
    return {
        "overrides": {key: _json_value(jobs[key].iloc[0]) for key in keys},
        "jobs": used,
        "nights": int(labelled["night"].nunique()),
        "scores": scores,
        "notes": [*_job_notes(jobs, labelled, used), *one_class_notes("pooled", scores)],
    }


def _scores(
    rows: pd.DataFrame, thresholds: Mapping[int, float | None]
) -> dict[str, dict[str, Any]]:
    """Scores of each head; the verdicts of the fused one are those that the jobs wrote."""
    level = np.array([thresholds[job] for job in rows["job"]], dtype=np.float64)
    found: dict[str, dict[str, Any]] = {}
    for head, column in HEADS.items():
        prob = pd.to_numeric(rows[column]).to_numpy(dtype=np.float64)
        if np.isnan(prob).all():
            continue
        pred = pd.to_numeric(rows["pred"]) if head == "fused" else is_bad(prob, level)
        found[head] = score_table(
            prob,
            pd.to_numeric(rows["label"]).to_numpy(dtype=np.float64),
            rows["night"].to_numpy(dtype=str),
            np.nan,
            pred=np.where(np.isnan(level), np.nan, pred),
        )
    return found


def _job_notes(jobs: pd.DataFrame, rows: pd.DataFrame, used: list[int]) -> list[str]:
    """A line for jobs that are missing, decide nothing, or test frames that others test too."""
    notes = []
    missing = sorted({int(job) for job in jobs["job"]} - set(used))
    if missing:
        listed = ", ".join(map(str, missing))
        notes.append(f"without job {listed}: failed, or no labelled frame in its test")
    bare = jobs.loc[jobs["job"].isin(used) & jobs["threshold"].isna(), "job"]
    if len(bare):
        listed = ", ".join(map(str, bare))
        notes.append(f"job {listed} has no threshold; scores that need one are empty")
    repeated = int(rows["file"].duplicated().sum())
    if repeated:
        notes.append(f"{repeated} frames stand in the test of more than one job and count again")
    return notes


def _print(pool: Mapping[str, Any], folds: Sequence[str]) -> None:
    size = f"{len(pool['jobs'])} jobs, {pool['nights']} nights"
    alike = [f"{key}={value}" for key, value in pool["overrides"].items()]
    title = "; ".join([f"pooled over {' and '.join(folds)}: {size}", *alike])
    splits = {"test": pool["scores"]} if pool["scores"] else {}
    remark = "each frame judged by the job that left it out"
    print_scores(title, splits, pool["notes"], remark=remark)


def _json_value(value: Any) -> Any:
    """A number of Python's own, or None for an override that these jobs do not have."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and np.isnan(plain) else plain
