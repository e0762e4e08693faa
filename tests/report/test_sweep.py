import json

import numpy as np
import pandas as pd
import pytest

from nightsift.report.sweep import HEADS, METRICS, read_sweep, sweep_figure, write_sweep


def add_job(folder, number, overrides, *, score=None, error=None, notes=()):
    job = folder / str(number)
    (job / ".hydra").mkdir(parents=True)
    listed = "".join(f"- {override}\n" for override in overrides) or "[]\n"
    (job / ".hydra" / "overrides.yaml").write_text(listed)
    if error is not None:
        (job / "error.txt").write_text(error)
    if score is not None:
        heads = {
            head: {m: {"value": score, "low": None, "high": None} for m in METRICS}
            for head in HEADS
        }
        metrics = {"threshold": 0.25, "splits": {"val": heads, "test": heads}, "notes": notes}
        (job / "metrics.json").write_text(json.dumps(metrics))


@pytest.fixture
def sweep(tmp_path):
    """Eleven jobs over learning rate and seed; job 4 failed."""
    for number in range(11):
        lr, seed = ("1e-4", "1e-3", "1e-2")[number % 3], number // 3
        overrides = ["+experiment=joint", f"optim.lr={lr}", f"seed={seed}"]
        if number == 4:
            add_job(tmp_path, number, overrides, error="optim.lr must be positive\nmore\n")
        else:
            add_job(tmp_path, number, overrides, score=0.5 + number / 100)
    (tmp_path / "notes").mkdir()
    (tmp_path / "multirun.yaml").write_text("")
    return tmp_path


def test_rows_stand_in_numeric_order_with_their_overrides(sweep):
    table = read_sweep(sweep)
    assert table["job"].tolist() == list(range(11))
    assert table["experiment"].unique().tolist() == ["joint"]
    assert table["optim.lr"].tolist()[:3] == [1e-4, 1e-3, 1e-2]


def test_scores_and_threshold_are_read(sweep):
    row = read_sweep(sweep).iloc[7]
    assert row["status"] == "done"
    assert row["threshold"] == 0.25
    for split in ("val", "test"):
        for head in HEADS:
            for metric in METRICS:
                assert row[f"{split}_{head}_{metric}"] == pytest.approx(0.57)


def test_notes_of_the_jobs_stand_at_the_end(tmp_path):
    add_job(tmp_path, 0, ["a=1"], error="boom")
    add_job(tmp_path, 1, ["a=2", "b=1"], score=0.5, notes=["one class", "no threshold"])
    table = write_sweep(tmp_path)
    assert list(table)[:6] == ["job", "a", "b", "status", "error", "threshold"]
    assert list(table)[-1] == "notes"
    assert table["notes"].tolist() == ["", "one class; no threshold"]


def test_a_run_without_a_threshold_has_its_row(tmp_path):
    add_job(tmp_path, 0, ["a=1"], score=0.5)
    path = tmp_path / "0" / "metrics.json"
    path.write_text(json.dumps({"threshold": None, "splits": {}}))
    add_job(tmp_path, 1, ["a=2"], score=0.5)
    assert write_sweep(tmp_path)["threshold"].isna().tolist() == [True, False]


def test_a_failed_job_keeps_its_row_and_the_first_line_of_its_error(sweep):
    row = read_sweep(sweep).iloc[4]
    assert row["status"] == "failed"
    assert row["error"] == "optim.lr must be positive"
    assert np.isnan(row["test_fused_f1"])


def test_a_job_that_left_no_word_has_failed(tmp_path):
    add_job(tmp_path, 0, ["seed=1"])
    row = read_sweep(tmp_path).iloc[0]
    assert row["status"] == "failed"
    assert row["error"]


def test_a_value_may_contain_an_equals_sign(tmp_path):
    add_job(tmp_path, 0, ["data.seq_dirs=[/a=b]"], score=0.5)
    assert read_sweep(tmp_path).loc[0, "data.seq_dirs"] == "[/a=b]"


def test_the_figure_is_over_the_swept_key_and_counts_failures(sweep):
    axes = sweep_figure(read_sweep(sweep)).axes[0]
    assert axes.get_xlabel() == "optim.lr"
    assert "1 failed" in axes.get_title() + axes.get_title(loc="left")


def test_the_drawn_means_are_the_means(sweep):
    table = read_sweep(sweep)
    axes = sweep_figure(table).axes[0]
    expected = table.groupby("optim.lr")["test_fused_average_precision"].mean().to_numpy()
    drawn = [container.lines[0].get_ydata() for container in axes.containers]
    assert any(np.allclose(line, expected) for line in drawn)


def test_bars_of_a_score_end_at_zero_and_one(tmp_path):
    for number, score in enumerate((1.0, 0.7, 1.0, 0.0, 0.2, 0.0)):
        add_job(tmp_path, number, [f"a={number // 3}", f"seed={number}"], score=score)
    axes = sweep_figure(read_sweep(tmp_path)).axes[0]
    ends = [
        point[1]
        for container in axes.containers
        for line in container.lines[2]
        for segment in line.get_segments()
        for point in segment
    ]
    assert (min(ends), max(ends)) == (0, 1)


def test_heads_stand_beside_their_value_on_a_logarithmic_axis_too(sweep):
    axes = sweep_figure(read_sweep(sweep)).axes[0]
    assert axes.get_xscale() == "log"
    for container in axes.containers:
        drawn = np.asarray(container.lines[0].get_xdata(), dtype=float)
        np.testing.assert_allclose(drawn, [1e-4, 1e-3, 1e-2], rtol=0.05)


@pytest.mark.parametrize("key", ["data.split.leave_out", "data.split.fold", "seed"])
def test_the_figure_is_over_what_changes_not_over_what_repeats(tmp_path, key):
    for number in range(6):
        add_job(tmp_path, number, [f"optim.lr={number % 2}", f"{key}={number // 2}"], score=0.5)
    assert sweep_figure(read_sweep(tmp_path)).axes[0].get_xlabel() == "optim.lr"


@pytest.mark.parametrize(
    "jobs",
    [
        [(["seed=0"], 0.5)],
        [([], 0.5)],
        [(["seed=0"], 0.5), (["seed=1"], 0.6)],
        [(["a=[x,y]"], 0.5), (["a=z"], 0.6)],
        [(["a=true"], 0.5), (["a=1"], 0.6), (["a=x"], None)],
        [(["a=1"], None), (["a=2"], None)],
        [(["a=1"], 0.5), (["b=2"], 0.6)],
    ],
    ids=["one job", "no override", "seeds", "words", "mixed", "all failed", "different keys"],
)
def test_any_sweep_is_written(tmp_path, jobs):
    for number, (overrides, score) in enumerate(jobs):
        add_job(tmp_path, number, overrides, score=score, error=None if score else "boom")
    table = write_sweep(tmp_path)
    assert len(pd.read_csv(tmp_path / "sweep.csv")) == len(table) == len(jobs)
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part"))
