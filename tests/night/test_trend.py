from __future__ import annotations

import numpy as np
import pytest

from nightsift.night.trend import MIN_FRAMES, local_deviation, slow_deviation


def course(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    time = np.linspace(0, 6, n)
    noise = np.random.default_rng(seed).normal(0, 0.01, n)
    return time, -0.02 * (time - 2) ** 2 + noise


@pytest.mark.parametrize("n", [24, 60, 200])
def test_a_smooth_course_does_not_deviate(n):
    time, values = course(n)
    got = slow_deviation(time, values, worse=-1)
    assert np.abs(got.value).max() < 0.06
    assert got.scale == pytest.approx(np.full(n, 0.01), rel=0.6)


@pytest.mark.parametrize("start", [0.0, 0.33, 0.66])
@pytest.mark.parametrize("n", [36, 60, 150])
def test_a_spell_of_a_third_of_the_night_deviates(n, start):
    time, values = course(n)
    spell = slice(int(start * n), int((start + 0.33) * n))
    values[spell] += np.log(0.7)
    got = slow_deviation(time, values, worse=-1).value
    rest = np.ones(n, dtype=bool)
    rest[spell] = False
    assert np.median(got[spell]) == pytest.approx(np.log(0.7), abs=0.08)
    assert got[rest].min() > -0.1


def test_a_frame_does_not_pull_its_own_expectation():
    for n in (9, 16, 40):
        time, values = course(n)
        values[n // 2] += 5.0
        got = slow_deviation(time, values).value
        assert got[n // 2] == pytest.approx(5.0, abs=0.15)
        assert np.abs(np.delete(got, n // 2)).max() < 0.2


def test_fault_6_the_frame_after_a_bad_one_is_not_accused():
    time, values = course(50)
    values[20] += 1.0
    for got in (slow_deviation(time, values).value, local_deviation(values).value):
        assert np.argmax(np.abs(got)) == 20
        assert abs(got[21]) < 0.06


def test_a_constant_feature_has_no_weight():
    time = np.arange(30.0)
    for got in (slow_deviation(time, np.full(30, 0.1)), local_deviation(np.full(30, 0.1))):
        assert got.value == pytest.approx(np.zeros(30), abs=1e-12)
        assert got.scale == pytest.approx(np.zeros(30), abs=1e-12)


def test_a_step_that_stays_is_no_local_deviation():
    values = np.where(np.arange(40) < 17, 1.0, 2.0) + np.random.default_rng(3).normal(0, 0.01, 40)
    assert np.abs(local_deviation(values).value).max() < 0.1


def test_too_few_frames_abstain():
    values = np.arange(float(MIN_FRAMES))
    assert np.isnan(slow_deviation(values, values).value).all()
    assert np.isnan(local_deviation(values).value).all()


def test_missing_values_stay_missing_and_disturb_nothing():
    time, values = course(40)
    values[[3, 17]] = np.nan
    got = slow_deviation(time, values)
    assert np.isnan(got.value[[3, 17]]).all()
    assert np.isfinite(np.delete(got.value, [3, 17])).all()
