from __future__ import annotations

import numpy as np
import pytest

from nightsift.night.photometry import Entries, median_polish, weighted_medians


def table(frames: int, stars: int, seed: int = 0) -> tuple[Entries, np.ndarray]:
    """Log fluxes of all stars in all frames with 1 % errors, and the true frame terms."""
    rng = np.random.default_rng(seed)
    frame, star = np.divmod(np.arange(frames * stars), stars)
    terms = -0.2 * np.linspace(0, 1, frames) ** 2
    flux = terms[frame] + rng.uniform(5, 10, stars)[star] + rng.normal(0, 0.01, len(frame))
    return Entries(frame, star, star, flux, np.ones(len(frame))), terms


def test_a_variable_star_or_a_transit_moves_no_frame():
    entries, truth = table(40, 12)
    changed = entries.flux.copy()
    changed[(entries.star == 3) & (entries.frame > 15)] -= 1.5
    changed[(entries.star == 5)] += np.sin(entries.frame[entries.star == 5])
    plain = median_polish(entries, 40, 12)[0]
    varied = median_polish(entries._replace(flux=changed), 40, 12)[0]
    assert varied - varied[0] == pytest.approx(plain - plain[0], abs=0.02)
    assert plain - plain[0] == pytest.approx(truth, abs=0.025)


def test_a_third_of_the_night_behind_cloud_moves_no_star():
    entries, truth = table(45, 20)
    cloudy = entries.flux - 0.7 * (entries.frame >= 30)
    terms = median_polish(entries._replace(flux=cloudy), 45, 20)[0]
    assert (terms - terms[0])[:30] == pytest.approx(truth[:30], abs=0.02)
    assert (terms - terms[0])[30:] == pytest.approx(truth[30:] - 0.7, abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_medians_are_medians(seed):
    rng = np.random.default_rng(seed)
    values, group = rng.normal(0, 1, 60), rng.integers(0, 7, 60)
    got = weighted_medians(values, np.ones(60), group, 8)
    expected = [np.median(values[group == i]) for i in range(7)]
    assert got[:7] == pytest.approx(expected)
    assert np.isnan(got[7])


def test_weight_decides():
    got = weighted_medians(
        np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 5.0]), np.zeros(3, int), 1
    )
    assert got == pytest.approx([9.0])
