from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

from nightsift.errors import NightsiftError
from nightsift.fits.reader import read_frame
from nightsift.night.grouping import group_nights
from nightsift.simulate import processes
from nightsift.simulate.campaign import CampaignSpec, make_campaign
from nightsift.simulate.defects.catalogue import DEFECTS
from nightsift.simulate.header import Shot, file_name, make_header
from nightsift.simulate.instrument_files import read_instruments, shipped_instruments
from nightsift.simulate.night import draw_night

TINY = CampaignSpec(nights=2, frames_per_night=14, mixed_frames=12, max_side=96, seed=3)
SOME = ["sbig_0p30m", "newton_0p20m"]


def made(out: Path, spec: CampaignSpec = TINY, names: list[str] = SOME, workers: int = 1):
    return make_campaign(out, spec, read_instruments(names), workers=workers)


def digest(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_same_spec_gives_the_same_bytes_and_another_seed_others(tmp_path):
    made(tmp_path / "a")
    made(tmp_path / "b")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    made(tmp_path / "c", replace(TINY, seed=4))
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


@pytest.mark.slow
def test_two_processes_and_a_plainer_processor_give_the_same_bytes(tmp_path):
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    made(tmp_path / "a")
    made(tmp_path / "b", workers=2)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    without = " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name))
    environment = {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": without,
        "OPENBLAS_CORETYPE": "Prescott",
    }
    keys = [
        f"simulate.{key}={getattr(TINY, key)}" for key in ("nights", "frames_per_night", "seed")
    ]
    keys += ["simulate.mixed_frames=12", "simulate.max_side=96", "simulate.faintest=0"]
    keys += ["simulate.kinds=[]", f"simulate.instruments=[{','.join(SOME)}]", "workers=1"]
    command = [sys.executable, "-m", "nightsift.tasks.simulate", f"out={tmp_path / 'c'}"]
    command += ["contact_sheets=false", f"hydra.run.dir={tmp_path / 'run'}", *keys]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    plainer, here = digest(tmp_path / "c"), digest(tmp_path / "a")
    # The record names the instruments as they were asked for.
    assert {**plainer, "campaign.json": ""} == {**here, "campaign.json": ""}


def test_labels_agree_with_the_truth(tmp_path):
    campaign = made(tmp_path / "a")
    folders = [*sorted(campaign.seq_dir.iterdir()), campaign.mixed_dir]
    assert len(folders) == 3
    for folder in folders:
        worst: dict[str, set[str]] = {}
        for row in table(folder / "truth.csv"):
            worst.setdefault(row["file"], set()).add(row["label"])
            if row["kind"]:
                defect = DEFECTS[row["kind"]]
                assert row["cause"] == defect.cause
                assert row["unit"] == defect.unit
                assert row["label"] == defect.label(float(row["strength"]))
                assert all(isinstance(v, float) for v in json.loads(row["parameters"]).values())
            assert json.loads(row["frame"])["fwhm_px"] > 0
        labels = {row["file"]: row for row in table(folder / "labels.csv")}
        assert set(labels) == {path.name for path in folder.iterdir() if path.suffix != ".csv"}
        for name, row in labels.items():
            expected = next(x for x in ("bad", "marginal", "good") if x in worst[name])
            assert row["label"] == expected
            assert bool(row["notes"]) == (expected != "good")
            assert "bad" not in name.lower()
        assert {"good", "bad"} <= {row["label"] for row in labels.values()}


def test_every_frame_is_read_and_a_night_is_one_night(tmp_path):
    campaign = made(tmp_path / "a")
    for folder in sorted(campaign.seq_dir.iterdir()):
        files = [path for path in folder.iterdir() if path.suffix != ".csv"]
        infos = {path: read_frame(path).info for path in files}
        nights = group_nights(infos)
        # Two filters that alternate are two nights.
        assert len(nights) == len({info.filter for info in infos.values()})
        order = [row["file"] for row in table(folder / "labels.csv")]
        for night in nights:
            assert night.timed
            names = [path.name for path in night.files]
            assert names == [name for name in order if name in names]


def test_benign_nights_have_no_defect_and_are_spread_over_the_instruments(tmp_path):
    spec = replace(TINY, nights=4, mixed_frames=0, benign_fraction=0.5)
    campaign = made(tmp_path / "a", spec)
    kinds = [
        {row["kind"] for row in table(folder / "truth.csv")}
        for folder in sorted(campaign.seq_dir.iterdir())
    ]
    assert sum(night == {""} for night in kinds) == 2


@pytest.mark.parametrize("name", shipped_instruments())
def test_each_instrument_s_header_says_when_and_how_long(name):
    (instrument,) = read_instruments([name])
    plan = draw_night(np.random.default_rng(0), instrument.cropped(96), n=12, number=3)
    start = plan.start + timedelta(seconds=float(plan.time_s[5]))
    shot = Shot(instrument, plan.target, plan.bands[5], start, plan.exposure_s, 6, 50.0, 1.3, 20.0)
    hdu = fits.PrimaryHDU(np.zeros((64, 64), dtype=np.uint16), make_header(shot))
    from nightsift.fits.header import parse_header

    info = parse_header(dict(hdu.header), (64, 64))
    middle = start + timedelta(seconds=plan.exposure_s / 2)
    assert info.exposure_s == pytest.approx(plan.exposure_s)
    assert abs((info.time - middle).total_seconds()) < 2
    assert Time(info.time).isot
    assert file_name(shot).lower().endswith((".fits", ".fit"))
    assert "/" not in file_name(shot)


def test_a_finished_campaign_is_reused_and_anything_else_is_left_alone(tmp_path):
    made(tmp_path / "a")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")}
    made(tmp_path / "a")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")}
    for spec, names in ((replace(TINY, seed=9), SOME), (TINY, SOME[:1])):
        with pytest.raises(NightsiftError, match="is not this campaign"):
            made(tmp_path / "a", spec, names)
    (tmp_path / "mine").mkdir()
    with pytest.raises(NightsiftError, match="choose another folder"):
        made(tmp_path / "mine")


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(processes, "write_tables", full)
    with pytest.raises(OSError, match="No space"):
        made(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_every_frame(tmp_path):
    seen: list[tuple[int, int]] = []
    make_campaign(
        tmp_path / "a",
        TINY,
        read_instruments(SOME),
        workers=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (40, 40)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize(
    "change",
    [
        {"nights": 0},
        {"max_side": 10},
        {"bad_fraction": 0.9},
        {"benign_fraction": 2.0},
        {"seed": -1},
        {"kinds": ["nonsense"]},
    ],
)
def test_impossible_specs_are_refused(change):
    with pytest.raises(NightsiftError, match="expected"):
        replace(TINY, **change)
