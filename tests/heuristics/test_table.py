from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.heuristics.rules import compared_by_rules
from nightsift.heuristics.score import judge_features
from nightsift.heuristics.table import PUBLISHED_COLUMNS, measure_night, night_table
from nightsift.look.look import Wanted
from nightsift.look.measure import AllFeatures
from scenes import Scene, look_of, smooth_night, write_night
from values import read

PUBLISHED = "file,index,median,mean,std,max,xc,yc,disp,fwhm_proxy,streak,flux_jump,date_obs"


def test_the_published_columns_come_first_and_mean_something(tmp_path):
    files = write_night(tmp_path, smooth_night(8, 1))
    table = measure_night(files)
    assert ",".join(table.columns[: len(PUBLISHED_COLUMNS)]) == PUBLISHED
    assert list(table["file"]) == [str(path) for path in files]
    assert list(table["index"]) == list(range(8))
    assert table["fwhm_proxy"].between(2, 6).all()
    assert table["date_obs"][0].startswith("2025-03-01T20:00:30")


def test_a_folder_its_files_and_a_single_file_may_be_named(tmp_path):
    files = write_night(tmp_path / "n", smooth_night(8, 1))
    folder = measure_night(tmp_path / "n")
    pd.testing.assert_frame_equal(measure_night(str(tmp_path / "n")), folder)
    pd.testing.assert_frame_equal(measure_night(files[::-1]), folder)
    alone = measure_night(files[2])
    assert list(alone["file"]) == [str(files[2])]
    assert alone["n_stars"][0] == folder["n_stars"][2]
    assert np.isnan(alone["slow_transparency"][0])


def test_unreadable_files_are_rows_with_a_reason_after_the_others(tmp_path):
    files = write_night(tmp_path, smooth_night(3, 2))
    broken = tmp_path / "a_broken.fits"
    broken.write_bytes(b"no image")
    table = measure_night([broken, *files])
    assert list(table["file"]) == [*map(str, files), str(broken)]
    assert list(table["error"]) == ["", "", "", "not FITS"]
    assert table["fwhm_px"].notna().tolist() == [True, True, True, False]
    assert list(table["index"]) == [0, 1, 2, 3]
    worst = judge_features(table).iloc[0]
    assert (worst["file"], worst["reason"]) == (str(broken), "unreadable")
    assert worst["explanation"] == "unreadable: not FITS"


def test_without_a_frame_the_user_is_told(tmp_path):
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"no image")
    with pytest.raises(NightsiftError, match=r"none of 1 files could be read.*not FITS"):
        measure_night([broken])
    with pytest.raises(NightsiftError, match=r"gone\.fits does not exist"):
        measure_night([tmp_path / "gone.fits"])


def test_what_was_measured_is_kept_only_where_that_is_asked_for(tmp_path, decoded):
    files = write_night(tmp_path / "n", smooth_night(6, 3))
    whole = measure_night(files, cache_dir=tmp_path / "cache")
    assert sorted(decoded) == files
    again = measure_night(files, cache_dir=tmp_path / "cache")
    assert len(decoded) == 6
    pd.testing.assert_frame_equal(again, whole)
    pd.testing.assert_frame_equal(measure_night(files), whole)
    assert len(decoded) == 12
    files[2].write_bytes(files[1].read_bytes())
    measure_night(files, cache_dir=tmp_path / "cache")
    assert decoded[12:] == [files[2]]


def test_processes_measure_the_same(tmp_path):
    files = write_night(tmp_path, [Scene(stars=30)] * 17)
    one, two = (measure_night(files, workers=2, processes=many) for many in (False, True))
    pd.testing.assert_frame_equal(one, two)


def test_a_night_as_a_table_holds_what_the_rules_look_at(tmp_path):
    folder = tmp_path / "n"
    write_night(folder, smooth_night(9, 4))
    (night,) = read(tmp_path / "c", Wanted(measure=AllFeatures()), seq_dirs=[folder]).nights
    before = night.features.copy()
    table = night_table(night)
    for item in compared_by_rules():
        deviation, scale = night.deviation(item)
        np.testing.assert_array_equal(table[item.column], deviation)
        np.testing.assert_array_equal(table[item.scale_column], scale)
    pd.testing.assert_frame_equal(night.features, before)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64), np.uint16),
        np.full((64, 64), 65535, np.uint16),
        np.full((17, 900), 5.0, np.float32),
        np.random.default_rng(0).normal(0, 1, (16, 16)).astype(np.float32),
        np.linspace(-1e30, 1e30, 4096, dtype=np.float32).reshape(64, 64),
        np.eye(256, dtype=np.float32) * 1e4,
        -np.ones((40, 40), np.int16),
    ],
    ids=["zero", "full", "flat strip", "tiny", "huge", "line", "negative"],
)
def test_strange_frames_are_measured_without_a_warning(tmp_path: Path, pixels: np.ndarray):
    path = tmp_path / "x.fits"
    fits.writeto(path, pixels)
    look = look_of(path)
    assert look.error == ""
    assert not any(math.isinf(value) for value in look.features.values())
    table = measure_night([path])
    assert len(table) == 1
    assert judge_features(table)["candidate_score"].between(0, 1).all()
