"""The camera against what a laboratory would measure of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from nightsift.errors import NightsiftError
from nightsift.simulate.detector import (
    FixedPattern,
    add_cosmic_rays,
    bleed,
    detect,
    digitise,
    draw_pattern,
)
from nightsift.simulate.exposure import expose
from nightsift.simulate.instrument import Instrument
from nightsift.simulate.instrument_files import read_instruments, shipped_instruments


def flat_pair(
    plain, instrument: Instrument, level_e: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two exposures of an even light."""
    pattern, rng = plain.pattern(instrument), np.random.default_rng(seed)
    pair = []
    for _ in range(2):
        light = np.full(instrument.detector.shape, level_e, dtype=np.float32)
        adu = digitise(detect(light, instrument, 1.0, rng), instrument, pattern, rng)
        pair.append(adu.astype(np.float64))
    return pair[0], pair[1]


@pytest.mark.parametrize(("gain", "noise"), [(2.0, 8.0), (0.4, 3.0), (12.0, 20.0)])
def test_a_photon_transfer_curve_gives_gain_and_read_noise_back(plain, gain, noise):
    instrument = plain.instrument(
        gain_e_adu=gain, read_noise_e=noise, full_well_e=1e6, bias_adu=100.0, width=512, height=512
    )
    mean, variance = [], []
    for seed, level in enumerate((0.0, 5.0, 15.0, 60.0, 1000.0, 5000.0, 20000.0)):
        first, second = flat_pair(plain, instrument, level, seed)
        mean.append(float((first + second).mean() / 2) - 100.0)
        variance.append(float(np.var(first - second) / 2))
    # Janesick: variance = mean / gain + (read noise / gain)^2, and the rounding to whole ADU.
    slope, _ = np.polyfit(mean, variance, 1, w=1 / np.array(variance))
    assert 1 / slope == pytest.approx(gain, rel=0.03)
    read = np.sqrt(variance[0] - 1 / 12) * gain
    # A tenth of the read noise is common to each row.
    assert read == pytest.approx(noise * np.sqrt(1.01), rel=0.03)


def test_what_a_full_pixel_cannot_hold_moves_along_its_column():
    electrons = np.full((101, 9), 100.0, dtype=np.float32)
    electrons[50, 4] = 100_000.0
    before = electrons.sum(dtype=np.float64)
    bleed(electrons, 10_000.0)
    assert electrons.max() <= 10_000.0
    assert electrons.sum(dtype=np.float64) == pytest.approx(before, rel=1e-6)
    trail = np.flatnonzero(electrons[:, 4] > 200)
    assert trail.min() == 50 - (trail.max() - 50)
    assert np.all(np.delete(electrons, 4, axis=1) == 100)


def test_charge_that_passes_the_edge_of_the_chip_is_lost():
    electrons = np.zeros((11, 3), dtype=np.float32)
    electrons[5, 1] = 1e6
    bleed(electrons, 1000.0)
    assert np.all(electrons[:, 1] == 1000.0)
    assert np.all(electrons[:, [0, 2]] == 0.0)


def test_only_a_ccd_bleeds(plain):
    columns = {}
    for bleeds in (True, False):
        instrument = plain.instrument(bleeds=bleeds)
        scene = plain.scene(instrument, x=np.array([128.0]), y=np.array([128.0]))
        scene = replace(scene, flux_e=np.array([3e7]))
        pixels = expose(scene, plain.pattern(instrument), np.random.default_rng(0))
        full = pixels > 0.95 * pixels.max()
        columns[bleeds] = (full.sum(axis=0).max(), full.sum(axis=1).max())
    assert columns[True][0] > 3 * columns[True][1]
    assert columns[False][0] == pytest.approx(columns[False][1], abs=2)


def test_saturation_is_the_smaller_of_full_well_and_converter(plain):
    assert plain.instrument().detector.saturation_adu == 65535
    assert plain.instrument(dtype="int16").detector.saturation_adu == 32767
    assert plain.instrument(bits=12, step_adu=16).detector.saturation_adu == 65520
    instrument = plain.instrument(bits=12, full_well_e=1e6)
    pixels = expose(
        plain.scene(instrument, sky_e=1e5), plain.pattern(instrument), np.random.default_rng(0)
    )
    assert pixels.max() == pixels.min() == 4095


def test_twelve_bits_in_sixteen_are_multiples_of_sixteen(plain):
    instrument = plain.instrument(bits=12, step_adu=16)
    scene, pattern = plain.scene(instrument), plain.pattern(instrument)
    pixels = expose(scene, pattern, np.random.default_rng(0))
    assert np.all(pixels % 16 == 0)
    assert len(np.unique(pixels)) > 10


def test_cosmic_rays_come_at_their_rate(plain):
    instrument = plain.instrument(cosmic_rays=2.0, width=1000, height=1000, pixel_um=10.0)
    rng, hits = np.random.default_rng(0), 0
    for _ in range(40):
        electrons = np.zeros((1000, 1000), dtype=np.float32)
        add_cosmic_rays(electrons, instrument, 60.0, rng)
        # One square centimetre; groups of touching pixels are one hit.
        hits += label(electrons > 0, structure=np.ones((3, 3)))[1]
    assert hits == pytest.approx(2.0 * 40, abs=4 * np.sqrt(80))


def test_a_night_has_one_pattern_and_another_night_another():
    (instrument,) = read_instruments(["sbig_0p30m"])
    same = [draw_pattern(instrument, np.random.default_rng(3)) for _ in range(2)]
    assert np.array_equal(same[0].dark_e_s, same[1].dark_e_s)
    assert np.array_equal(same[0].flat, same[1].flat)
    other = draw_pattern(instrument, np.random.default_rng(4))
    assert not np.array_equal(same[0].dark_e_s, other.dark_e_s)
    hot = (same[0].dark_e_s > 10 * instrument.detector.dark_e_s).sum()
    expected = instrument.detector.hot_per_mpx * 765 * 510 / 1e6
    assert hot == pytest.approx(expected, abs=5 * np.sqrt(expected))


def test_amplifiers_differ_in_offset(plain):
    instrument = plain.instrument(amplifiers=4, bias_structure_adu=2.0)
    bias = draw_pattern(instrument, np.random.default_rng(1)).bias_adu
    half = instrument.detector.height // 2
    quadrants = [
        bias[y, x].mean()
        for y in (slice(half), slice(half, None))
        for x in (slice(half), slice(half, None))
    ]
    assert len(np.unique(np.round(quadrants, 2))) == 4


@pytest.mark.parametrize("name", shipped_instruments())
def test_every_shipped_instrument_takes_a_frame(name):
    (whole,) = read_instruments([name])
    assert 0.2 < whole.scale_arcsec < 6
    assert 1.2 < whole.typical_fwhm_px < 12
    instrument = whole.cropped(128)
    assert max(instrument.detector.shape) == 128
    assert instrument.scale_arcsec == whole.scale_arcsec
    pattern: FixedPattern = draw_pattern(instrument, np.random.default_rng(0))
    assert pattern.flat.min() > 0


def test_eight_instruments_and_more_ship_from_a_wide_field_to_a_metre():
    instruments = read_instruments([])
    assert len(instruments) >= 8
    assert max(i.optics.aperture_m for i in instruments) == 1.0
    wide = next(i for i in instruments if i.optics.aperture_m == 0.15)
    assert wide.detector.shape == (500, 650)
    assert wide.scale_arcsec == pytest.approx(5.2, abs=0.05)
    assert sum(i.detector.shape == (4096, 4096) for i in instruments) >= 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gain_e_adu": -1.0}, "gain_e_adu=-1.0: expected 0.001 to 1000"),
        ({"read_noise_e": -3.0}, "read_noise_e"),
        ({"amplifiers": 3}, "amplifiers=3: expected one of 1, 2, 4"),
        ({"dtype": "int8"}, "dtype=int8"),
        ({"width": 40, "height": 40, "pixel_um": 1.0}, "a star is .* px wide"),
    ],
)
def test_impossible_instruments_are_refused(plain, change, message):
    with pytest.raises(NightsiftError, match=message):
        plain.instrument(**change)
