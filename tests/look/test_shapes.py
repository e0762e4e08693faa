from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scenes import Scene, frame, measure

GOOD = Scene()


def features(scene: Scene, seed: int = 0, shape: tuple[int, int] = (320, 420)) -> dict[str, float]:
    return measure(frame(scene, seed, shape)).features


@pytest.mark.parametrize("fwhm", [2.2, 3.2, 5.0, 8.0])
def test_fwhm_is_measured_to_a_tenth(fwhm):
    # A Gaussian that fits a Moffat profile best is a little wider than its half width.
    assert features(replace(GOOD, fwhm=fwhm))["fwhm_px"] == pytest.approx(1.08 * fwhm, rel=0.1)


def test_fwhm_does_not_depend_on_the_reduction():
    small = features(replace(GOOD, fwhm=4.0))
    large = features(replace(GOOD, fwhm=4.0), shape=(1900, 1900))
    assert large["fwhm_px"] == pytest.approx(small["fwhm_px"], rel=0.08)


def test_fault_6_a_defocused_frame_has_the_larger_fwhm():
    sizes = [
        features(scene)["fwhm_px"]
        for scene in (
            GOOD,
            replace(GOOD, fwhm=4.5),
            replace(GOOD, ring=6.0),
            replace(GOOD, ring=12.0),
        )
    ]
    assert sizes == sorted(sizes)
    assert sizes[3] > 3 * sizes[0]


@pytest.mark.parametrize("ring", [5.0, 9.0, 14.0])
def test_rings_are_told_from_bad_seeing(ring):
    sparse = replace(GOOD, stars=30)
    donut = features(replace(sparse, ring=ring))
    seeing = features(replace(sparse, fwhm=1.6 * ring))
    assert donut["concentration"] < 2.25
    assert donut["dip"] < 0.85
    assert seeing["concentration"] > 2.4
    assert seeing["dip"] > 1.1


@pytest.mark.parametrize("angle", [0.0, 35.0, 90.0, 140.0])
def test_a_trail_has_its_direction_and_leaves_the_width_across(angle):
    got = features(replace(GOOD, trail=8.0, trail_deg=angle))
    assert got["elongation"] > 1.5
    assert got["pa_coherence"] > 0.9
    assert (got["pa_deg"] - angle + 90) % 180 - 90 == pytest.approx(0, abs=4)
    assert got["minor_fwhm_px"] == pytest.approx(features(GOOD)["minor_fwhm_px"], rel=0.2)


def test_trailing_is_told_from_defocus():
    trailed, defocused = features(replace(GOOD, trail=7.0)), features(replace(GOOD, fwhm=5.5))
    assert trailed["trail"] > 0.35
    assert defocused["trail"] < 0.12


def test_hot_pixels_and_cosmic_rays_are_no_stars():
    clean = features(GOOD)
    dirty = features(replace(GOOD, hot_pixels=2000, cosmic_rays=40))
    assert dirty["hot_pixels"] > 700
    assert dirty["n_stars"] == pytest.approx(clean["n_stars"], rel=0.25)
    assert dirty["fwhm_px"] == pytest.approx(clean["fwhm_px"], rel=0.05)


def test_sharpness_without_stars_follows_the_seeing():
    # Stars too faint to be found one by one, but there.
    rng = np.random.default_rng(1)
    widths = [
        features(replace(GOOD, fwhm=w, stars=900), seed=int(rng.integers(99)))["acf_width_px"]
        for w in (2.5, 4.0, 6.0)
    ]
    assert widths == sorted(widths)
    assert widths[2] > 1.6 * widths[0]


def test_a_frame_of_noise_has_no_shapes_and_no_sharpness():
    got = features(replace(GOOD, stars=0))
    assert got["n_stars"] <= 1
    assert np.isnan(got["fwhm_px"])
    assert np.isnan(got["acf_width_px"])
