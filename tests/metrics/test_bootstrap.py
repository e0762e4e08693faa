import json

import numpy as np
import pytest

from nightsift.metrics.bootstrap import score_table
from nightsift.metrics.scores import binary_scores


def nights(seed=0, n_nights=8, frames=40):
    """Nights that differ far more than their frames do."""
    rng = np.random.default_rng(seed)
    group = np.repeat([f"night{i}" for i in range(n_nights)], frames)
    label = (rng.random(n_nights * frames) < 0.3).astype(float)
    hard = np.repeat(rng.random(n_nights) < 0.5, frames)
    prob = np.clip(np.where(hard, 0.5, 0.2 + 0.6 * label) + rng.normal(0, 0.05, len(label)), 0, 1)
    return prob, label, group


def test_values_are_those_of_the_sample_and_lie_in_their_intervals():
    prob, label, group = nights()
    table = score_table(prob, label, group, 0.5, resamples=300)
    expected = binary_scores(prob, label, 0.5)
    assert table["interval_over"] == "nights"
    for name, value in expected.items():
        assert table[name]["value"] == pytest.approx(float(value))
        if name.startswith("n"):
            assert isinstance(table[name]["value"], int)
        else:
            assert 0 <= table[name]["low"] <= table[name]["high"] <= 1


def test_whole_nights_give_wider_intervals_than_frames():
    prob, label, group = nights()
    by_night = score_table(prob, label, group, 0.5, resamples=300)["auroc"]
    by_frame = score_table(prob, label, np.zeros(len(prob)), 0.5, resamples=300)["auroc"]
    assert by_night["high"] - by_night["low"] > 2 * (by_frame["high"] - by_frame["low"])


def test_identical_nights_leave_nothing_uncertain():
    prob, label = np.tile([0.1, 0.4, 0.3, 0.9], 5), np.tile([0, 0, 1, 1], 5)
    table = score_table(prob, label, np.repeat(np.arange(5), 4), 0.5, resamples=50)
    for name, entry in table.items():
        if name != "interval_over" and entry["low"] is not None:
            assert entry["low"] == pytest.approx(entry["value"])
            assert entry["high"] == pytest.approx(entry["value"])


def test_the_frame_interval_has_the_binomial_width():
    prob = np.full(1000, 0.9)
    prob[:300] = 0.1
    entry = score_table(prob, np.ones(1000), ["n"] * 1000, 0.5, resamples=2000)["recall"]
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert entry["low"] == pytest.approx(0.7 - half, abs=0.006)
    assert entry["high"] == pytest.approx(0.7 + half, abs=0.006)


def test_one_labelled_night_falls_back_to_frames():
    label = [0, 1, 0, 1, -1, float("nan")]
    table = score_table([0.1, 0.9, 0.4, 0.6, 0.5, 0.5], label, list("aaaabb"), 0.5, resamples=20)
    assert table["interval_over"] == "frames"
    assert table["n"]["value"] == 4


def test_the_seed_decides():
    prob, label, group = nights()
    first, same, other = (
        score_table(prob, label, group, 0.5, resamples=50, seed=seed) for seed in (1, 1, 2)
    )
    assert first == same
    assert first != other


@pytest.mark.parametrize("label", [[0, 0, 0, 0], [1, 1, 1, 1], [-1, -1, -1, -1], [0, 0, 0, 1]])
def test_undefined_scores_are_null_in_strict_json(label):
    table = score_table([0.1, 0.2, 0.3, 0.4], label, list("aabb"), 0.5, resamples=20)
    json.dumps(table, allow_nan=False)
    assert table["precision"]["value"] is None


def test_verdicts_are_drawn_with_their_frames():
    prob, label, group = nights()
    by_threshold = score_table(prob, label, group, 0.5, resamples=100)
    label[::7] = -1
    prob[::5] = np.nan
    pred = np.where(np.isnan(prob), np.nan, prob >= 0.5)
    known = ~np.isnan(prob) & (label >= 0)
    first = score_table(prob, label, group, 0.1, pred=pred, resamples=100)
    second = score_table(prob[known], label[known], group[known], 0.5, resamples=100)
    assert first == second
    assert first != by_threshold
