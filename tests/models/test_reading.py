"""How logits are read: temperature, doubt for lone frames, the night's share of bad frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit

from nightsift.metrics.prior import night_shifts
from nightsift.models.card import ModelCard
from nightsift.models.reading import LEAST_COMPARED, Reading
from nightsift.models.scoring import HeadLogits, read_logits

FUSION = {"policy": "weighted", "frame_weight": 0.8}
N = 12


@pytest.fixture
def logits() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(-2, 3, N), rng.normal(-2, 3, N)


def sure(probabilities: np.ndarray) -> np.ndarray:
    return np.abs(probabilities - 0.5)


def test_without_more_it_is_the_sigmoid_fused(logits):
    got = Reading(fusion=FUSION).read(*logits, np.full(N, N - 1), np.zeros(N))
    np.testing.assert_allclose(got.frame, expit(logits[0]))
    np.testing.assert_allclose(got.seq, expit(logits[1]))
    np.testing.assert_allclose(got.fused, 0.8 * got.frame + 0.2 * got.seq)


def test_temperature_and_shift_are_those_of_the_logits(logits):
    got = Reading(fusion=FUSION, temperature=2.0, shift=-0.7).read(
        *logits, np.full(N, N - 1), np.zeros(N)
    )
    np.testing.assert_allclose(got.frame, expit(logits[0] / 2 - 0.7))


def test_a_lone_frame_is_never_surer_than_one_that_was_compared(logits):
    reading = Reading(fusion=FUSION, temperature=1.5, temperature_alone=3.0)
    among = reading.read(*logits, np.full(N, LEAST_COMPARED), np.zeros(N))
    for compared in (0, 1, LEAST_COMPARED - 1):
        alone = reading.read(*logits, np.full(N, compared), np.zeros(N))
        for part, other in zip(alone, among, strict=True):
            assert (sure(part) <= sure(other) + 1e-12).all()
        assert (sure(alone.frame) < sure(among.frame)).all()
        # Doubt makes nobody change sides.
        assert ((alone.frame >= 0.5) == (among.frame >= 0.5)).all()


def test_doubt_is_that_of_each_frame(logits):
    compared = np.where(np.arange(N) % 2, LEAST_COMPARED - 1, LEAST_COMPARED)
    got = Reading(fusion=FUSION, temperature_alone=3.0).read(*logits, compared, np.zeros(N))
    np.testing.assert_allclose(got.frame[0::2], expit(logits[0][0::2]))
    np.testing.assert_allclose(got.frame[1::2], expit(logits[0][1::2] / 3))


def test_the_share_of_bad_frames_is_that_of_each_night(logits):
    night = np.repeat(["a", "b"], [7, 5])
    compared = np.full(N, 6)
    plain = Reading(fusion=FUSION).read(*logits, compared, night)
    moved = Reading(fusion=FUSION, prior=0.1, prior_strength=4.0).read(*logits, compared, night)
    shifts = night_shifts(plain.fused, night, prior=0.1, strength=4.0)
    assert len(np.unique(shifts)) == 2
    np.testing.assert_allclose(moved.frame, expit(logits[0] + shifts))
    np.testing.assert_allclose(moved.seq, expit(logits[1] + shifts))
    np.testing.assert_allclose(moved.fused, 0.8 * moved.frame + 0.2 * moved.seq)


def test_loose_frames_do_not_vouch_for_each_other():
    """Three hundred frames that nothing was compared with are no night of three hundred."""
    frame, seq = np.full(300, -2.5), np.full(300, np.nan)
    reading = Reading(fusion=FUSION, temperature_alone=2.0, prior=0.1, prior_strength=10.0)
    many = reading.read(frame, seq, np.zeros(300), np.zeros(300))
    one = reading.read(frame[:1], seq[:1], np.zeros(1), np.zeros(1))
    np.testing.assert_allclose(many.fused, one.fused[0])
    among = reading.read(frame, seq, np.full(300, 299), np.zeros(300))
    assert (among.fused < many.fused).all()


def test_doubt_leads_to_the_share_that_probabilities_are_meant_for(logits):
    """Beside a shift the doubtful word is the prior, not one half."""
    reading = Reading(fusion=FUSION, temperature_alone=1e6, shift=np.log(0.1 / 0.9))
    got = reading.read(*logits, np.zeros(N), np.zeros(N))
    np.testing.assert_allclose(got.fused, 0.1, atol=1e-4)


@pytest.mark.parametrize("given", [{"prior": 0.1}, {"prior_strength": 5.0}])
def test_one_share_everywhere_without_a_prior_and_its_strength(logits, given):
    reading = Reading(fusion=FUSION, **given)
    got = reading.read(*logits, np.full(N, 6), np.zeros(N))
    np.testing.assert_allclose(got.frame, expit(logits[0]))


def test_frames_without_a_window_are_read_from_the_frame_alone(logits):
    frame, seq = logits[0], logits[1].copy()
    seq[::3] = np.nan
    reading = Reading(fusion=FUSION, temperature_alone=2.0, prior=0.2, prior_strength=5.0)
    got = reading.read(frame, seq, np.arange(N), np.zeros(N))
    assert np.isnan(got.seq[::3]).all()
    np.testing.assert_allclose(got.fused[::3], got.frame[::3])
    assert np.isfinite(got.fused).all()


def test_extreme_logits_give_probabilities():
    frame = np.array([-1e4, 1e4, -50.0, 50.0])
    reading = Reading(fusion=FUSION, prior=0.1, prior_strength=5.0)
    got = reading.read(frame, np.full(4, np.nan), np.zeros(4), np.zeros(4))
    assert np.isfinite(got.fused).all()
    assert ((got.fused >= 0) & (got.fused <= 1)).all()


def test_the_card_says_how_weights_are_read():
    card = ModelCard(
        temperature=1.4, temperature_alone=2.5, logit_shift=-1.0, prior=0.1, prior_strength=20.0
    )
    assert Reading.of(card) == Reading(
        fusion=card.fusion,
        temperature=1.4,
        temperature_alone=2.5,
        shift=-1.0,
        prior=0.1,
        prior_strength=20.0,
    )


def test_heads_of_a_model_are_read_with_and_without_windows(logits):
    frame, seq = (torch.from_numpy(part).float() for part in logits)
    reading, facts = Reading(fusion=FUSION), (np.full(N, 6), np.zeros(N))
    both = read_logits(HeadLogits(frame, seq, torch.empty(N, 0)), reading, *facts)
    np.testing.assert_allclose(both.seq, expit(logits[1]), rtol=1e-5)
    loose = read_logits(HeadLogits(frame, torch.empty(0), torch.empty(N, 0)), reading, *facts)
    assert np.isnan(loose.seq).all()
    np.testing.assert_allclose(loose.fused, loose.frame)
