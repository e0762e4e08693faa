from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from nightsift.metrics.bootstrap import score_table
from nightsift.metrics.threshold import DEFAULT_THRESHOLD, is_bad
from nightsift.models.fusion import HEADS
from nightsift.report.candidates import print_candidates
from nightsift.report.night import print_sorted
from nightsift.report.run import print_verdicts, report_run

NO_CHOICE = {"threshold": DEFAULT_THRESHOLD, "note": "default: only bad frames are labelled"}


def predictions(*, test_good: bool = True) -> pd.DataFrame:
    """A validation and a test night of 20 frames, every third bad."""
    rng = np.random.default_rng(0)
    bad = np.tile(np.arange(20) % 3 == 0, 2)
    prob = np.clip(0.2 + 0.6 * bad + rng.normal(0, 0.1, 40), 0, 1)
    split = np.repeat(["val", "test"], 20)
    label = np.where(bad, 1.0, np.where((split == "test") & (not test_good), np.nan, 0.0))
    return pd.DataFrame(
        {
            "file": [f"f{i}.fits" for i in range(40)],
            "prob_bad": prob,
            "label": label,
            "prob_frame": prob,
            "prob_seq": prob,
            "night": np.repeat(["night[/1]", "night:moon:"], 20),
            "time": "",
            "split": split,
            "reason": "",
        }
    )


def judged(table: pd.DataFrame, threshold: float) -> pd.DataFrame:
    return table.assign(pred=is_bad(table["prob_bad"], threshold).astype(int))


def run(folder, table, threshold, choice):
    splits = {
        split: {
            head: score_table(part[column], part["label"], part["night"], threshold, resamples=50)
            for head, column in HEADS.items()
        }
        for split, part in table.groupby("split")
    }
    level = None if np.isnan(threshold) else threshold
    metrics = {"threshold": level, "splits": splits, "threshold_choice": choice}
    return report_run(folder, judged(table, threshold), metrics)


def test_what_cannot_be_quoted_is_said_in_the_table_and_in_the_file(tmp_path, capsys):
    written = run(tmp_path, predictions(test_good=False), 0.5, NO_CHOICE)
    printed = capsys.readouterr().out
    data = json.loads((tmp_path / "metrics.json").read_text())
    assert data == written
    assert list(data)[-1] == "notes"
    assert len(data["notes"]) == 2
    for note in data["notes"]:
        assert f"note: {note}" in printed
    assert "only bad frames are labelled" in data["notes"][0]
    assert "7 bad and 0 good" in data["notes"][1]
    assert "the one to quote" not in printed


def test_a_test_with_both_classes_is_the_one_to_quote(tmp_path, capsys):
    assert run(tmp_path, predictions(), 0.5, {"threshold": 0.5, "note": ""})["notes"] == []
    printed = capsys.readouterr().out
    assert "test is the one to quote" in printed
    assert "note:" not in printed


def test_no_threshold_is_no_obstacle(tmp_path, capsys):
    written = run(tmp_path, predictions(), float("nan"), {})
    printed = capsys.readouterr().out
    assert "threshold of the fused probability: none" in printed
    assert "note: no threshold was chosen" in printed
    assert written["splits"]["test"]["fused"]["f1"]["value"] is None
    assert written["splits"]["test"]["fused"]["auroc"]["value"] > 0.9
    assert len(list((tmp_path / "figures").glob("*.png"))) == 4


def test_names_of_nights_are_printed_as_they_are(capsys):
    print_verdicts(judged(predictions(), 0.5))
    printed = capsys.readouterr().out
    assert "night[/1]" in printed
    assert "night:moon:" in printed


def loose(n: int) -> tuple[pd.DataFrame, set[str]]:
    """Two nights around `n` loose frames, each of them a night by name."""
    names = [f"mixed.{i}" for i in range(n)]
    night = ["first"] * 5 + names + ["last"] * 3
    table = pd.DataFrame(
        {
            "file": [f"f{i}.fits" for i in range(len(night))],
            "index": range(len(night)),
            "prob_bad": 0.5,
            "pred": [int(name == "last" or name in names[:4]) for name in night],
            "night": night,
            "reason": "cloud",
            "explanation": "",
            "error": "",
            "candidate_score": 0.5,
        }
    )
    table["flag_any"] = table["pred"]
    table["verdict"] = np.where(table["pred"] == 1, "bad", "good")
    return table, set(names)


@pytest.mark.parametrize("show", [print_verdicts, print_sorted, print_candidates])
def test_mixed_frames_are_one_row(show, capsys):
    table, mixed = loose(160)
    show(table, mixed)
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("│")
    ]
    by_name = {row[0]: row[1:] for row in rows if len(row) in (4, 7)}
    assert list(by_name) == ["first", "last", "mixed frames"]
    assert by_name["mixed frames"][0] == "160"
    assert "4" in by_name["mixed frames"]


@pytest.mark.parametrize("show", [print_verdicts, print_sorted, print_candidates])
def test_more_nights_than_rows_are_counted_without_the_mixed_frames(show, capsys):
    table, mixed = loose(160)
    show(table, [])
    assert "and 138 more nights in the CSV" in capsys.readouterr().out
    show(table, sorted(mixed)[:150])
    assert "more nights" not in capsys.readouterr().out
