"""From a folder to a table of verdicts, whatever stands in its label tables."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nightsift import judge
from nightsift.training.evaluation import COLUMNS

OURS = [*COLUMNS, "verdict", "explanation"]


@pytest.fixture
def night(make_night) -> Path:
    folder = make_night("n", n=8)
    (folder / "broken.fits").write_bytes(b"SIMPLE")
    return folder


@pytest.mark.parametrize("value", ["", "0.5", "high"])
def test_a_table_of_predictions_may_serve_as_label_table(night, value):
    """Its own words are not mistaken for ours, neither of frames nor of unreadable files."""
    columns = ["file", "label", "prob_bad", "prob_seq", "pred", "verdict", "explanation", "seeing"]
    files = [*(f"f{i + 1}.fits" for i in range(8)), "broken.fits"]
    rows = [[file, "good", *[value] * 3, "dubious", "because", "2.1"] for file in files]
    with (night / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])
    table = judge(night).table
    assert list(table) == [*OURS, "seeing", "series"]
    assert set(table["seeing"]) == {"2.1"}
    assert set(table["verdict"]) <= {"good", "review", "bad", ""}
    broken = table[table["file"].str.endswith("broken.fits")]
    assert broken[["prob_bad", "prob_frame", "prob_seq", "pred"]].isna().all(axis=None)
    assert broken["label"].tolist() == [0]
    assert broken["verdict"].tolist() == [""]
