"""Stars and sky against formulas that the code does not use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sep

from nightsift.simulate.conditions import draw_sky
from nightsift.simulate.exposure import expose, starlight
from nightsift.simulate.night import draw_night
from nightsift.simulate.psf import Psf, render_stars
from nightsift.simulate.sky import (
    BANDS,
    airmass,
    altitude_deg,
    dark_sky_nl,
    draw_magnitudes,
    magnitude_to_nl,
    moonlight_nl,
    nl_to_magnitude,
    stars_per_deg2,
)
from nightsift.simulate.stars import StarField, draw_field, on_detector, transit_dip
from nightsift.simulate.waves import Waves


def one_star(psf: Psf, *, flux: float = 1e6, side: int = 301, at: float = 150.3) -> np.ndarray:
    place = np.array([at])
    light = render_stars(
        (side, side), place, np.rint(place), np.array([flux]), psf, threshold=1e-3, pad=0
    )
    return light.astype(np.float64)


def half_maximum_px(image: np.ndarray, at: float) -> float:
    """FWHM from a straight cut through the star, linearly interpolated."""
    row = image[round(at)]
    peak_x = int(np.argmax(row))
    parabola = np.polyfit([-1, 0, 1], row[peak_x - 1 : peak_x + 2], 2)
    peak = np.polyval(parabola, -parabola[1] / (2 * parabola[0]))
    above = np.flatnonzero(row > peak / 2)
    left, right = above[0], above[-1]
    start = left - (row[left] - peak / 2) / (row[left] - row[left - 1])
    end = right + (row[right] - peak / 2) / (row[right] - row[right + 1])
    return float(end - start)


@pytest.mark.parametrize("kind", ["moffat", "kolmogorov"])
@pytest.mark.parametrize("fwhm", [3.5, 4.5, 8.0])
def test_a_star_has_the_width_asked_for(kind, fwhm):
    image = one_star(Psf(fwhm, kind, 3.0))
    assert half_maximum_px(image, 150.3) == pytest.approx(fwhm, rel=0.05)


@pytest.mark.parametrize("fwhm", [2.6, 4.0])
def test_the_field_s_own_tool_finds_that_width(fwhm, plain):
    """A Moffat profile of large exponent is a Gaussian, whose second moments are its width."""
    instrument = plain.instrument()
    scene = plain.scene(instrument, psf=Psf(fwhm, "moffat", 60.0), flux_e=np.full(25, 2e5))
    pixels = expose(scene, plain.pattern(instrument), np.random.default_rng(0)).astype(float)
    sources = sep.extract(pixels - np.median(pixels), 3.0, err=12.0, filter_kernel=None)
    assert len(sources) == 25
    moments = 2 * np.sqrt(np.log(2) * (sources["a"] ** 2 + sources["b"] ** 2))
    # A pixel is a box of variance 1/12.
    moments = np.sqrt(moments**2 - 8 * np.log(2) / 12)
    assert np.median(moments) == pytest.approx(fwhm, rel=0.05)


@pytest.mark.parametrize("kind", ["moffat", "kolmogorov"])
@pytest.mark.parametrize("fwhm", [1.3, 2.0, 5.0])
def test_no_light_is_lost_between_pixels(kind, fwhm):
    total = one_star(Psf(fwhm, kind, 3.5, ellipticity=(0.1, 0.05))).sum()
    assert total == pytest.approx(1e6, rel=0.005)


def test_the_turbulent_profile_has_the_wings_of_theory():
    """Light at 4 and 8 half-widths falls as r^(-11/3) (Roddier 1981)."""
    image = one_star(Psf(4.0, "kolmogorov"), at=150.0, flux=1e9)
    row = image[150] + image[151]
    slope = np.log(row[150 + 48] / row[150 + 24]) / np.log(48 / 24)
    assert slope == pytest.approx(-11 / 3, abs=0.25)


def test_coma_points_away_from_the_centre_and_only_at_the_edge():
    psf = Psf(4.0, coma=0.5)
    x, y = np.array([150.0, 280.0]), np.array([150.0, 150.0])
    light = render_stars((301, 301), x, y, np.full(2, 1e6), psf, threshold=1e-2, pad=0)
    grid = np.arange(301.0)
    skew = []
    for cx in (150, 280):
        part = light[:, cx - 20 : cx + 21].sum(axis=0).astype(float)
        mean = (part * grid[cx - 20 : cx + 21]).sum() / part.sum()
        skew.append(mean - (cx - 20 + int(np.argmax(part))))
    assert abs(skew[0]) < 0.1
    assert skew[1] > 0.3


def test_the_zero_point_is_photons_times_area_times_efficiency(plain):
    instrument = plain.instrument()
    # 3631 Jy over Planck's constant is 5.48e10 photons / s / m2 per unit of dlambda/lambda.
    photons = 3631e-26 / 6.626e-34 * 84 / 545
    area = np.pi / 4 * 0.3**2 * (1 - 0.3**2)
    expected = photons * area * 0.7 * 0.8
    assert instrument.electrons_per_s("V") == pytest.approx(expected, rel=0.01)
    # Bessell's 996 photons / s / cm2 / A at V = 0 and a band of 840 A, independently.
    assert BANDS["V"].photons_s_m2 == pytest.approx(996 * 1e4 * 840, rel=0.03)


def test_photometry_of_a_night_gives_the_extinction_back(plain):
    instrument = plain.instrument()
    plan = draw_night(np.random.default_rng(8), instrument, n=60, number=0)
    field = StarField(np.array([0.0]), np.array([0.0]), np.array([10.0]))
    plan = replace(
        plan,
        field=field,
        moving=None,
        airmass=np.linspace(1.0, 2.2, 60),
        transparency=np.ones(60),
        dip=np.ones(60),
        shift_px=np.zeros((60, 2)),
    )
    magnitudes = [-2.5 * np.log10(starlight(plan.scene(i)).sum()) for i in range(0, 60, 5)]
    slope, zero = np.polyfit(plan.airmass[::5], magnitudes, 1)
    assert slope == pytest.approx(0.2, abs=0.005)
    expected = 10.0 - 2.5 * np.log10(instrument.electrons_per_s("V") * 60)
    assert zero == pytest.approx(expected, abs=0.01)


def test_a_transit_of_one_percent_is_found_with_the_scatter_that_noise_predicts(plain):
    instrument = plain.instrument()
    pattern, rng = plain.pattern(instrument), np.random.default_rng(5)
    hours = np.linspace(0, 3, 80)
    dip = transit_dip(hours, middle_h=1.5, duration_h=1.4, depth=0.01)
    flux = np.full(25, 1e6)
    ratio = []
    for depth in dip:
        scene = plain.scene(instrument, flux_e=np.where(np.arange(25) == 12, depth, 1.0) * flux)
        pixels = expose(scene, pattern, rng).astype(np.float64) * 2.0
        light, _, _ = sep.sum_circle(pixels - np.median(pixels), scene.x, scene.y, 10.0)
        ratio.append(light[12] / np.delete(light, 12).mean())
    ratio = np.array(ratio)
    inside, outside = np.abs(hours - 1.5) < 0.5, np.abs(hours - 1.5) > 0.75
    assert 1 - ratio[inside].mean() / ratio[outside].mean() == pytest.approx(
        1 - dip[inside].mean(), abs=0.001
    )
    # Photons of the star, and sky and read noise of the aperture's pixels.
    variance = 1e6 + np.pi * 10**2 * (400 + 8**2)
    expected = np.sqrt(variance * (1 + 1 / 24)) / 1e6
    assert ratio[outside].std() == pytest.approx(expected, rel=0.25)


def test_a_transit_has_its_depth_and_its_contacts():
    hours = np.linspace(-2, 2, 4001)
    dip = transit_dip(hours, middle_h=0.0, duration_h=2.0, depth=0.02, limb=0.0)
    assert dip.min() == pytest.approx(0.98, abs=1e-6)
    contacts = hours[dip < 1]
    assert contacts.max() - contacts.min() == pytest.approx(2.0, abs=0.01)
    assert np.all(transit_dip(hours, middle_h=0.0, duration_h=2.0, depth=0.0) == 1)


@pytest.mark.parametrize(
    ("altitude", "expected"), [(90, 1.0), (60, 1.1539), (30, 1.9939), (10, 5.6), (5, 10.3)]
)
def test_air_mass_is_that_of_the_tables(altitude, expected):
    assert airmass(float(altitude)) == pytest.approx(expected, rel=0.005)


def test_a_star_culminates_where_it_should():
    assert altitude_deg(40.0, 40.0, np.array([0.0])) == pytest.approx(90.0)
    assert altitude_deg(40.0, 10.0, np.array([0.0])) == pytest.approx(60.0)
    assert altitude_deg(0.0, 0.0, np.array([60.0, -60.0])) == pytest.approx([30.0, 30.0])


def test_magnitudes_and_nanolamberts_are_each_other_s_inverse():
    assert nl_to_magnitude(magnitude_to_nl(np.array([18.0, 21.6]))) == pytest.approx([18.0, 21.6])
    # Garstang: a sky of 21.587 mag is 79.0 nL; Krisciunas & Schaefer's own example sky.
    assert magnitude_to_nl(21.587) == pytest.approx(79.0, rel=0.01)


def test_the_full_moon_brightens_the_sky_by_some_three_magnitudes():
    mass = np.array([1.15])
    moon = moonlight_nl(0.0, np.array([60.0]), np.array([60.0]), mass, 0.172)
    dark = dark_sky_nl(21.6, mass, 0.172)
    change = nl_to_magnitude(dark) - nl_to_magnitude(dark + moon)
    assert 2.5 < float(change[0]) < 4.0
    half = moonlight_nl(90.0, np.array([60.0]), np.array([60.0]), mass, 0.172)
    # Half the disc gives about a tenth of the light.
    assert 0.05 < float(half[0] / moon[0]) < 0.15
    assert moonlight_nl(0.0, np.array([60.0]), np.array([-5.0]), mass, 0.172)[0] == 0.0


def test_the_sky_grows_with_exposure_and_moonrise(plain):
    instrument, time = plain.instrument(), np.linspace(0, 3600, 10)
    mass = np.ones(10)
    short = draw_sky(np.random.default_rng(1), instrument, ["V"] * 10, time, mass, 30.0)
    long = draw_sky(np.random.default_rng(1), instrument, ["V"] * 10, time, mass, 60.0)
    assert long == pytest.approx(2 * short)


def test_star_counts_are_those_of_the_sky_and_grow_with_depth():
    # 8 stars per square degree to V = 10, 340 to 14 (Allen).
    assert stars_per_deg2(10.0) == pytest.approx(7.8, rel=0.05)
    assert stars_per_deg2(14.0) == pytest.approx(340, rel=0.05)
    drawn = draw_magnitudes(np.random.default_rng(0), 200_000, 15.0)
    ratio = np.sum(drawn < 14) / np.sum(drawn < 12)
    assert ratio == pytest.approx(float(stars_per_deg2(14.0) / stars_per_deg2(12.0)), rel=0.05)


def test_an_observer_never_gets_an_empty_field():
    for seed in range(8):
        field = draw_field(
            np.random.default_rng(seed),
            (256, 256),
            scale_arcsec=0.4,
            faintest=20.0,
            detected=15.0,
            target=12.0,
        )
        x, y = on_detector(field, (256, 256), shift_px=(0, 0), rotation_deg=0, flipped=False)
        seen = (field.magnitude < 15) & (np.abs(x - 128) < 128) & (np.abs(y - 128) < 128)
        assert seen.sum() > 8
        assert abs(x[0] - 128) < 30


def test_a_flip_turns_the_field_about_its_centre_and_a_shift_moves_it():
    field = StarField(np.array([10.0]), np.array([-4.0]), np.array([10.0]))
    centre = (99.5, 49.5)
    x, y = on_detector(field, (100, 200), shift_px=(0, 0), rotation_deg=0, flipped=True)
    assert (x[0], y[0]) == pytest.approx((centre[0] - 10, centre[1] + 4))
    x, y = on_detector(field, (100, 200), shift_px=(3, 5), rotation_deg=90, flipped=False)
    assert (x[0], y[0]) == pytest.approx((centre[0] + 4 + 3, centre[1] + 10 + 5))


def test_waves_have_unit_variance_and_move_as_a_whole():
    waves = Waves(np.random.default_rng(2), 20.0)
    still = waves.field((300, 300))
    assert abs(float(still.std()) - 1) < 0.35
    moved = waves.field((300, 300), moved_px=(7.0, -3.0))
    assert np.allclose(moved[:-3, 7:], still[3:, :-7], atol=1e-4)
