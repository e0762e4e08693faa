from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from nightsift.metrics.calibration import (
    fit_temperature,
    lower_bound,
    prior_shift,
    reliability,
    review_bound,
)


def test_counts_means_and_fractions_by_hand():
    bins = reliability([0.1, 0.3, 0.9, 0.7], [0, 1, 1, 0], bins=2)
    assert bins.edges.tolist() == [0, 0.5, 1]
    assert bins.counts.tolist() == [2, 2]
    np.testing.assert_allclose(bins.mean_prob, [0.2, 0.8])
    np.testing.assert_allclose(bins.bad_fraction, [0.5, 0.5])


def test_zero_and_one_are_inside_and_empty_bins_are_nan():
    bins = reliability([0.0, 1.0], [0, 1], bins=4)
    assert bins.counts.tolist() == [1, 0, 0, 1]
    assert np.isnan(bins.bad_fraction[1:3]).all()


def test_a_calibrated_classifier_lies_on_the_diagonal():
    rng = np.random.default_rng(0)
    prob = rng.random(60_000)
    bins = reliability(prob, rng.random(60_000) < prob)
    np.testing.assert_allclose(bins.bad_fraction, bins.mean_prob, atol=0.03)


def test_edges_belong_to_the_upper_bin():
    """Every k/15 lies in bin k, whatever the rounding of k/15 * 15."""
    prob = np.linspace(0, 1, 16)[:-1]
    assert reliability(prob, np.zeros(15)).counts.tolist() == [1] * 15


def fused(frame: np.ndarray, seq: np.ndarray) -> np.ndarray:
    return 0.8 * frame + 0.2 * seq


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_logits_is_found(true):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 40_000)
    label = rng.random(40_000) < expit(logits)
    found = fit_temperature(true * logits, true * logits, label, fused)
    assert found == pytest.approx(true, rel=0.05)


def test_without_both_classes_there_is_no_temperature():
    assert fit_temperature([1.0, 2.0], [1.0, 2.0], [1, -1], fused) == 1.0


def test_the_shift_moves_the_mean_probability_to_the_prior():
    assert expit(logit(0.25) + prior_shift(0.1, 0.25)) == pytest.approx(0.1)
    assert prior_shift(0.1, 0.0) == 0.0


def test_the_lowest_bad_bound_holds_over_new_nights():
    """Nights differ; the share of missed bad frames of a new night is at most what was asked."""
    rng = np.random.default_rng(0)

    def night() -> np.ndarray:
        return expit(rng.normal(rng.normal(2, 1), 1, int(rng.integers(3, 40))))

    missed = []
    for _ in range(300):
        nights = [night() for _ in range(25)]
        prob = np.concatenate(nights)
        name = np.repeat(np.arange(25), [len(n) for n in nights]).astype(str)
        low = lower_bound(prob, name, 0.1)
        missed.append(np.mean(night() < low))
    assert np.mean(missed) <= 0.1 + 3 * np.std(missed) / np.sqrt(300)
    assert np.mean(missed) > 0.03  # not by saying 0


def test_a_night_of_many_bad_frames_counts_as_one():
    prob = np.r_[np.full(1000, 0.9), np.full(10, 0.2)]
    name = np.r_[np.full(1000, "a"), np.full(10, "b")]
    assert lower_bound(prob, name, 0.05) == 0.2


def test_the_stricter_of_missed_bad_and_looked_at_good_frames_counts():
    good, bad = np.linspace(0, 0.5, 101), np.linspace(0.3, 1, 71)
    prob, label = np.r_[good, bad], np.r_[np.zeros(101), np.ones(71)]
    night = np.full(172, "a")
    assert review_bound(prob, label, night, missed=0.1, looked_at=1.0) == pytest.approx(0.37)
    assert review_bound(prob, label, night, missed=0.1, looked_at=0.1) == pytest.approx(0.45)
    assert review_bound(good, np.zeros(101), night[:101], missed=0.1, looked_at=0.1) is None
