from __future__ import annotations

import numpy as np
import pytest

from nightsift.look.statistics import quick_median, quick_sigma, robust_sigma


@pytest.mark.parametrize("sigma", [quick_sigma, robust_sigma])
def test_a_sigma_is_that_of_the_bulk(sigma):
    values = np.random.default_rng(0).normal(100, 7, 20_000)
    values[:2000] = 1e6
    assert sigma(values) == pytest.approx(7, rel=0.2)
    assert sigma(values[2000:]) == pytest.approx(7, rel=0.02)
    # About zero the hundred itself is what deviates.
    assert sigma(values[2000:], 0.0) == pytest.approx(148, rel=0.02)


def test_quick_and_exact_differ_by_the_two_middle_values():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    assert quick_median(values) == 4
    assert quick_sigma(values) == pytest.approx(1.4826 * 3)
    assert robust_sigma(values) == pytest.approx(1.4826 * 1.5)


def test_medians_along_an_axis():
    values = np.random.default_rng(1).normal(0, 1, (5, 7))
    np.testing.assert_array_equal(quick_median(values, 0), np.median(values, axis=0))
    np.testing.assert_array_equal(quick_median(values, 1), np.median(values, axis=1))
