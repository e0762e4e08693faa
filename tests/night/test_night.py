"""A night is a value: made once, changed by nobody."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.look.look import Look, Wanted
from nightsift.look.measure import AllFeatures
from nightsift.night import comparison
from nightsift.night.comparison import Compared
from nightsift.night.night import Aside, Label, Night, NightSet, match_nights
from values import labelled, read

WIDTH = Compared("fwhm_px", "slow", log=True)


@pytest.fixture
def measured(make_night, tmp_path) -> Night:
    """Nine frames of which the fourth has fewer stars on a brighter sky."""
    folder = make_night("n", n=9, bad={3}, side=96)
    (night,) = read(tmp_path / "cache", Wanted(measure=AllFeatures()), seq_dirs=[folder]).nights
    return night


@pytest.mark.parametrize("kind", [Night, NightSet, Look])
def test_nothing_of_a_value_can_be_assigned(kind):
    night = labelled("n", "gb.")
    value = {Night: night, NightSet: NightSet((night,)), Look: night.looks[0]}[kind]
    for name in [*(field.name for field in fields(value)), "split"]:
        # A frozen class with slots has its own word for a name that it does not know.
        with pytest.raises((FrozenInstanceError, TypeError), match=r"cannot assign|super"):
            setattr(value, name, None)


def test_labels_are_numbers_in_the_order_of_the_frames():
    night = labelled("n", "gb.gb")
    values = night.label_values
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, [0, 1, -1, 0, 1])
    assert len(night) == 5
    assert night.files[2] == Path("n/f2.fits")
    assert night.shape == (8, 8)


def test_a_deviation_is_made_once_and_only_when_it_is_asked_for(measured, monkeypatch):
    made: list[int] = []
    real = comparison.slow_deviation

    def counting(*arguments: object, **keys: object) -> object:
        made.append(1)
        return real(*arguments, **keys)

    monkeypatch.setattr(comparison, "slow_deviation", counting)
    background = Compared("background_adu", "slow", log=True, worse=1)
    fresh = replace(measured, name="again")
    assert made == []
    first = fresh.deviation(background)
    assert len(made) == 1
    assert fresh.deviation(background) is first
    assert len(made) == 1
    assert int(np.argmax(first.value)) == 3
    assert first.value[3] == pytest.approx(np.log(3), abs=0.05)  # a sky of 900 instead of 300
    assert fresh.deviation(background._replace(worse=0)) is not first
    assert len(made) == 2


def test_what_was_not_measured_or_has_no_night_does_not_deviate(measured):
    assert np.isnan(measured.deviation(Compared("no_such_feature", "slow")).value).all()
    loose = replace(measured, ordered=False)
    found = loose.deviation(WIDTH)
    assert np.isnan(found.value).all()
    assert np.isnan(found.scale).all()
    assert len(found.value) == len(measured)


def test_a_night_travels_to_other_processes(measured):
    before = measured.deviation(WIDTH)
    other = pickle.loads(pickle.dumps(measured))
    assert other.files == measured.files
    assert other.features.equals(measured.features)
    np.testing.assert_array_equal(other.deviation(WIDTH).value, before.value)


def test_the_fingerprint_is_that_of_the_first_frame_not_of_the_folder():
    here, there, other = (labelled(name, "gg") for name in ("a", "b", "c"))
    assert here.fingerprint == there.fingerprint
    first = other.looks[0]
    changed = Look(first.path, replace(first.info, exposure_s=3.0))
    assert replace(other, looks=(changed, other.looks[1])).fingerprint != here.fingerprint


def test_a_summary_counts_every_file_once():
    nights = NightSet(
        (labelled("a", "ggb."), labelled("b", "b.."), labelled("m", "gb", ordered=False)),
        (
            Aside(Path("x.fits"), "unreadable: not FITS", Label(1)),
            Aside(Path("y.fits"), "unreadable: not FITS"),
            Aside(Path("z.fits"), "left out: a dark frame"),
        ),
    )
    assert nights.summary() == (
        "11 files: 2 nights with windows, 4 bad, 3 good, 4 unlabelled, 2 unreadable"
    )
    assert len(nights) == 9
    assert nights.mixed == {"m"}
    assert NightSet(()).summary() == (
        "0 files: 0 nights with windows, 0 bad, 0 good, 0 unlabelled, 0 unreadable"
    )


def test_a_night_is_named_by_itself_or_by_its_folder_or_series():
    names = ("a 2025-03-01 R", "a 2025-03-02 R", "a 3", "c/a")
    nights = [labelled(name, "g", folder="a" if " 2025" in name else name) for name in names]
    nights[2] = replace(nights[2], series="TOI-1 R")
    assert match_nights("a", nights) == nights[:2]
    assert match_nights("a 2025-03-02 R", nights) == [nights[1]]
    assert match_nights("c/a", nights) == [nights[3]]
    assert match_nights("TOI-1 R", nights) == [nights[2]]
    with pytest.raises(NightsiftError, match="no night is called 'd'; there are: a 2025-03-01 R, "):
        match_nights("d", nights)
