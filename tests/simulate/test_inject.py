"""Defects in frames that are given, not made: what must change does, the rest stays."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sep
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.fits.reader import read_frame
from nightsift.simulate.defects.catalogue import DEFECTS
from nightsift.simulate.exposure import expose
from nightsift.simulate.inject import inject, take_apart
from nightsift.simulate.inject_folder import inject_folder
from nightsift.simulate.occurrences import Occurrence, apply
from nightsift.simulate.spells import DefectSpec

HEADER = {"EGAIN": 2.0}
# Those that leave the light of the sky as it is.
SAME_SKY = ["trail", "wind_shake", "double_image", "defocus_donut", "halo", "satellite"]


@pytest.fixture
def pixels(scene, pattern):
    return expose(scene, pattern, np.random.default_rng(7))


def injected(pixels, kind, strength, *, seed=3, header=HEADER):
    parts = take_apart(pixels, header, 60.0)
    rng = np.random.default_rng(1)
    effect, truths = apply([Occurrence(kind, strength, seed)], parts.facts, rng)
    return inject(pixels, parts, effect, rng), truths[0], effect


EVERY = [(kind, np.uint16) for kind in DEFECTS]
OTHERS = [(kind, dtype) for kind in ("trail", "tree", "lamp") for dtype in (np.int16, np.float32)]


@pytest.mark.parametrize(("kind", "dtype"), EVERY + OTHERS)
def test_strength_zero_returns_the_frame(kind, dtype, pixels):
    given = np.minimum(pixels, 32767).astype(dtype)
    out, _, _ = injected(given, kind, 0.0)
    assert out.dtype == dtype
    if dtype == np.float32:
        assert np.allclose(out, given, atol=0.01)
    else:
        assert np.array_equal(out, given)


def test_what_is_measured_of_a_frame_is_what_it_was_made_with(scene, pixels):
    facts = take_apart(pixels, HEADER, 60.0).facts
    assert facts.fwhm_px == pytest.approx(3.5, rel=0.1)
    assert facts.noise_e == pytest.approx(np.sqrt(400 + 64), rel=0.05)
    assert facts.gain_e_adu == 2.0


def test_parts_sum_to_the_frame_and_hot_pixels_stay_in_the_rest(pixels):
    pixels[100, 30] = 30_000
    parts = take_apart(pixels, HEADER, 60.0)
    total = parts.back_adu + parts.stars_adu + parts.rest_adu
    assert np.allclose(total, pixels, atol=1e-6)
    assert parts.rest_adu[100, 30] > 20_000
    trailed, _, _ = injected(pixels, "trail", 4.0)
    assert trailed[100, 30] > 20_000


@pytest.mark.parametrize("kind", SAME_SKY)
def test_blank_sky_keeps_its_noise(kind, scene, pixels):
    out, _, effect = injected(pixels, kind, DEFECTS[kind].strength(0.6))
    changed = out.astype(np.float64)
    if np.ndim(effect.light_e):
        changed = np.where(effect.light_e > 1, np.nan, changed)
    y, x = np.mgrid[:256, :256]
    far = np.min(np.hypot(x[..., None] - scene.x, y[..., None] - scene.y), axis=-1) > 20
    before = pixels[far].astype(float)
    assert _sigma(changed[far]) == pytest.approx(_sigma(before), rel=0.06)


def _sigma(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def test_where_a_star_was_there_is_noise_like_everywhere(scene, pixels):
    """A star that moves away leaves sky behind, not a smooth hole."""
    out, _, effect = injected(pixels, "jump", 0.06, seed=5)
    x, y = scene.x[12], scene.y[12]
    assert np.hypot(*effect.shift_px) > 12
    left = out[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].astype(float)
    assert left.std() == pytest.approx(np.sqrt(464) / 2, rel=0.35)
    assert np.median(left) == pytest.approx(np.median(pixels), abs=8)


def test_added_light_brings_its_photon_noise(pixels):
    out, _, _ = injected(pixels, "twilight", 10.0)
    facts = take_apart(pixels, HEADER, 60.0).facts
    variance = facts.noise_e**2 + 10 * facts.sky_e
    data = out.astype(np.float64)
    clean = data - sep.Background(data).back()
    assert _sigma(clean) == pytest.approx(np.sqrt(variance) / 2, rel=0.1)


def test_a_cloud_dims_real_stars_by_its_transmission(scene, pixels):
    out, truth, _ = injected(pixels, "thick_cloud", 0.75)
    flux = []
    for image in (pixels, out):
        data = image.astype(np.float64)
        light, _, _ = sep.sum_circle(data - sep.Background(data).back(), scene.x, scene.y, 8.0)
        flux.append(light)
    ratio = np.median(flux[1] / flux[0])
    assert ratio == pytest.approx(truth.parameters["transmission"], rel=0.1)


def test_a_strength_means_the_same_on_two_cameras(plain):
    """A trail of 3 FWHM makes stars as long on either, measured in their widths."""
    ratios = []
    for fwhm, gain in ((3.0, 2.0), (5.0, 0.5)):
        instrument = plain.instrument(gain_e_adu=gain, full_well_e=3e4)
        scene = plain.scene(instrument, flux_e=np.full(25, 6e4), psf=plain.psf(fwhm))
        given = expose(scene, plain.pattern(instrument), np.random.default_rng(2))
        out, _, _ = injected(given, "trail", 3.0, header={"EGAIN": gain})
        data = out.astype(np.float64)
        sources = sep.extract(
            data - np.median(data), 3.0, err=_sigma(data), filter_kernel=None, minarea=20
        )
        ratios.append(np.median(sources["a"] / sources["b"]))
    assert ratios[0] == pytest.approx(ratios[1], rel=0.2)
    assert ratios[0] > 1.5


@pytest.mark.parametrize(("fwhm", "seen"), [(1.8, 2.1), (3.5, 3.6), (7.0, 7.0)])
def test_the_width_is_that_of_stars_among_hot_pixels(plain, fwhm, seen):
    """Hot pixels, also in pairs, and columns are no stars; pixels widen the narrowest."""
    scene = plain.scene(plain.instrument(), flux_e=np.full(25, 8e4), psf=plain.psf(fwhm))
    given = expose(scene, plain.pattern(plain.instrument()), np.random.default_rng(2))
    rng = np.random.default_rng(3)
    y, x = rng.integers(2, 250, (2, 1500))
    given[y, x] += rng.exponential(1500, 1500).astype(np.uint16)
    given[y[:300], x[:300] + 1] += rng.exponential(800, 300).astype(np.uint16)
    given[:, [40, 177]] += 400
    facts = take_apart(given, HEADER, 60.0).facts
    assert facts.fwhm_px == pytest.approx(seen, rel=0.08)
    assert facts.clear_stars >= 15


def test_a_ring_is_as_wide_as_it_looks(plain):
    scene = plain.scene(plain.instrument(), flux_e=np.full(25, 4e5), psf=plain.psf(3.0))
    given = expose(scene, plain.pattern(plain.instrument()), np.random.default_rng(2))
    ring, _, _ = injected(given, "defocus_donut", 6.0)
    assert take_apart(ring, HEADER, 60.0).facts.fwhm_px > 2.5 * 3.0


def test_columns_stay_where_they_are_when_the_stars_move(pixels):
    pixels[:, 90] += 300
    pixels[:12] -= 150
    out, _, effect = injected(pixels, "jump", 0.2, seed=5)
    assert np.hypot(*effect.shift_px) > 40
    level = np.median(out.astype(float))
    assert np.median(out[:, 90]) - level == pytest.approx(300, abs=12)
    assert np.median(out[:12]) - level == pytest.approx(-150, abs=12)
    assert np.abs(np.median(out[12:].astype(float), axis=1) - level).max() < 12


def with_dark_edge(pixels):
    """The right fifth behind the frame of a filter: only the offset is left, less its noise."""
    out = pixels.astype(float)
    rng = np.random.default_rng(8)
    out[:, 205:] = 500 + rng.normal(0, 4, out[:, 205:].shape)
    return np.rint(out).astype(np.uint16)


def test_no_light_falls_onto_dark_columns(pixels):
    given = with_dark_edge(pixels)
    out, _, _ = injected(given, "twilight", 6.0)
    change = out.astype(float) - given
    assert np.median(change[:, :190]) > 600
    assert np.abs(np.median(change[:, 225:])) < 40
    assert out[:, 225:].std() < 3 * given[:, 225:].std()


def test_the_level_above_the_pedestal_limits_the_sky(plain):
    """A short exposure with much read noise: there is less sky than the noise says."""
    instrument = plain.instrument(read_noise_e=30.0, bias_adu=100.0)
    scene = replace(plain.scene(instrument), sky_e=40.0)
    given = expose(scene, plain.pattern(instrument), np.random.default_rng(1))
    facts = take_apart(given, {"EGAIN": 2.0, "PEDESTAL": -100}, 5.0).facts
    assert facts.sky_e == pytest.approx(40.0, rel=0.3)


def test_a_frame_whose_sky_was_subtracted_keeps_its_noise_under_a_cloud(pixels):
    given = pixels.astype(np.float32) - np.float32(np.median(pixels))
    out, _, _ = injected(given, "thin_cloud", 0.2)
    assert _pixel_noise(out) == pytest.approx(_pixel_noise(given), rel=0.15)


@pytest.mark.parametrize("kind", ["defocus_disc", "trail", "jump", "thin_cloud", "halo"])
def test_a_crowded_field_keeps_its_noise(plain, kind):
    """Where most pixels hold starlight the noise is told by neighbours, not by the scatter."""
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-5, 260, (2, 900))
    scene = replace(
        plain.scene(plain.instrument()), x=x, y=y, flux_e=10 ** rng.uniform(2.5, 4.3, 900)
    )
    given = expose(scene, plain.pattern(plain.instrument()), np.random.default_rng(2))
    out, _, _ = injected(given, kind, {"jump": 0.2, "thin_cloud": 0.2}.get(kind, 1.5))
    assert _pixel_noise(out) == pytest.approx(_pixel_noise(given), rel=0.08)


def _pixel_noise(pixels: np.ndarray) -> float:
    """Of one pixel, from third differences: stars of several pixels cancel."""
    data = pixels.astype(np.float64)
    apart = data[:, 3:] - 3 * data[:, 2:-1] + 3 * data[:, 1:-2] - data[:, :-3]
    return _sigma(apart) / np.sqrt(20)


def test_what_cannot_be_seen_is_not_called_bad(plain):
    empty = plain.scene(plain.instrument(), flux_e=np.full(25, 60.0))
    given = expose(empty, plain.pattern(plain.instrument()), np.random.default_rng(2))
    assert take_apart(given, HEADER, 60.0).facts.clear_stars < 3
    for kind, strength in (("trail", 4.0), ("defocus_donut", 5.0), ("jump", 0.3)):
        _, truth, _ = injected(given, kind, strength)
        assert truth.label == "marginal"
    for kind, strength in (("satellite", 4.0), ("twilight", 10.0), ("half_frame", 0.3)):
        _, truth, _ = injected(given, kind, strength)
        assert truth.label == "bad"


def test_amateur_gain_settings_are_not_taken_for_electrons(pixels):
    assert take_apart(pixels, {"GAIN": 2.5}, 60.0).gain_known
    assert not take_apart(pixels, {"GAIN": 2.5, "SWCREATE": "N.I.N.A. 3.1"}, 60.0).gain_known
    assert not take_apart(pixels, {}, 60.0).gain_known
    assert take_apart(pixels, {"AGAIN_01": 3.1}, 60.0).facts.gain_e_adu == 3.1


def write_night(folder: Path, pixels, labels: dict[str, str], suffix=".fits") -> None:
    folder.mkdir(parents=True)
    start = datetime(2025, 3, 1, 20)
    for i, name in enumerate(labels):
        header = fits.Header({"DATE-OBS": (start + timedelta(minutes=i)).isoformat()})
        header["EXPTIME"], header["EGAIN"], header["OBSERVER"] = 60.0, 2.0, "somebody"
        header["HISTORY"] = "kept as it is"
        if suffix == ".fits.fz":
            hdus = [fits.PrimaryHDU(), fits.CompImageHDU(pixels, header)]
            fits.HDUList(hdus).writeto(folder / (name + suffix))
        else:
            fits.writeto(folder / (name + suffix), pixels, header)
    rows = ["file,label", *(f"{name}{suffix},{label}" for name, label in labels.items())]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")


def digest(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


LABELS = {f"f{i:03d}": "good" for i in range(12)} | {"x1": "bad", "x2": "", "x3": "marginal"}
SPEC = DefectSpec(bad_fraction=0.4, faintest=0.5)


def test_only_good_frames_are_used_and_the_source_is_not_touched(tmp_path, pixels, caplog):
    write_night(tmp_path / "mine", pixels, LABELS)
    before = digest(tmp_path / "mine")
    with caplog.at_level("INFO"):
        (night,) = inject_folder(tmp_path / "mine", tmp_path / "out", SPEC, seed=3, workers=1)
    assert digest(tmp_path / "mine") == before
    assert "12 good frames used; left out: 1 bad, 2 without label" in caplog.text
    rows = table(night / "labels.csv")
    assert {row["file"] for row in rows} == {f"f{i:03d}.fits" for i in range(12)}
    changed = {
        row["file"]: not np.array_equal(fits.getdata(night / row["file"]), pixels) for row in rows
    }
    defects = {row["file"] for row in table(night / "truth.csv") if row["kind"]}
    assert {name for name, differs in changed.items() if differs} == defects
    header = fits.getheader(night / rows[0]["file"])
    assert header["OBSERVER"] == "somebody"
    assert "kept as it is" in str(header["HISTORY"])
    assert read_frame(night / rows[0]["file"]).info.time is not None


def test_the_same_seed_gives_the_same_bytes(tmp_path, pixels):
    write_night(tmp_path / "mine", pixels, LABELS)
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        inject_folder(tmp_path / "mine", tmp_path / out, SPEC, seed=seed, workers=1)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_a_packed_source_keeps_its_header_and_loses_its_packing(tmp_path, pixels):
    write_night(tmp_path / "mine", pixels, LABELS, suffix=".fits.fz")
    (night,) = inject_folder(tmp_path / "mine", tmp_path / "out", SPEC, workers=1)
    names = sorted(path.name for path in night.glob("*.fits*"))
    assert names[0] == "f000.fits"
    header = fits.getheader(night / "f000.fits")
    assert header["OBSERVER"] == "somebody"
    assert not [key for key in header if key.startswith("Z")]
    frame = read_frame(night / "f000.fits")
    assert frame.pixels.dtype == np.uint16


def test_a_source_without_good_frames_is_refused_and_nothing_is_left(tmp_path, pixels):
    write_night(tmp_path / "mine", pixels, {"a": "bad", "b": "bad"})
    with pytest.raises(
        NightsiftError, match="expected frames that are good, found 2 files of which 2"
    ):
        inject_folder(tmp_path / "mine", tmp_path / "out", SPEC)
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "a.fits").write_bytes(b"no FITS file")
    with pytest.raises(NightsiftError, match="1 are unreadable"):
        inject_folder(tmp_path / "junk", tmp_path / "out", SPEC)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junk", "mine"]


def test_an_existing_target_is_refused(tmp_path, pixels):
    write_night(tmp_path / "mine", pixels, LABELS)
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError):
        inject_folder(tmp_path / "mine", tmp_path / "out", SPEC)
