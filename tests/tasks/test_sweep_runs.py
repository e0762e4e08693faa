from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest


def test_leaving_one_night_out_after_the_other_ends_in_one_table(run_task, quick):
    ended = run_task(
        "train", "-m", *quick, "data.split.leave_out=night0,night1,night2", "data.split.seed=1"
    )
    assert ended.status == 0
    folder = next(Path("outputs/train/multirun").iterdir())
    table = pd.read_csv(folder / "pooled_predictions.csv")
    assert table.groupby("night")["job"].unique().map(list).to_dict() == {
        "night0": [0],
        "night1": [1],
        "night2": [2],
    }
    (pool,) = json.loads((folder / "pooled_metrics.json").read_text())["pools"]
    assert (pool["jobs"], pool["nights"], pool["notes"]) == ([0, 1, 2], 3, [])
    scores = pool["scores"]["fused"]
    assert scores["interval_over"] == "nights"
    labelled = table[table["label"].notna()]
    assert scores["n"]["value"] == len(labelled) == 69
    right = (labelled["pred"] == labelled["label"]).mean()
    assert scores["accuracy"]["value"] == right
    assert "pooled over data.split.leave_out: 3 jobs, 3 nights" in ended.out
    assert "pooled_metrics.json" in ended.out


def test_jobs_side_by_side_read_frames_in_processes_of_their_own(run_task, make_night):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="extra joblib")
    # As when training: once torch is there, they are not forked.
    night = make_night("night", n=20, side=32)
    ended = run_task(
        "heuristics", "-m", str(night), "heuristics.strictness=1,2", "hydra.sweep.dir=sweep",
        "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "workers=2", "plugins=[torch]",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    assert not list(Path("sweep").glob("*/error.txt"))
    assert len(list(Path("sweep").glob("*/candidates.csv"))) == 2
