from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

from nightsift.errors import NightsiftError
from nightsift.fits.nights import group_nights
from nightsift.fits.reader import read_frame
from nightsift.simulate import campaign as campaign_module
from nightsift.simulate.campaign import CampaignSpec, make_campaign
from nightsift.simulate.defects import CAUSES

TINY = CampaignSpec(nights=2, frames_per_night=14, mixed_frames=12, height=80, width=96, seed=3)


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
    make_campaign(tmp_path / "a", TINY)
    make_campaign(tmp_path / "b", TINY)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    make_campaign(tmp_path / "c", CampaignSpec(**{**vars(TINY), "seed": 4}))
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_labels_agree_with_the_truth_and_each_night_is_one_night(tmp_path):
    made = make_campaign(tmp_path / "a", TINY)
    folders = [*sorted(made.seq_dir.iterdir()), made.mixed_dir]
    assert len(folders) == 3
    for folder in folders:
        causes = {row["file"]: row["cause"] for row in table(folder / "truth.csv")}
        labels = {row["file"]: row["label"] for row in table(folder / "labels.csv")}
        assert set(labels) == {path.name for path in folder.glob("*.fits")}
        for name, label in labels.items():
            assert (label == "good") == (causes[name] == "none")
            assert "bad" not in name
        assert {"good", "bad"} <= set(labels.values())
    infos = {path: read_frame(path).info for path in folders[0].glob("*.fits")}
    (night,) = group_nights(infos)
    assert night.timed
    assert [path.name for path in night.files] == sorted(labels_of(folders[0]))


def labels_of(folder: Path) -> list[str]:
    return [row["file"] for row in table(folder / "labels.csv")]


def test_every_cause_occurs(tmp_path):
    spec = CampaignSpec(nights=3, frames_per_night=48, mixed_frames=60, height=64, width=64)
    made = make_campaign(tmp_path / "a", spec)
    seen = {row["cause"] for path in made.seq_dir.parent.rglob("truth.csv") for row in table(path)}
    assert seen == {*CAUSES, "none"}


def test_a_finished_campaign_is_reused_and_anything_else_is_left_alone(tmp_path):
    make_campaign(tmp_path / "a", TINY)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")}
    make_campaign(tmp_path / "a", TINY)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")}
    with pytest.raises(NightsiftError, match="is not this campaign"):
        make_campaign(tmp_path / "a", CampaignSpec())
    (tmp_path / "mine").mkdir()
    with pytest.raises(NightsiftError, match="choose another folder"):
        make_campaign(tmp_path / "mine", TINY)


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(campaign_module, "_write_tables", full)
    with pytest.raises(OSError, match="No space"):
        make_campaign(tmp_path / "a", TINY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [{"nights": 0}, {"height": 10}, {"bad_fraction": 0.9}])
def test_impossible_specs_are_refused(change):
    with pytest.raises(NightsiftError, match="campaign: expected"):
        CampaignSpec(**change)
