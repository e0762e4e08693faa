from __future__ import annotations

import numpy as np
import pytest

from nightsift.night.trend import (
    MIN_FRAMES,
    best_deviation,
    local_deviation,
    slow_deviation,
)


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


@pytest.mark.parametrize("worse", [1, -1])
def test_a_night_alike_throughout_is_its_own_best(worse):
    values = np.random.default_rng(1).normal(8.0, 0.1, 40)
    got = best_deviation(values, worse=worse)
    assert np.abs(got.value).max() < 0.4
    assert got.scale == pytest.approx(np.full(40, 0.1), rel=0.5)
    assert (worse * got.value < 3 * got.scale + 0.1).mean() > 0.9


@pytest.mark.parametrize("share", [0.3, 0.5, 0.75])
def test_what_is_bad_for_most_of_a_night_is_seen(share):
    values = np.random.default_rng(2).normal(3.0, 0.05, 60)
    bad = np.arange(60) >= round((1 - share) * 60)
    values[bad] += 2.0
    got = best_deviation(values, worse=1)
    assert got.value[bad].min() > 1.7
    assert np.abs(got.value[~bad]).max() < 0.25
    # One jump is not the scatter of the night.
    assert got.scale.max() < 0.1


def test_the_direction_says_which_frames_are_the_best():
    values = np.random.default_rng(3).normal(0, 0.01, 30)
    values[:10] -= 1.0
    assert np.median(best_deviation(values, worse=1).value[10:]) == pytest.approx(1.0, abs=0.05)
    assert np.abs(best_deviation(values, worse=-1).value[10:]).max() < 0.05
    np.testing.assert_allclose(
        best_deviation(values, worse=1).value, -best_deviation(-values, worse=-1).value
    )


def test_the_best_of_a_few_abstains_and_missing_values_stay_missing():
    few = best_deviation(np.arange(float(MIN_FRAMES)), worse=1)
    assert np.isnan(few.value).all()
    assert np.isnan(few.scale).all()
    values = np.append(np.random.default_rng(4).normal(1, 0.1, 20), np.nan)
    whole = best_deviation(values, worse=1)
    assert np.isnan([whole.value[-1], whole.scale[-1]]).all()
    np.testing.assert_allclose(whole.value[:-1], best_deviation(values[:-1], worse=1).value)


def test_a_constant_feature_is_everywhere_the_best():
    got = best_deviation(np.full(30, 0.1), worse=1)
    assert got.value == pytest.approx(np.zeros(30), abs=1e-12)
    assert got.scale == pytest.approx(np.zeros(30), abs=1e-12)
