"""Each defect does to the pixels what its truth says, measured with the field's own tools."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sep
from scipy.spatial import cKDTree

from nightsift.simulate.defects.catalogue import CAUSES, DEFECTS
from nightsift.simulate.effect import Effect
from nightsift.simulate.exposure import expose, light, starlight
from nightsift.simulate.occurrences import Occurrence, apply, worst_label


def effect_of(kind, strength, scene, *, seed=3, frame=0):
    effect, truths = apply(
        [Occurrence(kind, strength, seed)], scene.facts, np.random.default_rng(frame)
    )
    return effect, truths[0]


def with_defect(kind, strength, scene, **where):
    effect, truth = effect_of(kind, strength, scene, **where)
    return replace(scene, effect=effect), truth


def fluxes(scene, pattern, seed=0):
    """Aperture fluxes, in electrons, at the stars' places."""
    pixels = expose(scene, pattern, np.random.default_rng(seed)).astype(np.float64)
    back = sep.Background(pixels)
    light, _, _ = sep.sum_circle(pixels - back.back(), scene.x, scene.y, 9.0)
    return light * scene.instrument.detector.gain_e_adu


def spread(scene) -> np.ndarray:
    """Covariance of the light of the middle star, px^2, within 30 px."""
    stars = starlight(scene).astype(np.float64)
    x, y = round(scene.x[12]), round(scene.y[12])
    cut = stars[y - 25 : y + 26, x - 25 : x + 26]
    grid_y, grid_x = np.mgrid[-25:26, -25:26]
    weight = cut / cut.sum()
    dx, dy = grid_x - np.sum(weight * grid_x), grid_y - np.sum(weight * grid_y)
    return np.array(
        [[np.sum(weight * dx * dx), np.sum(weight * dx * dy)], [0, np.sum(weight * dy * dy)]]
    )


@pytest.fixture
def lone(scene):
    """The middle star alone, so that nothing overlaps."""
    only = np.arange(25) == 12
    return replace(scene, flux_e=np.where(only, 4e4, 0.0))


@pytest.mark.parametrize("kind", DEFECTS)
def test_strength_zero_changes_nothing(kind, scene, pattern):
    effect, truth = effect_of(kind, 0.0, scene)
    assert truth.label == "good"
    clean = light(scene, pattern)
    assert np.allclose(light(replace(scene, effect=effect), pattern), clean, rtol=1e-5)
    if effect.readout is not None:
        assert np.array_equal(effect.readout(clean, np.random.default_rng(0)), clean)


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_gross_defect_is_bad_and_changes_the_frame(kind, scene, pattern):
    defect = DEFECTS[kind]
    changed, truth = with_defect(kind, defect.strength(1.0), scene)
    assert truth.label == "bad"
    assert truth.cause in CAUSES
    noise = np.random.default_rng(1)
    before = expose(scene, pattern, np.random.default_rng(1)).astype(float)
    after = expose(changed, pattern, noise).astype(float)
    assert np.mean(np.abs(after - before) > 3) > 0.003


@pytest.mark.parametrize("kind", DEFECTS)
def test_strengths_rise_from_faint_to_gross_through_both_labels(kind):
    defect = DEFECTS[kind]
    assert defect.strength(0.0) == pytest.approx(defect.faint)
    assert defect.strength(1.0) == pytest.approx(defect.gross)
    assert defect.marginal <= defect.bad <= defect.gross
    assert defect.label(0.99 * defect.marginal) == "good"
    assert defect.label(defect.bad) == "bad"


@pytest.mark.parametrize("kind", ["thin_cloud", "thick_cloud"])
def test_a_cloud_s_transmission_comes_back_from_the_stars(kind, scene, pattern):
    for magnitudes in (0.2, 1.0):
        clouded, truth = with_defect(kind, magnitudes, scene)
        ratio = fluxes(clouded, pattern) / fluxes(scene, pattern)
        local = clouded.effect.transmission[
            np.rint(scene.y).astype(int), np.rint(scene.x).astype(int)
        ]
        assert np.median(ratio / local) == pytest.approx(1, abs=0.03)
        assert -2.5 * np.log10(truth.parameters["transmission"]) == pytest.approx(
            magnitudes, rel=0.15
        )


def test_a_cloud_moves_and_is_uneven(scene):
    fields = [
        apply([Occurrence("thick_cloud", 1.0, 5, t)], scene.facts, np.random.default_rng(0))[0]
        for t in (0.0, 60.0)
    ]
    first, later = (field.transmission for field in fields)
    assert first.std() > 0.01
    assert np.abs(first - later).max() > 0.01
    # The same cloud: as much of it passes later.
    assert abs(first.mean() - later.mean()) < 0.1


def test_a_trail_has_its_length(lone):
    for length in (2.0, 5.0):
        trailed, truth = with_defect("trail", length, lone)
        added = spread(trailed) - spread(lone)
        # The variance of a line of length L is L^2 / 12.
        assert truth.parameters["length_px"] == pytest.approx(3.5 * length)
        assert np.trace(added) == pytest.approx((3.5 * length) ** 2 / 12, rel=0.1)
        angle = np.radians(truth.parameters["angle_deg"])
        direction = 0.5 * np.arctan2(2 * added[0, 1], added[0, 0] - added[1, 1])
        assert np.cos(2 * (angle - direction)) == pytest.approx(1, abs=0.02)


def test_a_double_image_has_two_images_at_their_distance(lone):
    doubled, truth = with_defect("double_image", 4.0, lone)
    stars = starlight(doubled)
    sources = sep.extract(stars.astype(np.float64), 20.0)
    assert len(sources) == 2
    distance = np.hypot(np.diff(sources["x"]), np.diff(sources["y"]))[0]
    assert distance == pytest.approx(truth.parameters["distance_px"], abs=0.5)


@pytest.mark.parametrize("kind", ["periodic_error", "wind_shake"])
def test_shaken_stars_grow_with_the_strength(kind, lone):
    sizes = [np.trace(spread(with_defect(kind, s, lone)[0])) for s in (0.0, 2.0, 4.0)]
    assert sizes[0] < sizes[1] < sizes[2]


def test_lost_guiding_trails_and_runs_away(scene):
    away = []
    for elapsed in (0.0, 60.0, 120.0):
        effect, truths = apply(
            [Occurrence("guiding_lost", 2.0, 4, elapsed)], scene.facts, np.random.default_rng(0)
        )
        away.append(np.hypot(*effect.shift_px))
        assert effect.kernel is not None
        assert truths[0].parameters["length_px"] == pytest.approx(7.0)
    assert away == pytest.approx([0.0, 7.0, 14.0])


def test_a_jump_moves_all_stars_by_its_distance(scene, pattern):
    jumped, truth = with_defect("jump", 0.1, scene)
    assert truth.parameters["distance_px"] == pytest.approx(25.6)
    lists = []
    for each in (scene, jumped):
        pixels = expose(each, pattern, np.random.default_rng(0)).astype(np.float64)
        sources = sep.extract(pixels - np.median(pixels), 60.0)
        lists.append(np.column_stack([sources["x"], sources["y"]]))
    shifted = lists[0] + np.array(jumped.effect.shift_px)
    distance, _ = cKDTree(lists[1]).query(shifted)
    assert np.median(distance) < 0.2


@pytest.mark.parametrize("kind", ["defocus_disc", "defocus_donut"])
def test_defocus_makes_discs_of_its_diameter(kind, lone):
    blurred, truth = with_defect(kind, 5.0, lone)
    diameter, inner = truth.parameters["diameter_px"], truth.parameters["inner"]
    assert diameter == pytest.approx(17.5)
    # The variance of a ring per axis is (D^2 + d^2) / 16.
    form = (1 + inner**2) / 16
    added = spread(blurred) - spread(lone)
    assert added[0, 0] == pytest.approx(form * diameter**2, rel=0.1)
    assert added[1, 1] == pytest.approx(form * diameter**2, rel=0.1)
    stars = starlight(blurred)
    x, y = round(lone.x[12]), round(lone.y[12])
    hole = stars[y, x] / stars[y - 12 : y + 13, x - 12 : x + 13].max()
    assert (hole < 0.7) == (kind == "defocus_donut")


@pytest.mark.parametrize("kind", ["satellite", "curved_streak", "aircraft", "flash"])
def test_a_streak_has_its_height_over_the_noise(kind, scene):
    effect, truth = effect_of(kind, 6.0, scene)
    assert truth.parameters["peak_e"] == pytest.approx(6 * scene.facts.noise_e)
    # Blinking lights are brighter than the steady ones.
    top = effect.light_e.max() / truth.parameters["peak_e"]
    assert top == pytest.approx(1, abs=0.05) or kind == "aircraft"
    assert top < 6


def test_a_satellite_is_as_wide_as_a_star_and_crosses_the_frame(scene):
    effect, truth = effect_of("satellite", 10.0, scene, seed=8)
    line = effect.light_e / truth.parameters["peak_e"]
    angle = np.radians(truth.parameters["angle_deg"])
    y, x = np.mgrid[: line.shape[0], : line.shape[1]]
    across = (y - truth.parameters["y_px"]) * np.cos(angle) - (
        x - truth.parameters["x_px"]
    ) * np.sin(angle)
    width = 2 * np.abs(across[line > 0.5]).max()
    assert width == pytest.approx(scene.psf.fwhm_px, abs=0.3)
    touched = [line[0].max(), line[-1].max(), line[:, 0].max(), line[:, -1].max()]
    assert sum(value > 0.5 for value in touched) >= 2


def test_a_flash_ends_within_the_frame_and_several_are_several(scene):
    flash, _ = effect_of("flash", 10.0, scene, seed=2)
    edges = np.concatenate([flash.light_e[[0, -1]].ravel(), flash.light_e[:, [0, -1]].ravel()])
    assert edges.max() < 0.05 * flash.light_e.max()
    _, truth = effect_of("several_satellites", 10.0, scene)
    assert 2 <= truth.parameters["count"] <= 5


@pytest.mark.parametrize("kind", ["dome", "tree"])
@pytest.mark.parametrize("lost", [0.05, 0.3, 0.8])
def test_an_obstruction_takes_its_share_of_the_light(kind, lost, scene):
    effect, _ = effect_of(kind, lost, scene)
    assert 1 - np.mean(effect.shade) == pytest.approx(lost, rel=0.1)


def test_twilight_multiplies_the_sky(scene, pattern):
    bright, _ = with_defect("twilight", 9.0, scene)
    before, after = (np.median(light(each, pattern)) for each in (scene, bright))
    assert after / before == pytest.approx(10, rel=0.05)


def test_a_lamp_is_brightest_at_one_side(scene):
    effect, _ = effect_of("lamp", 4.0, scene)
    assert effect.sky_factor.max() == pytest.approx(5.0, rel=0.05)
    assert effect.sky_factor.min() < 3.0


def test_dew_dims_and_surrounds_stars_with_a_glow(scene, pattern):
    dewy, truth = with_defect("dew", 0.5, scene)
    ratio = np.median(fluxes(dewy, pattern) / fluxes(scene, pattern))
    assert truth.parameters["lost"] == pytest.approx(1 - 10**-0.2)
    assert ratio < 10**-0.2
    assert dewy.effect.kernel.sum() == pytest.approx(1)


def test_a_halo_holds_its_share_of_the_light(lone):
    hazy, _ = with_defect("halo", 0.3, lone)
    assert hazy.effect.kernel.max() == pytest.approx(0.7, abs=0.01)
    assert starlight(hazy).sum() == pytest.approx(starlight(lone).sum(), rel=0.02)


def test_a_closed_shutter_leaves_no_stars(scene, pattern):
    dark, _ = with_defect("shutter_closed", 1.0, scene)
    pixels = expose(dark, pattern, np.random.default_rng(0)).astype(np.float64)
    assert np.median(pixels) == pytest.approx(500, abs=1)
    assert len(sep.extract(pixels - 500.0, 5.0, err=4.0)) == 0


def readout(kind, strength, scene, pattern):
    effect, truth = effect_of(kind, strength, scene)
    clean = expose(scene, pattern, np.random.default_rng(0)).astype(np.float32)
    return clean, effect.readout(clean, np.random.default_rng(1)), truth


def test_shifted_rows_are_the_last_ones_moved_sideways(scene, pattern):
    clean, broken, truth = readout("shifted_rows", 0.25, scene, pattern)
    rows, shift = int(truth.parameters["rows"]), int(truth.parameters["shift_px"])
    assert rows == 64
    assert np.array_equal(broken[:-rows], clean[:-rows])
    assert np.array_equal(broken[-rows:], np.roll(clean[-rows:], shift, axis=1))


def test_banding_has_its_rms(scene, pattern):
    clean, broken, truth = readout("banding", 2.0, scene, pattern)
    expected = 2 * scene.facts.noise_e / 2.0
    assert truth.parameters["rms_adu"] == pytest.approx(expected)
    assert (broken - clean).std() == pytest.approx(expected, rel=0.2)


def test_a_half_frame_a_saturated_and_a_constant_one(scene, pattern):
    _, half, truth = readout("half_frame", 0.5, scene, pattern)
    assert np.ptp(half[-int(truth.parameters["rows"]) :]) == 0
    saturated, _ = with_defect("saturated", 1.2, scene)
    pixels = expose(saturated, pattern, np.random.default_rng(0))
    assert np.all(pixels == 65535)
    constant, _ = with_defect("constant", 1.0, scene)
    assert np.ptp(expose(constant, pattern, np.random.default_rng(0))) == 0


def test_two_defects_at_once_both_show(lone):
    occurrences = [Occurrence("trail", 4.0, 1), Occurrence("thick_cloud", 1.0, 2)]
    effect, truths = apply(occurrences, lone.facts, np.random.default_rng(0))
    assert [truth.cause for truth in truths] == ["trailing", "cloud"]
    assert effect.kernel is not None
    assert np.mean(effect.transmission) < 0.6
    both = Effect(kernel=effect.kernel).then(Effect(kernel=effect.kernel)).kernel
    assert both.sum() == pytest.approx(1)
    assert both.shape[0] > effect.kernel.shape[0]
    assert worst_label(truths) == "bad"
    assert worst_label([]) == "good"


def test_a_spell_keeps_its_geometry_and_a_frame_its_own_noise(scene):
    angles = {effect_of("trail", 3.0, scene, frame=i)[1].parameters["angle_deg"] for i in range(5)}
    assert len(angles) == 5
    assert np.ptp(list(angles)) < 20
    covers = [effect_of("dome", 0.3, scene, frame=i)[0].shade for i in range(2)]
    assert np.array_equal(*covers)
