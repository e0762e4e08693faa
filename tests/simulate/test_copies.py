"""Copies of nights in which much changes and nothing is bad: the sky moves, the camera stays."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sep
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.simulate.copies.catalogue import COPIES, GivenNight
from nightsift.simulate.copy_folder import copy_folder
from nightsift.simulate.exposure import expose
from nightsift.simulate.inject import take_apart
from nightsift.simulate.moving import move_stars

FRAMES = 6
HOT = (100, 30)
OVERSCAN = 24
SKY_E, READ_E, GAIN = 400, 8, 2.0


@pytest.fixture(scope="module")
def night(plain, tmp_path_factory) -> Path:
    """Six frames of 25 stars, one of them ten times as bright, a hot pixel and an overscan."""
    folder = tmp_path_factory.mktemp("night")
    instrument = plain.instrument()
    flux = np.full(25, 4e4)
    flux[7] = 4e5
    scene = plain.scene(instrument, flux_e=flux)
    for i in range(FRAMES):
        rng = np.random.default_rng(i)
        pixels = expose(scene, plain.pattern(instrument), rng)
        pixels[:, -OVERSCAN:] = np.rint(500 + READ_E / GAIN * rng.normal(size=(256, OVERSCAN)))
        pixels[HOT] = 20_000
        time = datetime(2025, 3, 1, 20) + timedelta(minutes=i)
        header = fits.Header({"DATE-OBS": time.isoformat(), "EXPTIME": 60.0, "EGAIN": GAIN})
        fits.writeto(folder / f"f{i}.fits", pixels, header)
    labels = [f"f{i}.fits,good" for i in range(FRAMES)]
    (folder / "labels.csv").write_text("\n".join(["file,label", *labels]) + "\n")
    return folder


@pytest.fixture(scope="module")
def copies(night, tmp_path_factory) -> dict[str, Path]:
    """The folder of each kind."""
    out = tmp_path_factory.mktemp("copies") / "out"
    return dict(zip(COPIES, copy_folder(night, out, list(COPIES), seed=1, workers=1), strict=True))


def frames(folder: Path) -> list[np.ndarray]:
    return [fits.getdata(path) for path in sorted(folder.glob("*.fits"))]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def changes(folder: Path, key: str) -> list[float]:
    return [json.loads(row["frame"])[key] for row in rows(folder / "truth.csv")]


def brightest(image: np.ndarray) -> tuple[float, float]:
    """(x, y) of the bright star."""
    data = image[:, :-OVERSCAN].astype(np.float64)
    found = sep.extract(data - np.median(data), 50.0, minarea=9)
    star = found[np.argmax(found["flux"])]
    return float(star["x"]), float(star["y"])


def noise(image: np.ndarray) -> float:
    """Of a pixel against its neighbour, which the light of stars hardly changes."""
    steps = np.diff(image[:, :-OVERSCAN].astype(np.float64), axis=1)
    return float(1.4826 * np.median(np.abs(steps)) / np.sqrt(2))


@pytest.mark.parametrize("kind", list(COPIES))
def test_every_copy_is_good_and_keeps_what_is_no_sky(kind, copies):
    folder = copies[kind]
    assert folder.name == f"{kind}-001"
    labels = rows(folder / "labels.csv")
    assert [row["label"] for row in labels] == ["good"] * FRAMES
    assert {row["notes"] for row in labels} == {f"copy: {kind}"}
    assert {row["kind"] for row in rows(folder / "truth.csv")} == {""}
    for path in folder.glob("*.fits"):
        pixels, header = fits.getdata(path, header=True)
        margin = (256 - pixels.shape[0]) // 2
        assert pixels.dtype == np.uint16
        assert header["EGAIN"] == GAIN
        assert pixels[HOT[0] - margin, HOT[1] - margin] > 15_000
        if OVERSCAN - margin > 4:
            assert np.median(pixels[:, margin - OVERSCAN :]) < 520


def test_the_same_seed_gives_the_same_copy(night, tmp_path):
    one, same, other = (
        frames(copy_folder(night, tmp_path / name, ["dither"], seed=seed, workers=1)[0])[0]
        for name, seed in (("one", 3), ("same", 3), ("other", 4))
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_moon_brings_light_with_its_noise_and_the_field_flips(night, copies):
    folder = copies["moon_extinction_flip"]
    before, after = frames(night), frames(folder)
    factor = changes(folder, "sky_factor")[-1]
    assert factor > 1.4
    # Four fifths of the noise are taken for the sky's.
    light = (factor - 1) * 0.8 * (SKY_E + READ_E**2)
    risen = np.median(after[-1][:, :-OVERSCAN]) - np.median(before[-1][:, :-OVERSCAN])
    assert risen == pytest.approx(light / GAIN, rel=0.15)
    more = noise(after[-1]) ** 2 - noise(before[-1]) ** 2
    assert more == pytest.approx(risen / GAIN, rel=0.15)
    x, y = brightest(before[0])
    assert brightest(after[1]) == pytest.approx((x, y), abs=0.3)
    assert brightest(after[-1]) == pytest.approx((255 - x, 255 - y), abs=0.3)
    assert changes(folder, "lost_mag")[-1] >= 0.2


def test_a_defocused_star_keeps_its_light_and_loses_its_peak(night, copies):
    before, after = frames(night)[2], frames(copies["defocus"])[2]
    diameter = changes(copies["defocus"], "diameter_px")[2]
    assert 10 <= diameter <= 40
    x, y = brightest(before)
    flux = []
    for image in (before, after):
        data = image.astype(np.float64) - np.median(image[:, :-OVERSCAN])
        light, _, _ = sep.sum_circle(data, [x], [y], 0.5 * diameter + 8)
        flux.append(light[0])
    assert flux[1] == pytest.approx(flux[0], rel=0.03)
    near = np.s_[round(y) - 20 : round(y) + 21, round(x) - 20 : round(x) + 21]
    assert after[near].max() < 0.3 * before[near].max()
    assert noise(after) == pytest.approx(noise(before), rel=0.05)


def test_a_field_turns_about_its_centre_and_blank_sky_keeps_its_noise(night, copies):
    folder = copies["rotation"]
    before, after = frames(night), frames(folder)
    for i in (0, 3, 5):
        x, y = brightest(before[i])
        turn = np.deg2rad(changes(folder, "turn_deg")[i])
        cx, cy = (255 * changes(folder, f"centre_{axis}")[i] for axis in "xy")
        turned = (
            cx + (x - cx) * np.cos(turn) - (y - cy) * np.sin(turn),
            cy + (x - cx) * np.sin(turn) + (y - cy) * np.cos(turn),
        )
        assert brightest(after[i]) == pytest.approx(turned, abs=0.4)
        assert noise(after[i]) == pytest.approx(noise(before[i]), rel=0.1)
    assert abs(changes(folder, "turn_deg")[-1]) == pytest.approx(12)


@pytest.mark.parametrize("kind", ["drift", "dither"])
def test_a_field_moves_by_whole_px_between_frames(kind, night, copies):
    before, after = frames(night), frames(copies[kind])
    margin = (256 - after[0].shape[0]) // 2
    moved = np.array([changes(copies[kind], f"shift_{a}_px") for a in "xy"]).T
    assert len(np.unique(moved, axis=0)) > 3
    assert np.linalg.norm(np.diff(moved, axis=0), axis=1).max() <= 21
    assert margin == np.abs(moved).max() > 0
    for i in range(FRAMES):
        wanted = np.array(brightest(before[i])) + moved[i] - margin
        assert brightest(after[i]) == pytest.approx(tuple(wanted), abs=0.1)


def test_the_edge_of_a_filter_stays_where_it_is(plain):
    """A level so steep that `sep` sees sources in it does not turn with the stars."""
    instrument = plain.instrument()
    pixels = expose(plain.scene(instrument), plain.pattern(instrument), np.random.default_rng(0))
    edge = 1 / (1 + np.exp((np.arange(256) - 40) / 4))
    pixels = np.rint(pixels - 150 * edge[:, None]).astype(np.uint16)
    parts = take_apart(pixels, {"EGAIN": GAIN}, 60.0)
    turned = move_stars(
        parts, turn_deg=180.0, centre=(0.5, 0.5), shift_px=(0, 0), rng=np.random.default_rng(1)
    )
    total = turned.back_adu + turned.rest_adu + turned.stars_adu
    for place in (np.s_[:60], np.s_[-60:]):
        before, after = (np.median(image[place], axis=1) for image in (pixels, total))
        assert after == pytest.approx(before, abs=20)


def test_a_night_of_one_frame_can_be_copied():
    one = GivenNight(frames=1, shape=(64, 64), fwhm_px=3.0)
    for make in COPIES.values():
        change = make(one, np.random.default_rng(0))(0)
        assert np.isfinite(change.turn_deg)


def test_an_unknown_copy_is_refused(night, tmp_path):
    with pytest.raises(NightsiftError, match="unknown copy 'sunrise'; known: "):
        copy_folder(night, tmp_path / "out", ["sunrise"])
    assert not (tmp_path / "out").exists()
