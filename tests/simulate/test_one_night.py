from __future__ import annotations

import csv
import subprocess
import sys

import pytest

from nightsift.errors import NightsiftError
from nightsift.fits.reader import read_frame
from nightsift.shipped import conf_dir
from nightsift.simulate.campaign import CampaignSpec, make_campaign
from nightsift.simulate.instrument_files import read_instruments
from nightsift.simulate.one_night import simulate_night

SMALL = {"frames": 14, "max_side": 96, "seed": 4}


def table(path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_night_has_frames_labels_and_truth(tmp_path):
    night = simulate_night(tmp_path / "a" / "b", kinds=["thick_cloud", "satellite"], **SMALL)
    assert night == tmp_path / "a" / "b"
    labels = {row["file"]: row["label"] for row in table(night / "labels.csv")}
    assert len(labels) == 14
    assert all(read_frame(night / name).pixels.shape == (96, 96) for name in labels)
    assert list(labels.values()).count("bad") >= 3
    kinds = {row["kind"] for row in table(night / "truth.csv")}
    assert kinds == {"", "thick_cloud", "satellite"}


def test_it_is_the_night_that_the_command_makes(tmp_path):
    night = simulate_night(tmp_path / "a", instrument="sct_0p28m", **SMALL)
    spec = CampaignSpec(
        nights=1, frames_per_night=14, mixed_frames=0, instruments=["sct_0p28m"],
        max_side=96, seed=4,
    )  # fmt: skip
    campaign = make_campaign(tmp_path / "c", spec, read_instruments(["sct_0p28m"]), workers=1)
    (same,) = campaign.seq_dir.iterdir()
    names = {path.name for path in same.iterdir()}
    assert names == {path.name for path in night.iterdir()} - {"night.json"}
    assert all((same / name).read_bytes() == (night / name).read_bytes() for name in names)


def test_the_same_call_finds_its_night_and_another_is_refused(tmp_path):
    simulate_night(tmp_path / "a", **SMALL)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    simulate_night(tmp_path / "a", **SMALL)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    with pytest.raises(NightsiftError, match="is not this night: choose another folder"):
        simulate_night(tmp_path / "a", **{**SMALL, "seed": 5})


def test_a_clear_night_with_a_telescope_of_one_s_own(tmp_path):
    text = (conf_dir() / "instrument" / "c14_0p36m.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("C14", "attic"))
    night = simulate_night(
        tmp_path / "a", instrument=tmp_path / "mine.yaml", bad_fraction=0, **SMALL
    )
    rows = table(night / "labels.csv")
    assert {row["label"] for row in rows} == {"good"}
    assert read_frame(night / rows[0]["file"]).info.telescope == "attic"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 3}, "frames_per_night >= 12"),
        ({"kinds": ["clouds"]}, "no such defect: clouds"),
        ({"instrument": "c15"}, "no such instrument: c15"),
        ({"max_side": 10}, "max_side 0 or >= 64"),
    ],
)
def test_impossible_wishes_are_refused(tmp_path, change, message):
    with pytest.raises(NightsiftError, match=message):
        simulate_night(tmp_path / "a", **{**SMALL, **change})
    assert list(tmp_path.iterdir()) == []


def test_neither_hydra_nor_torch_is_needed():
    code = "import sys, nightsift.simulate.one_night; print({'hydra', 'torch'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"
