import numpy as np

from nightsift.metrics.calibration import reliability


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
