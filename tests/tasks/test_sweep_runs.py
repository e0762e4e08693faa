from __future__ import annotations

import json
from pathlib import Path

import pandas as pd


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
