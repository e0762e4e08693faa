from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
import sep

from nightsift.errors import NightsiftError
from nightsift.fits.nights import group_nights
from nightsift.fits.reader import read_frame
from nightsift.simulate import campaign as campaign_module
from nightsift.simulate.campaign import CampaignSpec, make_campaign
from nightsift.simulate.defects import CAUSES, SCENE_DEFECTS, readout
from nightsift.simulate.sky import Scene, draw_field, draw_telescope, expose, render_stars

TINY = CampaignSpec(nights=2, frames_per_night=14, mixed_frames=12, height=80, width=96, seed=3)
SHAPE = (200, 240)


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


@pytest.fixture
def scene() -> Scene:
    rng = np.random.default_rng(5)
    telescope = draw_telescope(rng)
    return Scene(field=draw_field(rng, telescope, SHAPE), fwhm_px=3.0, sky_e=400.0)


def moments(image: np.ndarray) -> tuple[float, float]:
    """Median elongation and half-flux radius of the bright stars of a noiseless image."""
    objects = sep.extract(image, 0.02 * image.max(), minarea=9)
    radius, _ = sep.flux_radius(image, objects["x"], objects["y"], 25 + 0 * objects["x"], 0.5)
    return float(np.median(objects["a"] / objects["b"])), float(np.median(radius))


def test_trailing_elongates_and_defocus_widens(scene):
    rng = np.random.default_rng(0)
    round_stars = moments(render_stars(scene, SHAPE))
    trailed, _ = SCENE_DEFECTS["trailing"](scene, 0.5, SHAPE, rng)
    assert moments(render_stars(trailed, SHAPE))[0] > 1.5 * round_stars[0]
    wide, truth = SCENE_DEFECTS["defocus"](scene, 0.5, SHAPE, rng)
    assert moments(render_stars(wide, SHAPE))[1] > 1.5 * round_stars[1]
    assert (truth.cause, truth.unit) == ("defocus", "px")


def test_cloud_dims_by_the_stated_transmission_and_glows(scene):
    rng = np.random.default_rng(1)
    cloudy, truth = SCENE_DEFECTS["cloud"](scene, 0.6, SHAPE, rng)
    clear = render_stars(scene, SHAPE)
    ratio = (clear * cloudy.transmission).sum() / clear.sum()
    assert ratio == pytest.approx(truth.strength, rel=0.3)
    assert 0.2 < truth.strength < 0.6
    assert float(np.mean(cloudy.light_e)) > 0


def test_bright_sky_and_streak_and_readout_change_what_they_say(scene):
    rng = np.random.default_rng(2)
    telescope = draw_telescope(rng)
    plain = expose(scene, telescope, SHAPE, np.random.default_rng(3))
    bright, truth = SCENE_DEFECTS["bright_sky"](scene, 0.3, SHAPE, rng)
    assert bright.sky_e == pytest.approx(scene.sky_e * truth.strength)
    lined, _ = SCENE_DEFECTS["streak"](scene, 0.8, SHAPE, rng)
    changed = expose(lined, telescope, SHAPE, np.random.default_rng(3)).astype(float) - plain
    assert (changed > 0).mean() > 0.01
    broken, truth = readout(plain, 0.5, rng)
    rows = (broken != plain).any(axis=1).mean()
    assert rows == pytest.approx(truth.strength, abs=0.1)


def test_a_pointing_jump_moves_the_field_by_the_stated_length(scene):
    moved, truth = SCENE_DEFECTS["pointing"](scene, 0.5, SHAPE, np.random.default_rng(4))
    assert np.hypot(*moved.shift_px) == pytest.approx(truth.strength)
