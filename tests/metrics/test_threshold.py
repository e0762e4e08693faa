import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.metrics.threshold import DEFAULT_THRESHOLD, Objective, choose_threshold, is_bad

NAN = float("nan")
F1, LIMIT, COST = (Objective(name=name) for name in ("f1", "max_false_rejection", "cost"))


def test_is_bad_includes_the_threshold_and_keeps_nan():
    assert is_bad([0.49, 0.5, 0.51, NAN], 0.5).tolist() == [False, True, True, False]


def test_is_bad_compares_float32_scores_in_double_precision():
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    middle = (float(low) + float(high)) / 2
    assert is_bad(np.array([low, high]), middle).tolist() == [False, True]


@pytest.mark.parametrize(
    "settings", [{"name": "best"}, {"max_false_rejection": 1.5}, {"cost_ratio": 0}]
)
def test_an_objective_out_of_range_is_refused(settings):
    with pytest.raises(NightsiftError, match=r"^calibration"):
        Objective(**{"name": "f1", **settings})


@pytest.mark.parametrize(
    ("prob", "label", "objective", "threshold", "value"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], F1, 0.5, 1.0),
        ([0.2, 0.4, 0.6, 0.8], [0, 1, 0, 1], F1, 0.3, 0.8),
        # One or three rejected frames cost the same: one is.
        ([0.1, 0.2, 0.4, 0.8], [0, 1, 0, 1], Objective(name="cost", cost_ratio=1.0), 0.6, 0.25),
        ([0.2, 0.4, 0.6, 0.8], [0, 1, 0, 1], LIMIT, 0.7, 0.5),
        ([0.2, 0.4, 0.6, 0.8], [0, 1, 0, 1], COST, 0.7, 0.25),
        (
            [0.2, 0.4, 0.6, 0.8],
            [0, 1, 0, 1],
            Objective(name="max_false_rejection", max_false_rejection=0.5),
            0.3,
            1.0,
        ),
        # Unlabelled frames and frames without a score change nothing.
        ([0.1, 0.9, 0.5, 0.5, NAN], [0, 1, -1, NAN, 1], F1, 0.5, 1.0),
    ],
)
def test_known_best_thresholds(prob, label, objective, threshold, value):
    choice = choose_threshold(prob, label, objective)
    assert choice.threshold == pytest.approx(threshold)
    assert choice.value == pytest.approx(value)
    assert choice.note == ""


@pytest.mark.parametrize("objective", [F1, LIMIT, COST])
@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_does_better(objective, seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, 60)
    prob = np.clip(rng.normal(0.4 + 0.2 * label, 0.2), 0, 1).round(2)

    def gain(threshold):
        rejected = prob >= threshold
        tp, fp = np.sum(rejected & (label == 1)), np.sum(rejected & (label == 0))
        if objective.name == "f1":
            return 2 * tp / (rejected.sum() + label.sum())
        if objective.name == "cost":
            return -(5 * fp + label.sum() - tp) / len(label)
        return tp / label.sum() if fp / np.sum(label == 0) <= 0.01 else -1.0

    choice = choose_threshold(prob, label, objective)
    best = max(gain(threshold) for threshold in np.linspace(-0.005, 1.005, 102))
    assert gain(choice.threshold) == pytest.approx(best)
    assert abs(choice.value) == pytest.approx(abs(best))
    assert choice.false_rejection == np.mean((prob >= choice.threshold)[label == 0])
    assert choice.recall == np.mean((prob >= choice.threshold)[label == 1])


def test_the_limit_itself_is_allowed():
    prob = np.linspace(0, 0.99, 100)
    label = np.zeros(100)
    prob, label = np.append(prob, 0.985), np.append(label, 1)
    assert choose_threshold(prob, label, LIMIT).false_rejection == 0.01


def test_rejecting_nothing_works_when_a_good_frame_scores_one():
    choice = choose_threshold([1.0, 0.9, 0.1], [0, 1, 1], LIMIT)
    assert choice.recall == 0
    assert not is_bad(1.0, choice.threshold)


def test_neighbouring_floats_are_still_separated():
    low = 0.7
    high = float(np.nextafter(low, 1))
    choice = choose_threshold([low, high], [0, 1], F1)
    assert is_bad([low, high], choice.threshold).tolist() == [False, True]


@pytest.mark.parametrize(
    ("prob", "label", "objective"),
    [
        ([], [], F1),
        ([0.2, 0.8], [-1, NAN], LIMIT),
        ([NAN, NAN], [0, 1], COST),
        ([0.2, 0.8], [1, 1], LIMIT),
        ([0.2, 0.8], [0, 0], F1),
        ([0.2, 0.8], [0, 0], COST),
        ([0.3, 0.3, 0.3], [0, 1, 1], F1),
    ],
)
def test_nothing_to_tune_on_gives_the_default_and_says_so(prob, label, objective):
    choice = choose_threshold(prob, label, objective)
    assert choice.threshold == DEFAULT_THRESHOLD == 0.5
    assert choice.note


def test_good_frames_suffice_for_a_limit_on_false_rejection():
    prob = np.linspace(0, 0.99, 100)
    choice = choose_threshold(prob, np.zeros(100), LIMIT)
    assert choice.threshold == pytest.approx(0.985)
    assert choice.false_rejection == 0.01
    assert choice.recall is None
    assert (choice.n_good, choice.n_bad) == (100, 0)
