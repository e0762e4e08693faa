"""The share of bad frames of a night: found where it shows, never more than the frames say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from nightsift.metrics.prior import night_share, night_shifts

PRIOR = 0.1


def calibrated(share: float, frames: int, seed: int, *, apart: float = 4.0) -> np.ndarray:
    """Probabilities meant for `PRIOR`, of a night of which `share` is bad.

    Scores of good and bad frames are normal, `apart` times their spread from each other: the
    logit of the probability is then linear in the score, and exactly calibrated.
    """
    rng = np.random.default_rng(seed)
    bad = np.arange(frames) < round(share * frames)
    score = rng.normal(0, 1, frames) + apart * bad
    return expit(apart * (score - apart / 2) + logit(PRIOR))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.3, 0.5, 0.75])
def test_the_share_of_a_long_night_is_found(share):
    found = [
        night_share(calibrated(share, 400, seed), prior=PRIOR, strength=5) for seed in range(5)
    ]
    assert np.median(found) == pytest.approx(share, abs=0.02)
    assert found == pytest.approx(np.full(5, share), abs=0.05)


def test_a_night_with_nothing_bad_is_made_surer_of_it():
    prob = calibrated(0.0, 200, 1, apart=2.5)
    shift = night_shifts(prob, np.zeros(200), prior=PRIOR, strength=10)
    assert (shift < -1).all()


def test_a_night_half_bad_is_believed_and_its_faint_cases_found():
    prob = calibrated(0.5, 200, 2, apart=2.5)
    shifted = expit(logit(prob) + night_shifts(prob, np.zeros(200), prior=PRIOR, strength=10))
    bad = np.arange(200) < 100
    before, after = (np.mean(p[bad] >= 0.5) for p in (prob, shifted))
    assert after > before + 0.05
    assert np.mean(shifted[~bad] >= 0.5) < 0.2


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("frames", [1, 2, 8, 200])
def test_no_night_moves_further_than_its_frames_weigh(value, frames):
    strength = 20.0
    share = night_share(np.full(frames, value), prior=PRIOR, strength=strength)
    low = strength * PRIOR / (frames + strength)
    high = (frames + strength * PRIOR) / (frames + strength)
    assert max(low, 0.002) - 1e-6 <= share <= min(high, 0.8) + 1e-6
    assert (share > PRIOR) == (value > 0.5)


def test_uninformative_frames_and_none_at_all_leave_the_prior():
    assert night_share([], prior=PRIOR, strength=5) == pytest.approx(PRIOR)
    assert night_share([np.nan, np.nan], prior=PRIOR, strength=5) == pytest.approx(PRIOR)
    assert night_share(np.full(300, PRIOR), prior=PRIOR, strength=5) == pytest.approx(PRIOR)


def test_unreadable_frames_change_nothing():
    prob = calibrated(0.3, 50, 3)
    with_holes = np.insert(prob, [0, 20, 50], np.nan)
    assert night_share(with_holes, prior=PRIOR, strength=5) == pytest.approx(
        night_share(prob, prior=PRIOR, strength=5)
    )


def test_the_order_of_frames_and_nights_does_not_matter():
    rng = np.random.default_rng(4)
    prob = np.concatenate([calibrated(0.0, 40, 5), calibrated(0.6, 30, 6), calibrated(0.1, 3, 7)])
    night = np.repeat(["c", "a", "b"], [40, 30, 3])
    order = rng.permutation(len(prob))
    plain = night_shifts(prob, night, prior=PRIOR, strength=8)
    mixed = night_shifts(prob[order], night[order], prior=PRIOR, strength=8)
    np.testing.assert_allclose(mixed, plain[order], atol=1e-9)


def test_nights_are_read_each_by_itself():
    clear, clouded = calibrated(0.0, 40, 5), calibrated(0.6, 30, 6)
    together = night_shifts(
        np.concatenate([clear, clouded]), np.repeat([0, 1], [40, 30]), prior=PRIOR, strength=8
    )
    alone = night_shifts(clouded, np.zeros(30), prior=PRIOR, strength=8)
    np.testing.assert_allclose(together[40:], alone)
    assert together[0] < 0 < together[-1]
    # One number for all frames of a night: their ranking stays.
    assert len(np.unique(together)) == 2


@pytest.mark.parametrize("prior", [0.02, 0.1, 0.4])
def test_even_hard_zeros_and_ones_stay_within_bounds(prior):
    for value, bound in ((0.0, 0.002), (1.0, 0.8)):
        share = night_share(np.full(5000, value), prior=prior, strength=1)
        assert share == pytest.approx(bound, abs=1e-3)
        assert np.isfinite(
            night_shifts(np.full(9, value), np.zeros(9), prior=prior, strength=1)
        ).all()


@pytest.mark.parametrize("prior", [0, 0.0, 1.0])
def test_a_prior_without_odds_gives_numbers(prior):
    prob = calibrated(0.3, 50, 3)
    assert 0 < night_share(prob, prior=prior, strength=5) <= 0.8
    assert np.isfinite(night_shifts(prob, np.zeros(50), prior=prior, strength=5)).all()
