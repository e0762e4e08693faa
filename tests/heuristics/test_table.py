from __future__ import annotations

import json
import math

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.heuristics import table as module
from nightsift.heuristics.table import PUBLISHED_COLUMNS, measure_files, measure_night
from nightsift.look.measure import measure_file
from scenes import Scene, smooth_night, write_night

PUBLISHED = "file,index,median,mean,std,max,xc,yc,disp,fwhm_proxy,streak,flux_jump,date_obs"


def test_the_published_columns_come_first_and_mean_something(tmp_path):
    files = write_night(tmp_path, smooth_night(8, 1))
    table = measure_night(files)
    assert ",".join(table.columns[: len(PUBLISHED_COLUMNS)]) == PUBLISHED
    assert list(table["file"]) == [str(path) for path in files]
    assert list(table["index"]) == list(range(8))
    assert table["fwhm_proxy"].between(2, 6).all()
    assert table["date_obs"][0].startswith("2025-03-01T20:00:30")


def test_unreadable_files_are_rows_with_a_reason(tmp_path):
    files = write_night(tmp_path, smooth_night(3, 2))
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"no image")
    gone = tmp_path / "gone.fits"
    table = measure_night([*files, broken, gone])
    assert len(table) == 5
    assert list(table["error"][3:]) == ["not FITS", "no such file"]
    assert table["fwhm_px"][3:].isna().all()


def test_without_a_frame_the_user_is_told(tmp_path):
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"no image")
    with pytest.raises(NightsiftError, match=r"none of 1 files holds a frame.*not FITS"):
        measure_night([broken])


def test_an_interrupted_run_goes_on_where_it_was(tmp_path, monkeypatch):
    files = write_night(tmp_path / "n", smooth_night(6, 3))
    store = tmp_path / "store"
    whole = measure_files(files, store=store, workers=1)
    (path,) = store.glob("*.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    # Killed while the fourth line was being written.
    path.write_text("".join(lines[:3]) + lines[3][:100])
    measured: list[str] = []

    def counting(file):
        measured.append(file.name)
        return measure_file(file)

    again = measure_files(files, store=store, workers=1, measure=counting)
    assert measured == ["f003.fits", "f004.fits", "f005.fits"]
    for file in files:
        assert again[file].features == pytest.approx(whole[file].features, nan_ok=True)
        assert again[file].stars.flux == pytest.approx(whole[file].stars.flux)
    assert all(json.loads(line) for line in path.read_text().splitlines() if len(line) > 100)
    measured.clear()
    files[2].write_bytes(files[1].read_bytes())
    measure_files(files, store=store, workers=1, measure=counting)
    assert measured == ["f002.fits"]


def test_processes_measure_the_same(tmp_path):
    files = write_night(tmp_path, [Scene(stars=30)] * 17)
    one = measure_files(files, workers=1)
    two = measure_files(files, workers=2, processes=True)
    for file in files:
        assert two[file].features == pytest.approx(one[file].features, nan_ok=True)


def test_progress_counts_to_the_end(tmp_path):
    files = write_night(tmp_path, smooth_night(4, 5))
    seen = []
    measure_files(files, workers=2, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)


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
def test_strange_frames_are_measured_without_a_warning(tmp_path, pixels):
    from astropy.io import fits

    path = tmp_path / "x.fits"
    fits.writeto(path, pixels)
    measured = measure_file(path)
    assert measured.error == ""
    assert not math.isinf(max(v for v in measured.features.values() if not math.isnan(v)))
    assert len(measure_night([path])) == 1
    assert module.PUBLISHED_COLUMNS[0] == "file"
