"""Light curves of seeded nights: a transit of known depth, cloud, drift, and what cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.look.look import Look
from nightsift.photometry.lightcurve import LightCurve, measure_lightcurve, scatter_ppt
from scenes import SHAPE, Scene, look_of, placed, smooth_night, write_night

FRAMES = 20
DEPTH = 0.05
IN_TRANSIT = np.isin(np.arange(FRAMES), np.arange(8, 14))
CLOUDED = np.isin(np.arange(FRAMES), (0, 4, 11))


class Night(NamedTuple):
    scenes: list[Scene]
    files: list[Path]
    looks: list[Look]

    def target(self, frame: int) -> tuple[float, float]:
        """Where the star of the transit is on a frame."""
        return next((x, y) for x, y, _, bright in placed(self.scenes[frame], SHAPE) if bright)

    def curve(self, kept: np.ndarray, **keys: object) -> LightCurve:
        return measure_lightcurve(self.looks, kept, **keys)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """The brightest star near the middle has a transit; cloud lies unevenly on three frames."""
    scenes = [
        replace(
            scene,
            dimmed_star=1 - DEPTH * IN_TRANSIT[i],
            transparency=0.4 if CLOUDED[i] else scene.transparency,
            uneven=0.7 if CLOUDED[i] else 0.0,
        )
        for i, scene in enumerate(smooth_night(FRAMES, 3))
    ]
    files = write_night(tmp_path_factory.mktemp("transit"), scenes)
    return Night(scenes, files, [look_of(path) for path in files])


def test_a_transit_is_as_deep_as_it_was_made(night):
    curve = night.curve(~CLOUDED, target=night.target(1), inside=IN_TRANSIT)
    assert curve.files == tuple(night.files)
    assert curve.hours == pytest.approx(np.arange(FRAMES) * 0.025)
    np.testing.assert_array_equal(curve.kept, ~CLOUDED)
    np.testing.assert_array_equal(curve.inside, IN_TRANSIT)
    level = {
        within: np.median(curve.flux[curve.kept & (within == IN_TRANSIT)]) for within in (0, 1)
    }
    assert 1 - level[1] / level[0] == pytest.approx(DEPTH, abs=0.004)
    assert np.median(curve.flux[curve.kept]) == pytest.approx(1)


def test_rejecting_the_clouds_makes_the_curve_quieter(night):
    curve = night.curve(~CLOUDED)
    assert curve.after_ppt < 8
    assert curve.before_ppt > 2 * curve.after_ppt
    assert curve.stars == 11
    assert curve.summary() == (
        f"scatter {curve.before_ppt:.2f} ppt before, {curve.after_ppt:.2f} ppt after rejecting "
        "3 of 20 frames (11 comparison stars)"
    )


def test_what_was_rejected_within_the_transit_is_said(night):
    curve = night.curve(~CLOUDED, inside=IN_TRANSIT)
    assert curve.summary().endswith("; 1 of 6 rejected inside the transit, 2 of 14 outside")


def test_a_frame_that_cannot_be_read_or_shows_another_field_has_no_flux(night, tmp_path):
    junk = tmp_path / "junk.fits"
    junk.write_bytes(b"junk")
    (other,) = write_night(tmp_path / "other", [Scene(field=7)])
    measured = [look_of(junk), *night.looks, look_of(other)]
    kept = np.r_[False, ~CLOUDED, True]
    curve = measure_lightcurve(measured, kept)
    assert curve.files == tuple(night.files)
    assert curve.after_ppt < 8


def test_a_star_that_has_left_the_frame_stops_no_light_curve(night, tmp_path):
    """One frame in twenty may be off: there `sep` found no sky around a star, and gave up."""
    away = replace(night.scenes[-1], shift=(-0.55 * SHAPE[1], 0.0))
    (file,) = write_night(tmp_path, [away])
    files, measured = [*night.files[:-1], file], [*night.looks[:-1], look_of(file)]
    curve = measure_lightcurve(measured, ~CLOUDED)
    assert curve.files == tuple(files)
    assert curve.after_ppt < 8


def test_frames_without_a_time_have_no_hours(night):
    measured = [replace(item, info=replace(item.info, time=None)) for item in night.looks]
    curve = measure_lightcurve(measured, ~CLOUDED)
    assert np.isnan(curve.hours).all()


def test_a_target_that_is_no_star_is_refused(night):
    with pytest.raises(NightsiftError, match=r"target=\[1.0, 2.0\]: no star there"):
        night.curve(~CLOUDED, target=(1.0, 2.0))


@pytest.mark.parametrize(
    ("number", "kept", "message"),
    [
        (7, range(7), "too few frames of one field for a light curve: 7, expected at least 8"),
        (20, range(2), "too few kept frames for a light curve: 2, expected at least 3"),
        (20, (), "too few kept frames for a light curve: 0, expected at least 3"),
    ],
)
def test_too_few_frames_are_refused(night, number, kept, message):
    kept = np.isin(np.arange(number), kept)
    with pytest.raises(NightsiftError, match=message):
        measure_lightcurve(night.looks[:number], kept)


def test_a_night_that_cannot_be_read_is_refused(tmp_path):
    files = [tmp_path / f"{i}.fits" for i in range(9)]
    measured = [look_of(path) for path in files]
    with pytest.raises(NightsiftError, match="no frame of the night could be read"):
        measure_lightcurve(measured, np.ones(9, dtype=bool))


def test_stars_too_wide_for_the_frame_are_refused(night):
    wide = [replace(item, features={**item.features, "fwhm_px": 60.0}) for item in night.looks]
    with pytest.raises(NightsiftError, match="only 0 stars for a light curve: expected 3 or more"):
        measure_lightcurve(wide, ~CLOUDED)


def test_scatter_is_that_of_the_noise_and_blind_to_slow_changes():
    rng = np.random.default_rng(0)
    flux = 1 + 0.004 * rng.standard_normal(4000) + 0.1 * np.sin(np.linspace(0, 6, 4000))
    assert scatter_ppt(flux) == pytest.approx(4, rel=0.05)
    assert np.isnan(scatter_ppt(flux[:2]))
