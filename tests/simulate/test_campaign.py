"""The folder of a campaign: the same frames every time, whole or not at all."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.simulate import campaign as campaign_module
from nightsift.simulate.campaign import Campaign, CampaignSpec, make_campaign
from nightsift.simulate.defects import CAUSES

SPEC = CampaignSpec(nights=3, frames_per_night=16, mixed_frames=24, height=64, width=80, seed=5)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return make_campaign(tmp_path_factory.mktemp("made") / "campaign", SPEC)


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def folders(made: Campaign) -> list[Path]:
    return [*sorted(made.seq_dir.iterdir()), made.mixed_dir]


def test_layout(made: Campaign) -> None:
    assert [folder.name for folder in folders(made)] == ["toi-1", "toi-2", "toi-3", "mixed"]
    for folder, n in zip(folders(made), (16, 16, 16, 24), strict=True):
        names = sorted(path.name for path in folder.glob("*.fits"))
        assert [row["file"] for row in rows(folder / "labels.csv")] == names
        assert len(names) == n
        assert not any("bad" in name for name in names)


def test_the_same_spec_gives_the_same_bytes(made: Campaign, tmp_path: Path) -> None:
    again = make_campaign(tmp_path / "elsewhere", SPEC)
    assert digests(again.seq_dir.parent) == digests(made.seq_dir.parent)


def test_another_seed_gives_other_pixels(made: Campaign, tmp_path: Path) -> None:
    other = CampaignSpec(nights=1, frames_per_night=12, mixed_frames=0, height=64, width=80, seed=6)
    theirs = make_campaign(tmp_path / "other", other)
    name = "toi-1/TOI-1001.01_0001.fits"
    ours = fits.getdata(made.seq_dir / name)
    assert not np.array_equal(fits.getdata(theirs.seq_dir / name), ours)


def test_a_night_does_not_depend_on_how_many_others_there_are(
    made: Campaign, tmp_path: Path
) -> None:
    alone = CampaignSpec(nights=1, frames_per_night=16, mixed_frames=3, height=64, width=80, seed=5)
    night = make_campaign(tmp_path / "alone", alone).seq_dir / "toi-1"
    assert digests(night) == digests(made.seq_dir / "toi-1")


def test_labels_agree_with_the_truth(made: Campaign) -> None:
    for folder in folders(made):
        labels, truth = rows(folder / "labels.csv"), rows(folder / "truth.csv")
        assert [row["file"] for row in truth] == [row["file"] for row in labels]
        for label, fact in zip(labels, truth, strict=True):
            assert fact["cause"] in {"none", *CAUSES}
            assert (label["label"] == "good") == (fact["cause"] == "none")
            assert label["notes"] == fact["cause"].replace("none", "")


def test_every_night_has_good_bad_and_marginal_frames(made: Campaign) -> None:
    for folder in folders(made)[:-1]:
        counts = Counter(row["label"] for row in rows(folder / "labels.csv"))
        assert counts == {"good": 11, "bad": 4, "marginal": 1}


def test_headers(made: Campaign) -> None:
    paths = sorted((made.seq_dir / "toi-2").glob("*.fits"))
    headers = [fits.getheader(path) for path in paths]
    times = [header["DATE-OBS"] for header in headers]
    assert times == sorted(set(times))
    assert all(time.startswith("2025-01-1") for time in times)
    for header in headers:
        assert header["OBJECT"] == "TOI-1002.01"
        assert header["IMAGETYP"] == "Light Frame"
        assert header["EXPTIME"] > 0
        assert header["GAIN"] > 0
        assert header["FILTER"] == "R"
    assert len({header["TELESCOP"] for header in headers}) == 1
    assert fits.getdata(paths[0]).dtype == np.uint16
    assert fits.getdata(paths[0]).shape == (64, 80)


def test_mixed_frames_are_each_of_their_own_field(made: Campaign) -> None:
    headers = [fits.getheader(path) for path in made.mixed_dir.glob("*.fits")]
    assert len({header["OBJECT"] for header in headers}) == SPEC.mixed_frames
    assert len({header["DATE-OBS"] for header in headers}) == SPEC.mixed_frames


def test_a_finished_campaign_is_used_again(made: Campaign) -> None:
    out = made.seq_dir.parent
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    calls: list[tuple[int, int]] = []
    again = make_campaign(out, SPEC, progress=lambda done, total: calls.append((done, total)))
    assert again == made
    assert calls == []
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_progress_counts_every_frame(tmp_path: Path) -> None:
    spec = CampaignSpec(nights=1, frames_per_night=12, mixed_frames=2, height=64, width=64)
    calls: list[tuple[int, int]] = []
    make_campaign(tmp_path / "new", spec, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(i, 14) for i in range(1, 15)]


def test_a_campaign_of_another_spec_is_left_alone(made: Campaign) -> None:
    with pytest.raises(NightsiftError, match="exists and is not this campaign"):
        make_campaign(made.seq_dir.parent, CampaignSpec())


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "nights" / "frame.fits"
    precious.parent.mkdir()
    precious.write_text("precious")
    with pytest.raises(NightsiftError, match="exists and is not this campaign"):
        make_campaign(tmp_path / "nights", SPEC)
    assert list(tmp_path.rglob("*")) == [precious.parent, precious]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    write = fits.writeto

    def full(*args: object, **kwargs: object) -> None:
        nonlocal count
        count += 1
        if count > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*args, **kwargs)

    monkeypatch.setattr(campaign_module.fits, "writeto", full)
    with pytest.raises(OSError, match="No space left"):
        make_campaign(tmp_path / "out", SPEC)
    assert count == 6
    assert list(tmp_path.iterdir()) == []


def test_a_faster_process_wins(made: Campaign, tmp_path: Path) -> None:
    out = tmp_path / "out"
    spec = CampaignSpec(nights=1, frames_per_night=12, mixed_frames=0, height=64, width=64)
    nested: list[Campaign] = []

    def second(done: int, _total: int) -> None:
        if done == 12:
            nested.append(make_campaign(out, spec))
            (out / "theirs").touch()

    assert make_campaign(out, spec, progress=second) == nested[0]
    assert (out / "theirs").exists()
    assert list(tmp_path.iterdir()) == [out]


def test_the_record_holds_the_spec(made: Campaign) -> None:
    record = json.loads((made.seq_dir.parent / "campaign.json").read_text())
    assert record.pop("format") >= 1
    assert CampaignSpec(**record) == SPEC


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("nights", 0, "nights >= 1"),
        ("frames_per_night", 11, "frames_per_night >= 12"),
        ("mixed_frames", -1, "mixed_frames >= 0"),
        ("height", 63, ">= 64"),
        ("width", 63, ">= 64"),
        ("bad_fraction", 0.61, "bad_fraction in 0-0.6"),
        ("bad_fraction", float("nan"), "bad_fraction in 0-0.6"),
    ],
)
def test_ranges(field: str, value: float, match: str) -> None:
    with pytest.raises(NightsiftError, match=match):
        CampaignSpec(**{field: value})
