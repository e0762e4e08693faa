"""Frames of short nights against the series: what is found, what is allowed for, what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from nightsift.data import inputs
from nightsift.data.inputs import compute_inputs
from nightsift.data.measured import measured_inputs
from nightsift.heuristics.score import judge_features
from nightsift.heuristics.table import feature_table
from nightsift.look.look import Wanted
from nightsift.look.measure import AllFeatures
from nightsift.look.store import LookStore
from nightsift.night import making
from nightsift.night.comparison import Compared
from nightsift.night.night import Night, NightSet
from nightsift.night.reading import read_nights
from nightsift.night.sources import Sources
from scenes import START, Scene, render, smooth_night
from values import read

SHAPE = (200, 260)
CLEAR = Compared("transparency", "slow", log=True, worse=-1)
SKY = Compared("background_adu", "slow", log=True, worse=1)


def write(path: Path, scene: Scene, seed: int, days: float, **cards: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"OBJECT": "W Cep", "TELESCOP": "T", "FILTER": "R", "EXPTIME": 60.0} | cards
    header = fits.Header({key: value for key, value in facts.items() if value is not None})
    header["DATE-OBS"] = (START + timedelta(days=days)).isoformat()
    fits.writeto(path, render(scene, seed, SHAPE), header)
    return path


def variable(rng: np.random.Generator, **facts: object) -> Scene:
    """One frame of a night of its own: another seeing, air mass, moon and pointing."""
    scene = Scene(
        fwhm=3.2 * np.exp(rng.normal(0, 0.08)),
        transparency=np.exp(rng.normal(0, 0.04)),
        sky=400 * np.exp(abs(rng.normal(0, 0.4))),
        shift=tuple(rng.normal(0, 6, 2)),
        stars=60,
    )
    return replace(scene, **facts)


def of(folder: Path, *more: Path) -> NightSet:
    cache = folder.parent / f"{folder.name}.cache"
    return read(cache, Wanted(measure=AllFeatures()), seq_dirs=[folder, *more])


def numbers(nights: NightSet, item: Compared) -> tuple[np.ndarray, np.ndarray]:
    """Deviation and scatter of all frames in turn."""
    found = [night.deviation(item) for night in nights.nights]
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


@pytest.fixture(scope="module")
def lone(tmp_path_factory) -> NightSet:
    """Thirty nights of one frame: cloud on the eighth, full moon on the twelfth, others fair."""
    folder = tmp_path_factory.mktemp("lone") / "V star"
    rng = np.random.default_rng(3)
    for i in range(30):
        scene = variable(rng)
        scene = replace(scene, transparency=0.5) if i == 7 else scene
        scene = replace(scene, sky=1800.0) if i == 11 else scene
        write(folder / f"f{i}.fits", scene, i, i * 3.1)
    return of(folder)


def test_lone_frames_of_a_series_are_compared_with_each_other(lone):
    assert [len(night) for night in lone.nights] == [1] * 30
    assert {night.series for night in lone.nights} == {"W_Cep R T"}
    assert lone.nights[1].name == "V star 2025-03-04 R W_Cep"
    assert all((night.features["compared_with"] == 29).all() for night in lone.nights)
    assert len({night.unit for night in lone.nights}) == 1
    value, scale = numbers(lone, CLEAR)
    assert int(np.argmin(value)) == 7
    assert value[7] < -0.5
    assert value[7] / scale[7] < -7
    assert np.abs(np.delete(value / scale, 7)).max() < 4


def test_the_moon_is_allowed_for_and_the_clouded_frame_is_flagged_alone(lone):
    value, scale = numbers(lone, SKY)
    assert value[11] > 0.9
    assert value[11] / scale[11] < 6
    judged = judge_features(feature_table(lone)).sort_values("index")
    assert np.flatnonzero(judged["flag_any"]).tolist() == [7]
    assert judged["reason"].iloc[7] == "cloud"
    assert list(judged.columns[-2:]) == ["compared_with", "series"]


def test_processes_compare_and_pass_on_a_series_as_threads_do(lone, monkeypatch):
    monkeypatch.setattr(making, "FRAMES_WORTH_PROCESSES", 1)
    monkeypatch.setattr(inputs, "FRAMES_WORTH_PROCESSES", 1)
    folder = lone.nights[0].files[0].parent
    again = read_nights(
        Sources(seq_dirs=[folder]),
        Wanted(measure=AllFeatures()),
        LookStore(folder.parent / f"{folder.name}.cache"),
        workers=2,
        processes=True,
    )
    for one, other in zip(numbers(lone, CLEAR), numbers(again, CLEAR), strict=True):
        np.testing.assert_array_equal(one, other)
    # What was compared with each other is one value for all its nights, here as there.
    assert len({id(night.share.deviations) for night in again.nights}) == 1
    spec = measured_inputs()
    plain = compute_inputs(spec, lone.nights)
    made = compute_inputs(spec, again.nights, workers=2, processes=True)
    np.testing.assert_array_equal(np.concatenate(plain), np.concatenate(made))


def test_windows_and_gaps_stay_within_the_night(lone):
    assert all((night.features["hours"] == 0).all() for night in lone.nights)


@pytest.fixture(scope="module")
def mixture(tmp_path_factory) -> tuple[NightSet, Night]:
    """A night of 20 frames with three lone ones, one through cloud; and the night by itself."""
    root = tmp_path_factory.mktemp("mixture")
    scenes = [replace(scene, stars=60) for scene in smooth_night(20, 4)]
    for folder in ("both", "alone"):
        for i, scene in enumerate(scenes):
            write(root / folder / f"f{i:02d}.fits", scene, i, i / 900)
    for i, light in enumerate((1.0, 0.4, 1.0)):
        scene = Scene(stars=60, transparency=light, fwhm=3.4)
        write(root / "both" / f"lone{i}.fits", scene, 50 + i, 5.0 + i)
    (night,) = of(root / "alone").nights
    return of(root / "both"), night


def test_a_long_night_is_what_it_is_without_the_lone_frames(mixture):
    found, alone = mixture
    long = found.nights[0]
    assert len(long) == 20
    assert long.share is None
    columns = [name for name in alone.features if name not in ("file", "night")]
    assert long.features[columns].equals(alone.features[columns])
    for item in (CLEAR, SKY, CLEAR._replace(kind="local")):
        np.testing.assert_array_equal(long.deviation(item), alone.deviation(item))


def test_a_long_night_lends_its_frames_to_lone_ones(mixture):
    found, _ = mixture
    assert [len(night) for night in found.nights] == [20, 1, 1, 1]
    assert [night.features["compared_with"].iloc[0] for night in found.nights] == [19, 13, 13, 13]
    assert len({night.unit for night in found.nights}) == 1
    value, scale = (part[20:] for part in numbers(found, CLEAR))
    assert (value / scale)[1] < -5
    assert (np.abs(value / scale)[[0, 2]] < 3).all()


def test_nights_in_folders_of_their_own_are_a_series_whatever_the_order(tmp_path):
    rng = np.random.default_rng(5)
    folders = []
    for day in range(6):
        folders.append(tmp_path / "all" / f"n{day}")
        for i in range(3):
            scene = variable(rng, transparency=0.45 if (day, i) == (4, 1) else 1.0)
            write(folders[-1] / f"f{i}.fits", scene, 10 * day + i, day + i / 900)
    found = of(tmp_path / "all")
    assert [night.name for night in found.nights] == [f"n{day}" for day in range(6)]
    assert all((night.features["compared_with"] == 17).all() for night in found.nights)
    value, _ = numbers(found, CLEAR)
    assert int(np.argmin(value)) == 13
    turned = of(folders[0].parent / "n5", *folders[4::-1])
    first, other = (
        {night.name: night.deviation(CLEAR).value for night in nights.nights}
        for nights in (found, turned)
    )
    for name in first:
        np.testing.assert_allclose(first[name], other[name], atol=1e-9)


def test_two_filters_and_two_exposure_times_are_not_mixed(tmp_path):
    rng = np.random.default_rng(6)
    for i in range(16):
        cards = {"FILTER": "RV"[i % 2], "EXPTIME": 30.0 if i < 2 else 60.0}
        scene = variable(rng, transparency=0.5 if i < 2 else 1.0, sky=200.0 if i < 2 else 400.0)
        write(tmp_path / "n" / f"f{i:02d}.fits", scene, i, i, **cards)
    found = of(tmp_path / "n")
    assert {night.series for night in found.nights} == {"W_Cep R T", "W_Cep V T"}
    # Half as long is near enough: light per second is what counts.
    assert all((night.features["compared_with"] == 7).all() for night in found.nights)
    value, _ = numbers(found, CLEAR)
    assert np.abs(value).max() < 0.15


def test_two_or_three_frames_say_how_little_they_were_compared_with(tmp_path):
    rng = np.random.default_rng(7)
    for i, light in enumerate((1.0, 0.5, 1.0)):
        write(tmp_path / "n" / f"f{i}.fits", variable(rng, transparency=light), i, i)
    write(tmp_path / "n" / "other.fits", variable(rng), 9, 9, OBJECT="X Cyg")
    found = of(tmp_path / "n")
    others = [night.features["compared_with"].iloc[0] for night in found.nights]
    assert others == [2, 2, 2, 0]
    assert np.isnan(numbers(found, CLEAR)[0]).all()
    light = [night.features["transparency"].iloc[0] for night in found.nights]
    assert light[1] == pytest.approx(0.5, abs=0.08)


def test_without_name_and_place_the_stars_tell_the_field(tmp_path):
    """Ten nights of one field and seven of another, a frame each; nobody wrote which."""
    rng = np.random.default_rng(8)
    field = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0]
    for i, number in enumerate(field):
        scene = variable(rng, field=number)
        write(tmp_path / "n" / f"f{i:02d}.fits", scene, i, i, OBJECT=None, TELESCOP=None)
    found = of(tmp_path / "n")
    names = [night.series for night in found.nights]
    assert names == [("R", "R field 2")[number] for number in field]
    assert [night.features["compared_with"].iloc[0] for night in found.nights] == [
        (9, 6)[number] for number in field
    ]
    assert (judge_features(feature_table(found))["reason"] != "pointing").all()


def test_without_times_a_folder_is_one_night(tmp_path):
    rng = np.random.default_rng(9)
    for i in range(13):
        path = write(tmp_path / "n" / f"f{i:02d}.fits", variable(rng), i, i)
        fits.delval(path, "DATE-OBS")
    (night,) = of(tmp_path / "n").nights
    assert not night.timed
    assert night.share is None
    assert (night.features["compared_with"] == 12).all()
    assert night.series == "W_Cep R T"
