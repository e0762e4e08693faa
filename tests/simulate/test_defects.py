"""Each defect does to the pixels what its truth says, measured with the field's own tools."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import sep
from scipy.spatial import cKDTree

from nightsift.simulate.defects import (
    CAUSES,
    SCENE_DEFECTS,
    SINGLES,
    SPELLS,
    disc_kernel,
    double_kernel,
    line_kernel,
    readout,
)
from nightsift.simulate.sky import Scene, StarField, Telescope, expose, moffat

SHAPE = (200, 240)
TELESCOPE = Telescope(
    name="T50",
    fwhm_px=3.0,
    gain=1.5,
    read_noise_e=8.0,
    bias_adu=300.0,
    sky_e=400.0,
    exposure_s=60.0,
    cadence_s=70.0,
    stars=20.0,
    vignetting=0.0,
)


class Measured(NamedTuple):
    """Sources of one frame: positions, aperture fluxes, shapes, and the sky level in ADU."""

    xy: np.ndarray
    flux: np.ndarray
    elongation: float
    half_flux_radius_px: float
    sky_adu: float
    n: int


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Thirty bright stars on a grid, far enough apart for any defect."""
    rng = np.random.default_rng(3)
    x, y = np.meshgrid(np.arange(20.0, 240, 40), np.arange(20.0, 200, 40))
    x, y = (axis.ravel() + rng.uniform(-3, 3, axis.size) for axis in (x, y))
    return Scene(field=StarField(x, y, rng.uniform(2e4, 6e4, x.size)), sky_e=400.0)


def measure(pixels: np.ndarray) -> Measured:
    data = pixels.astype(np.float64)
    background = sep.Background(data, bw=40, bh=40)
    image = data - background.back()
    found = sep.extract(image, 5.0, err=background.globalrms, minarea=9)
    flux, _, _ = sep.sum_circle(image, found["x"], found["y"], 14.0)
    radius, _ = sep.flux_radius(
        image, found["x"], found["y"], np.full(len(found), 18.0), 0.5, normflux=flux
    )
    return Measured(
        np.column_stack([found["x"], found["y"]]),
        flux,
        float(np.median(found["a"] / found["b"])),
        float(np.median(radius)),
        float(np.median(data)) - TELESCOPE.bias_adu,
        len(found),
    )


def render(scene: Scene, seed: int = 0) -> np.ndarray:
    return expose(scene, TELESCOPE, SHAPE, np.random.default_rng(seed))


def spoil(scene: Scene, cause: str, strength: float, seed: int = 0) -> tuple[np.ndarray, float]:
    changed, truth = SCENE_DEFECTS[cause](scene, strength, SHAPE, np.random.default_rng(seed))
    assert truth.cause == cause
    return render(changed, seed), truth.strength


def test_a_good_frame_keeps_its_shape_sky_and_flux(scene: Scene) -> None:
    good = measure(render(scene))
    moved = measure(render(scene.changed(shift_px=(3.3, -2.6)), seed=1))
    assert good.n == moved.n == 30
    assert moved.elongation == pytest.approx(good.elongation, rel=0.05)
    assert moved.half_flux_radius_px == pytest.approx(good.half_flux_radius_px, rel=0.05)
    assert moved.sky_adu == pytest.approx(400 / 1.5, rel=0.02)
    nearest = cKDTree(moved.xy).query(good.xy + np.array([3.3, -2.6]))[1]
    shift = np.median(moved.xy[nearest] - good.xy, axis=0)
    assert shift == pytest.approx([3.3, -2.6], abs=0.05)


def test_electrons_arrive(scene: Scene) -> None:
    good = measure(render(scene))
    order = cKDTree(good.xy).query(np.column_stack([scene.field.x, scene.field.y]))[1]
    # Beyond 14 px a Moffat profile of beta 3 and 3 px holds 0.2 % of the light.
    assert np.median(good.flux[order] * 1.5 / scene.field.flux_e) == pytest.approx(1.0, abs=0.03)


def test_photon_and_read_noise() -> None:
    dark = Scene(field=StarField(*np.zeros((3, 0))), sky_e=400.0)
    assert np.std(render(dark)) == pytest.approx(np.sqrt(400 + 8**2) / 1.5, rel=0.02)


def test_a_flip_turns_the_field_by_half_a_turn(scene: Scene) -> None:
    good, flipped = measure(render(scene)), measure(render(scene.changed(flipped=True)))
    expected = np.array([SHAPE[1] - 1, SHAPE[0] - 1]) - good.xy
    assert cKDTree(flipped.xy).query(expected)[0].max() < 0.2


def test_saturation(scene: Scene) -> None:
    flux = scene.field.flux_e * 1000
    assert render(scene.changed(field=StarField(scene.field.x, scene.field.y, flux))).max() == 65535


@pytest.mark.parametrize("strength", [0.1, 0.4, 0.7])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cloud_dims_the_stars_by_its_transmission(scene: Scene, strength: float, seed: int) -> None:
    pixels, transmission = spoil(scene, "cloud", strength, seed)
    data = pixels.astype(np.float64)
    image = data - sep.Background(data, bw=40, bh=40).back()
    clear = measure(render(scene))
    flux, _, _ = sep.sum_circle(image, clear.xy[:, 0], clear.xy[:, 1], 6.0)
    good = render(scene).astype(np.float64)
    good -= sep.Background(good, bw=40, bh=40).back()
    before, _, _ = sep.sum_circle(good, clear.xy[:, 0], clear.xy[:, 1], 6.0)
    assert np.mean(flux / before) == pytest.approx(transmission, rel=0.15)
    assert measure(pixels).sky_adu > clear.sky_adu


@pytest.mark.parametrize("seed", range(4))
def test_trailing_elongates_the_stars(scene: Scene, seed: int) -> None:
    pixels, length = spoil(scene, "trailing", 0.3, seed)
    good, bad = measure(render(scene)), measure(pixels)
    assert length == pytest.approx(3.0 * 3.75)
    assert good.elongation < 1.15
    # A double image may be found as two round stars each.
    assert bad.elongation > 2 or bad.n > 1.5 * good.n


@pytest.mark.parametrize("seed", range(4))
def test_defocus_widens_the_stars(scene: Scene, seed: int) -> None:
    pixels, diameter = spoil(scene, "defocus", 0.5, seed)
    good, bad = measure(render(scene)), measure(pixels)
    # Half the light of a disc lies within 0.71 of its radius; of a donut further out.
    assert bad.half_flux_radius_px > max(1.8 * good.half_flux_radius_px, 0.6 * diameter / 2)
    assert bad.elongation < 1.3


def test_bright_sky_raises_the_background(scene: Scene) -> None:
    pixels, factor = spoil(scene, "bright_sky", 0.5)
    good, bad = measure(render(scene)), measure(pixels)
    assert bad.sky_adu / good.sky_adu == pytest.approx(factor, rel=0.15)


def test_obstruction_darkens_the_share_it_states(scene: Scene) -> None:
    pixels, share = spoil(scene, "obstruction", 0.5)
    sky = pixels - TELESCOPE.bias_adu
    assert np.mean(sky < 0.5 * 400 / 1.5) == pytest.approx(share, abs=0.05)


def test_streak_is_a_line_of_its_strength(scene: Scene) -> None:
    empty = scene.changed(field=StarField(*np.zeros((3, 0))))
    pixels, sigma = spoil(empty, "streak", 0.6)
    image = (pixels - np.median(pixels)) / (1.4826 * np.median(np.abs(pixels - np.median(pixels))))
    y, x = np.nonzero(image > 0.6 * sigma)
    spread = np.linalg.eigvalsh(np.cov(x, y))
    assert spread[1] > 400 * spread[0]
    assert np.percentile(image, 99.5) == pytest.approx(sigma, rel=0.4)


def test_pointing_brings_other_stars(scene: Scene) -> None:
    changed, truth = SCENE_DEFECTS["pointing"](scene, 0.5, SHAPE, np.random.default_rng(0))
    assert np.hypot(*changed.shift_px) == pytest.approx(truth.strength)
    assert truth.strength > 0.25 * max(SHAPE)


def test_no_stars_has_none(scene: Scene) -> None:
    pixels, leak = spoil(scene, "no_stars", 1.0)
    assert leak == 0
    assert np.median(pixels) == pytest.approx(TELESCOPE.bias_adu, abs=1)
    assert len(sep.extract(pixels - float(TELESCOPE.bias_adu), 5.0, err=8 / 1.5, minarea=5)) == 0


@pytest.mark.parametrize("seed", range(6))
def test_readout_spoils_only_the_rows_it_states(scene: Scene, seed: int) -> None:
    good = render(scene)
    bad, truth = readout(good, 0.5, np.random.default_rng(seed))
    changed = np.any(bad != good, axis=1)
    assert bad.dtype == np.uint16
    assert changed.mean() == pytest.approx(truth.strength, abs=0.03)
    assert not changed[: int(len(changed) * (1 - truth.strength)) - 1].any()


@pytest.mark.parametrize("cause", sorted(SCENE_DEFECTS))
def test_a_defect_leaves_the_scene_it_was_given(scene: Scene, cause: str) -> None:
    before = render(scene)
    spoil(scene, cause, 0.9)
    assert np.array_equal(render(scene), before)


@pytest.mark.parametrize(
    "kernel",
    [line_kernel(11.3, 0.4), double_kernel(9.0, 2.1), disc_kernel(12.0, 0.4), disc_kernel(5, 0)],
)
def test_kernels_move_no_light(kernel: np.ndarray) -> None:
    half = np.array(kernel.shape) // 2
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]]
    assert kernel.sum() == pytest.approx(1)
    assert kernel.min() >= 0
    assert [(kernel * y).sum(), (kernel * x).sum()] == pytest.approx(half, abs=1e-6)


def test_moffat_has_unit_volume_and_its_width() -> None:
    y, x = np.mgrid[-60:61, -60:61].astype(float)
    profile = moffat(x, y, 4.0)
    assert profile.sum() == pytest.approx(1, abs=0.01)
    assert profile[60, 62] == pytest.approx(profile[60, 60] / 2)


def test_every_cause_has_its_place() -> None:
    assert set(SPELLS) | set(SINGLES) == set(CAUSES)
