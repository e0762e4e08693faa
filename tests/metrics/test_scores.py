import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_average_precision,
    binary_calibration_error,
)

from nightsift.metrics.calibration import reliability
from nightsift.metrics.scores import binary_scores

CLOSE = {"rel": 0, "abs": 1e-9}


def sample(seed, n=300):
    """Scores on a grid of 0.02, so that most are tied."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.3).astype(float)
    prob = np.clip(rng.normal(0.35 + 0.25 * label, 0.2), 0.01, 0.97)
    return np.round(prob * 50) / 50 + 0.001, label, rng.integers(0, 4, n).astype(float)


def by_sklearn(prob, label, threshold, weight):
    pred, args = prob >= threshold, {"sample_weight": weight}
    fpr, tpr, _ = sk.roc_curve(label, prob, drop_intermediate=False, **args)
    return {
        "accuracy": sk.accuracy_score(label, pred, **args),
        "precision": sk.precision_score(label, pred, **args),
        "recall": sk.recall_score(label, pred, **args),
        "f1": sk.f1_score(label, pred, **args),
        "auroc": sk.roc_auc_score(label, prob, **args),
        "average_precision": sk.average_precision_score(label, prob, **args),
        "recall_at_1pct_false_rejection": tpr[fpr <= 0.01 + 1e-12].max(),
        "brier": sk.brier_score_loss(label, prob, **args),
        "n": weight.sum(),
        "n_bad": (weight * label).sum(),
        "n_good": (weight * (1 - label)).sum(),
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_agree_with_scikit_learn(seed, weighted):
    prob, label, weight = sample(seed)
    weight = weight if weighted else np.ones(len(prob))
    ours = binary_scores(prob, label, 0.5, weights=weight if weighted else None)
    expected = by_sklearn(prob, label, 0.5, weight)
    assert {k: float(ours[k]) for k in expected} == pytest.approx(expected, **CLOSE)


@pytest.mark.parametrize("seed", range(4))
def test_scores_agree_with_torchmetrics(seed):
    """To 1e-6: torchmetrics adds up in single precision."""
    prob, label, _ = sample(seed)
    probs, target = torch.from_numpy(prob), torch.from_numpy(label).long()
    ours = binary_scores(prob, label, 0.5)
    assert float(ours["auroc"]) == pytest.approx(float(binary_auroc(probs, target)), abs=1e-6)
    assert float(ours["average_precision"]) == pytest.approx(
        float(binary_average_precision(probs, target)), abs=1e-6
    )
    assert float(ours["expected_calibration_error"]) == pytest.approx(
        float(binary_calibration_error(probs, target, n_bins=15)), abs=1e-6
    )


def test_rows_of_weights_equal_repeated_frames():
    prob, label, _ = sample(9, n=80)
    weights = np.random.default_rng(9).integers(0, 3, (6, 80))
    together = binary_scores(prob, label, 0.4, weights=weights)
    for row, counts in enumerate(weights):
        alone = binary_scores(np.repeat(prob, counts), np.repeat(label, counts), 0.4)
        for name, values in together.items():
            assert values.shape == (6,)
            assert values[row] == pytest.approx(float(alone[name]), **CLOSE), name


def test_chunks_of_resamples_change_nothing(monkeypatch):
    prob, label, _ = sample(3, n=50)
    weights = np.random.default_rng(3).integers(0, 3, (40, 50))
    whole = binary_scores(prob, label, 0.5, weights=weights)
    monkeypatch.setattr("nightsift.metrics.scores._BLOCK", 120)
    for name, values in binary_scores(prob, label, 0.5, weights=weights).items():
        np.testing.assert_allclose(values, whole[name], rtol=0, atol=1e-12)


def test_calibration_error_is_that_of_the_reliability_diagram():
    prob, label, _ = sample(5)
    bins = reliability(prob, label)
    used = bins.counts > 0
    gap = np.abs(bins.mean_prob - bins.bad_fraction)[used] * bins.counts[used]
    error = binary_scores(prob, label, 0.5)["expected_calibration_error"]
    assert float(error) == pytest.approx(gap.sum() / len(prob), **CLOSE)


@pytest.mark.parametrize(
    ("label", "undefined"),
    [
        ([0, 0, 0], {"recall", "auroc", "average_precision", "recall_at_1pct_false_rejection"}),
        ([1, 1, 1], {"auroc", "recall_at_1pct_false_rejection"}),
    ],
)
def test_undefined_scores_are_nan(label, undefined):
    scores = binary_scores([0.2, 0.4, 0.6], label, 0.5)
    assert undefined <= {name for name, value in scores.items() if np.isnan(value)}
    assert not np.isnan(scores["brier"])


def test_precision_is_nan_where_nothing_is_rejected():
    assert np.isnan(binary_scores([0.1, 0.2], [0, 1], 0.5)["precision"])


def test_three_in_three_hundred_is_one_percent():
    """0.01 has no exact binary form; the limit is inclusive all the same."""
    prob = np.concatenate([np.full(3, 0.9), np.full(297, 0.1), [0.5]])
    label = np.append(np.zeros(300), 1)
    assert binary_scores(prob, label, 0.5)["recall_at_1pct_false_rejection"] == 1


def test_verdicts_of_several_thresholds_are_taken_as_they_are():
    prob, label, _ = sample(7)
    thresholds = np.where(np.arange(len(prob)) % 2, 0.3, 0.6)
    pred = prob >= thresholds
    ours = binary_scores(prob, label, float("nan"), pred=pred)
    assert float(ours["accuracy"]) == pytest.approx(sk.accuracy_score(label, pred), **CLOSE)
    assert float(ours["precision"]) == pytest.approx(sk.precision_score(label, pred), **CLOSE)
    assert float(ours["recall"]) == pytest.approx(sk.recall_score(label, pred), **CLOSE)
    assert float(ours["f1"]) == pytest.approx(sk.f1_score(label, pred), **CLOSE)
    one = binary_scores(prob, label, 0.5)
    assert binary_scores(prob, label, 0.2, pred=prob >= 0.5) == one
    for name in ("auroc", "average_precision", "brier"):
        assert ours[name] == one[name]


def test_without_a_threshold_what_needs_one_is_undefined():
    prob, label, _ = sample(2)
    scores = binary_scores(prob, label, float("nan"), weights=np.ones((2, len(prob))))
    undefined = {name for name, values in scores.items() if np.isnan(values).any()}
    assert undefined == {"accuracy", "precision", "recall", "f1"}
