from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk

from nightsift.report.sweep import write_sweep

NIGHTS = ("a", "b", "c", "d")
COLUMNS = ["file", "prob_bad", "pred", "label", "prob_frame", "prob_seq", "night", "time"]
COLUMNS += ["split", "reason", "notes"]


def predictions(left_out: str, threshold: float, *, seed: int = 0) -> pd.DataFrame:
    """Every night's predictions by the job that left one out; only that one is its test."""
    rng = np.random.default_rng([seed, *left_out.encode()])
    parts = []
    for night in NIGHTS:
        bad = np.arange(20) % 4 == 0 if night != "d" else np.zeros(20, bool)
        prob = np.clip(rng.normal(0.3 + 0.25 * bad, 0.15), 0, 1).round(6)
        parts.append(
            pd.DataFrame(
                {
                    "file": [f"{night}/{i:03d}.fits" for i in range(20)],
                    "prob_bad": prob,
                    "pred": (prob >= threshold).astype(int),
                    "label": np.where(np.arange(20) == 7, np.nan, bad),
                    "prob_frame": np.sqrt(prob),
                    "prob_seq": np.where(np.arange(20) < 4, np.nan, prob),
                    "night": night,
                    "time": "",
                    "split": "test" if night == left_out else "train",
                    "reason": "",
                    "notes": "NA",
                }
            )
        )
    return pd.concat(parts)[COLUMNS]


def add_job(folder, number, overrides, table=None, threshold=0.5):
    job = folder / str(number)
    (job / ".hydra").mkdir(parents=True)
    (job / ".hydra" / "overrides.yaml").write_text("".join(f"- {each}\n" for each in overrides))
    if table is None:
        (job / "error.txt").write_text("boom\n")
        return
    table = table.assign(pred=table["pred"].astype("Int64"), label=table["label"].astype("Int64"))
    table.to_csv(job / "predictions.csv", index=False, float_format="%.6f")
    (job / "metrics.json").write_text(json.dumps({"threshold": threshold, "splits": {}}))


def thresholds() -> dict[str, float]:
    return {night: 0.3 + 0.05 * number for number, night in enumerate(NIGHTS)}


@pytest.fixture
def folds(tmp_path):
    """Four jobs, each of which leaves one night out and has a threshold of its own."""
    for number, (night, threshold) in enumerate(thresholds().items()):
        overrides = ["+experiment=joint", f"data.split.leave_out={night}"]
        table = predictions(night, threshold)
        if number == 2:
            del table["notes"]
        add_job(tmp_path, number, overrides, table, threshold)
    return tmp_path


def pooled(folder) -> list[dict]:
    return json.loads((folder / "pooled_metrics.json").read_text())["pools"]


def values(pool: dict, head: str) -> dict[str, float]:
    return {k: v["value"] for k, v in pool["scores"][head].items() if isinstance(v, dict)}


def test_left_out_nights_are_scored_together_each_by_its_own_threshold(folds, capsys):
    write_sweep(folds)
    (pool,) = pooled(folds)
    assert (pool["jobs"], pool["nights"], pool["overrides"]) == ([0, 1, 2, 3], 4, {})
    rows = pd.concat(
        predictions(night, level).query("split == 'test'").assign(level=level)
        for night, level in thresholds().items()
    )
    rows = rows[rows["label"].notna()]
    for head, column in (("frame", "prob_frame"), ("sequence", "prob_seq"), ("fused", "prob_bad")):
        known = rows[rows[column].notna()]
        label, prob = known["label"], known[column].round(6)
        expected = {
            "n": len(known),
            "n_bad": label.sum(),
            "average_precision": sk.average_precision_score(label, prob),
            "auroc": sk.roc_auc_score(label, prob),
            "f1": sk.f1_score(label, prob >= known["level"]),
            "accuracy": sk.accuracy_score(label, prob >= known["level"]),
        }
        found = values(pool, head)
        assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert pool["scores"]["fused"]["interval_over"] == "nights"
    assert pool["notes"] == []
    title = capsys.readouterr().out.splitlines()[0].strip()
    assert title == "pooled over data.split.leave_out: 4 jobs, 4 nights"


def test_the_fused_verdicts_are_those_that_the_jobs_wrote(folds):
    """Probabilities in a file are rounded; a verdict near the threshold must not turn round."""
    path = folds / "0" / "predictions.csv"
    table = pd.read_csv(path).assign(pred=1)
    table.to_csv(path, index=False)
    write_sweep(folds)
    (pool,) = pooled(folds)
    rows = pd.read_csv(folds / "pooled_predictions.csv").query("label >= 0")
    assert (rows.query("job == 0")["pred"] == 1).all()
    assert values(pool, "fused")["accuracy"] == np.mean(rows["pred"] == rows["label"])


def test_every_test_row_is_there_with_its_job_at_the_end(folds):
    write_sweep(folds)
    table = pd.read_csv(folds / "pooled_predictions.csv", dtype=str, keep_default_na=False)
    assert list(table) == [*COLUMNS, "job"]
    assert list(table["night"]) == list(np.repeat(NIGHTS, 20))
    assert list(table["job"]) == list(np.repeat(["0", "1", "2", "3"], 20))
    assert set(table["split"]) == {"test"}
    assert list(table["notes"].unique()) == ["NA", ""]
    first = pd.read_csv(folds / "0" / "predictions.csv", dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(table[:20][COLUMNS], first.query("split == 'test'")[COLUMNS])


@pytest.mark.parametrize("key", ["data.split.fold", "+data.split.leave_out"])
def test_jobs_that_differ_in_something_else_are_pools_of_their_own(tmp_path, capsys, key):
    number = 0
    for lr in ("1e-3", "1e-2"):
        for seed in (1, 2):
            for fold, night in enumerate(NIGHTS):
                overrides = [f"optim.lr={lr}", f"seed={seed}", f"{key}={fold}"]
                table = predictions(night, 0.4, seed=seed)
                add_job(tmp_path, number, overrides, table, 0.4)
                number += 1
    table = write_sweep(tmp_path)
    pools = pooled(tmp_path)
    assert [pool["jobs"] for pool in pools] == [list(range(i, i + 4)) for i in (0, 4, 8, 12)]
    assert [tuple(pool["overrides"].values()) for pool in pools] == [
        (1e-3, 1),
        (1e-3, 2),
        (1e-2, 1),
        (1e-2, 2),
    ]
    assert pools[0]["scores"] == pools[2]["scores"] != pools[1]["scores"]
    assert len(table) == 16
    title = f"pooled over {key.lstrip('+')}: 4 jobs, 4 nights; optim.lr=0.01; seed=2"
    assert title in capsys.readouterr().out


def test_what_is_missing_from_the_pool_is_said(folds, capsys):
    add_job(folds, 4, ["+experiment=joint", "data.split.leave_out=e"])
    again = ["+experiment=joint", "data.split.leave_out=x"]
    add_job(folds, 5, again, predictions("a", 0.5), threshold=None)
    write_sweep(folds)
    (pool,) = pooled(folds)
    assert pool["jobs"] == [0, 1, 2, 3, 5]
    assert [note.split(";")[0] for note in pool["notes"]] == [
        "without job 4: failed, or no labelled frame in its test",
        "job 5 has no threshold",
        "19 frames stand in the test of more than one job and count again",
    ]
    assert values(pool, "fused")["f1"] is None
    assert values(pool, "fused")["average_precision"] > 0
    assert "note: without job 4" in capsys.readouterr().out


def test_a_pool_of_one_class_is_said(tmp_path):
    for number, night in enumerate("dd"):
        table = predictions(night, 0.5).assign(night=f"d{number}")
        add_job(tmp_path, number, [f"data.split.leave_out=d{number}"], table)
    write_sweep(tmp_path)
    (pool,) = pooled(tmp_path)
    assert values(pool, "fused")["average_precision"] is None
    assert any(note.startswith("pooled: 0 bad and 38 good") for note in pool["notes"])


def test_jobs_without_a_labelled_test_frame_make_no_scores(tmp_path):
    for number, night in enumerate("ab"):
        table = predictions(night, 0.5).assign(label=np.nan)
        add_job(tmp_path, number, [f"data.split.leave_out={night}"], table)
    write_sweep(tmp_path)
    (pool,) = pooled(tmp_path)
    assert pool["scores"] == {}
    assert pool["notes"][0].startswith("without job 0, 1")


def test_other_sweeps_pool_nothing(tmp_path):
    for number, seed in enumerate("12"):
        overrides = ["data.split.leave_out=a", f"seed={seed}"]
        add_job(tmp_path, number, overrides, predictions("a", 0.5))
    write_sweep(tmp_path)
    failed = tmp_path / "failed"
    for number, night in enumerate("ab"):
        add_job(failed, number, [f"data.split.leave_out={night}"])
    write_sweep(failed)
    assert not list(tmp_path.rglob("pooled*"))
