"""Which nights are compared with which, and what a deviation from a series is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nightsift.night.comparison import Compared
from nightsift.night.order_free import median_of_others, series_deviation
from nightsift.night.pool import (
    LENT,
    LONG_NIGHT,
    NIGHTLY,
    SeriesDeviations,
    find_units,
    lent_rows,
    series_groups,
)


def units(*lengths: int, series: str = "") -> list[tuple[tuple[int, ...], set[int]]]:
    groups = [np.ones(length, dtype=np.intp) for length in lengths]
    found = find_units(list(series or "s" * len(lengths)), groups)
    return [(unit.nights, set(unit.judged)) for unit in found]


@pytest.mark.parametrize(
    ("lengths", "judged"),
    [
        ((1, 1, 1), {0, 1, 2}),
        ((LONG_NIGHT, LONG_NIGHT + 30), None),
        ((100, 1, 1), {1, 2}),
        # What the others bring would be less than what the night has itself.
        ((8, 1), {1}),
        ((8, 7, 1), {0, 1, 2}),
        ((5,), None),
        ((100, LENT), {1}),
    ],
)
def test_short_nights_join_their_series_where_it_has_more_to_compare_with(lengths, judged):
    expected = [] if judged is None else [(tuple(range(len(lengths))), judged)]
    assert units(*lengths) == expected


def test_series_are_apart_and_exposure_times_decide_what_is_long():
    assert units(1, 1, 1, 1, series="abab") == [((0, 2), {0, 2}), ((1, 3), {1, 3})]
    mixed = [np.repeat([1, 2], LONG_NIGHT - 1), np.ones(1, dtype=np.intp)]
    assert find_units(["s", "s"], mixed) != []
    assert 0 not in find_units(["s", "s"], [np.repeat([1, 2], LONG_NIGHT), mixed[1]])[0].judged


def test_a_long_night_lends_frames_from_all_over_it():
    rows = lent_rows(np.ones(101, dtype=np.intp))
    assert rows.tolist() == list(range(0, 101, 10))
    assert lent_rows(np.ones(5, dtype=np.intp)).tolist() == list(range(5))


def test_few_frames_of_another_exposure_time_join_the_nearest():
    exposures = np.array([60.0] * 8 + [35.0] * 2 + [5.0] * 2 + [200.0] * 7 + [np.nan])
    groups = series_groups(exposures)
    assert len(set(groups[:10])) == 1
    assert len(set(groups)) == 4
    assert (np.bincount(groups)[np.unique(groups)] == [1, 2, 10, 7]).all()


@pytest.mark.parametrize("n", [2, 3, 6, 7, 40])
def test_the_median_of_others_is_that_of_all_but_one(n):
    values = np.random.default_rng(n).integers(0, 9, n).astype(float)
    expected = [np.median(np.delete(values, i)) for i in range(n)]
    np.testing.assert_allclose(median_of_others(values, np.ones(n)), expected)


def test_a_long_night_does_not_outvote_many_single_ones():
    values = np.r_[np.full(11, 5.0), np.zeros(10)]
    night = np.r_[np.zeros(11, dtype=np.intp), np.arange(1, 11)]
    assert (series_deviation(values, night).value[:11] == 5).all()


def test_the_fewer_nights_the_wider_is_what_they_may_differ_by():
    values = np.random.default_rng(0).normal(size=24)
    few = series_deviation(values, np.arange(24) % 2).scale
    many = series_deviation(values, np.arange(24)).scale
    assert np.median(few) > 1.8 * np.median(many)
    assert np.isnan(series_deviation(values[:5], np.arange(5)).value).all()


def test_a_night_that_is_as_bright_throughout_does_not_deviate_but_a_cloudy_one_does():
    night = np.repeat(np.arange(6), 8)
    rng = np.random.default_rng(1)
    level = np.exp(rng.normal(0, 0.02, 48))
    table = pd.DataFrame({"hours": np.tile(np.arange(8.0), 6), "group": 1})
    table["background_adu"] = 400 * level * np.where(night == 2, 5.0, 1.0)
    table["transparency"] = level * np.where(night == 2, 0.5, 1.0)
    deviations = SeriesDeviations(table, night)
    sky = deviations.of(Compared("background_adu", "slow", log=True, worse=1))
    light = deviations.of(Compared("transparency", "slow", log=True, worse=-1))
    near = deviations.of(Compared("transparency", "local", log=True, worse=-1))
    assert np.abs(sky.value).max() < 0.2
    assert (sky.scale[night != 2] >= 0).all()
    assert (light.value[night == 2] / light.scale[night == 2] < -5).all()
    # Next to its neighbours no frame of that night is news.
    assert np.abs(near.value).max() < 0.2
    lone = SeriesDeviations(table.iloc[::8].reset_index(drop=True), np.arange(6))
    moon = lone.of(Compared("background_adu", "slow", log=True, worse=1))
    assert moon.value[2] == pytest.approx(np.log(5), abs=0.1)
    assert moon.scale[2] >= NIGHTLY["background_adu"]
