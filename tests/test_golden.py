"""What shipped weights say of committed frames.

`golden/` holds two simulated nights; `golden/verdicts.csv` what `predict` said of them. Neither
the order nor the limits of rules may change a probability: the specification on the card of the
weights says what they are given.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nightsift
from nightsift.api import Judged
from nightsift.heuristics.rules import RULES
from nightsift.models.locate import PRETRAINED
from nightsift.models.weights import load_weights, save_weights

GOLDEN = Path(__file__).parent / "golden"
PROBABILITIES = ["prob_frame", "prob_seq", "prob_bad"]
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def expected() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "verdicts.csv", keep_default_na=False).set_index("file")


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def by_file(judged: Judged) -> pd.DataFrame:
    names = [Path(file).relative_to(GOLDEN).as_posix() for file in judged.table["file"]]
    return judged.table.set_axis(names)


def largest_difference(table: pd.DataFrame, expected: pd.DataFrame) -> float:
    assert list(table.index) == list(expected.index)
    return float(np.abs(table[PROBABILITIES] - expected[PROBABILITIES]).to_numpy().max())


def test_the_golden_frames_are_worth_judging(expected):
    assert len(expected) == len(list(GOLDEN.rglob("*.fz"))) == 28
    assert expected["verdict"].value_counts().to_dict() == {"good": 17, "bad": 8, "review": 3}
    assert expected["reason"].nunique() >= 6


def test_probabilities_verdicts_and_reasons_are_what_they_were(expected, cache):
    table = by_file(nightsift.judge(GOLDEN, cache_dir=cache))
    assert largest_difference(table, expected) < TOLERANCE
    assert table["verdict"].to_dict() == expected["verdict"].to_dict()
    assert table["reason"].to_dict() == expected["reason"].to_dict()


def test_other_rules_change_no_probability(expected, cache, monkeypatch):
    """Reordered, two limits tuned, one rule gone: inputs made of today's rules would shift."""
    plain = by_file(nightsift.judge(GOLDEN, cache_dir=cache))
    rules = dict(reversed(list(RULES.items())))
    for name, factor in (
        ("severity_streak_streak_significance_level", 0.02),
        ("severity_cloud_transparency_slow", 0.1),
    ):
        rules[name] = replace(rules[name], limit=factor * rules[name].limit)
    del rules["severity_trailing_trail_slow"]
    monkeypatch.setattr(RULES, "_entries", rules)
    table = by_file(nightsift.judge(GOLDEN, cache_dir=cache))
    pd.testing.assert_frame_equal(table[PROBABILITIES], plain[PROBABILITIES], check_exact=True)
    assert largest_difference(table, expected) < TOLERANCE
    # The rules in force are the others: they still name the reasons.
    assert table["reason"].to_dict() != expected["reason"].to_dict()


def other_inputs(how: str) -> dict:
    """The inputs of the shipped card as an implementation would give them that reads the rules."""
    inputs = load_weights(PRETRAINED).card.inputs
    columns = list(inputs["columns"])
    if how == "reordered":
        severities = [column for column in columns if column["kind"] == "severity"]
        columns = [*severities[::-1], *columns[len(severities) :]]
    else:
        for place in (0, 2):
            rule = {**columns[place]["rule"], "limit": 0.1 * columns[place]["rule"]["limit"]}
            columns[place] = {**columns[place], "rule": rule}
    return {**inputs, "columns": columns}


@pytest.mark.parametrize("how", ["reordered", "tuned"])
def test_the_golden_frames_would_show_it(expected, cache, tmp_path, how):
    """Inputs in another order or with other limits give other probabilities on these frames."""
    loaded = load_weights(PRETRAINED)
    card = replace(loaded.card, inputs=other_inputs(how))
    save_weights(tmp_path / "weights.pt", loaded.model, card)
    table = by_file(nightsift.judge(GOLDEN, ckpt=tmp_path / "weights.pt", cache_dir=cache))
    assert largest_difference(table, expected) > 10 * TOLERANCE


def test_probabilities_do_not_depend_on_where_the_night_lies(expected, tmp_path):
    """Nor on what else is judged with it, nor on what a cache holds."""
    shutil.copytree(GOLDEN / "toi-002", tmp_path / "other name" / "night")
    judged = nightsift.judge(tmp_path / "other name", workers=1)
    own = expected[expected.index.str.startswith("toi-002")]
    assert [Path(file).name for file in judged.table["file"]] == [Path(f).name for f in own.index]
    np.testing.assert_allclose(judged.table[PROBABILITIES], own[PROBABILITIES], atol=TOLERANCE)
    assert judged.table["verdict"].tolist() == own["verdict"].tolist()
