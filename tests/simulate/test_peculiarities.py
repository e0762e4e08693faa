"""What belongs to the instrument or is done on purpose, against what is known of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.simulate.detector import draw_pattern
from nightsift.simulate.exposure import expose, starlight
from nightsift.simulate.instrument_files import read_instruments
from nightsift.simulate.night import draw_night
from nightsift.simulate.pipeline import Place, aligned
from nightsift.simulate.scenery import add_ring, draw_scenery
from nightsift.simulate.structure import EDGES, Structure, edge_shadow
from nightsift.simulate.usage import Usage, purpose_kernel
from nightsift.simulate.variety import vary


def test_pixels_that_see_no_light_stay_at_the_bias(plain):
    strips = Structure(overscan_px=20, dark_rows_px=10)
    instrument = replace(plain.instrument(), structure=strips)
    pattern = draw_pattern(instrument, np.random.default_rng(0))
    pixels = expose(plain.scene(instrument), pattern, np.random.default_rng(1))
    dark = pattern.flat == 0
    assert dark.sum() == 20 * 256 + 10 * 256 - 20 * 10
    assert np.median(pixels[dark]) == 500
    assert np.median(pixels[~dark]) == pytest.approx(700, abs=3)  # 400 electrons, gain 2


@pytest.mark.parametrize("edge", EDGES[1:])
def test_the_shadow_of_a_filter_is_hard_and_leaves_the_centre_free(edge):
    structure = Structure(edge=edge, edge_loss=0.8, edge_reach=0.2, edge_soft_px=1.0)
    shadow = edge_shadow((200, 300), structure, np.random.default_rng(2))
    assert shadow[60:140, 90:210].max() == 0
    assert 0.005 < shadow.mean() < 0.6
    assert np.mean((shadow > 0) & (shadow < 1)) < 0.03


def test_amplifiers_differ_by_steps_which_calibration_removes(plain):
    borders = Structure(amplifier_offset_adu=200.0, amplifier_gain=0.03)
    levels = []
    for dtype in ("uint16", "float32"):
        instrument = replace(plain.instrument(dtype=dtype, amplifiers=4), structure=borders)
        pattern = draw_pattern(instrument, np.random.default_rng(3))
        pixels = expose(plain.scene(instrument), pattern, np.random.default_rng(4))
        halves = pixels[:128, :128], pixels[:128, 128:], pixels[128:, :128], pixels[128:, 128:]
        levels.append(float(np.ptp([np.median(half) for half in halves])))
    assert levels[0] > 100
    assert levels[1] < 5


def test_deliberate_defocus_keeps_the_light_and_makes_rings_of_the_size_asked_for(plain):
    usage = Usage(defocus_px=24.0)
    kernel = purpose_kernel(usage, (256, 256), 0.4, 0.0)
    scene = plain.scene(plain.instrument(), x=np.array([128.0]), y=np.array([128.0]))
    scene = replace(scene, flux_e=np.array([1e6]), purpose=kernel, ring_px=24.0)
    light = starlight(scene)
    assert light.sum() == pytest.approx(1e6, rel=0.03)
    assert light[128, 128] < 0.4 * light[128, 136]
    r = np.hypot(*(np.mgrid[:256, :256] - 128))
    assert light[r < 15].sum() > 0.85e6


def test_rings_change_through_the_night_and_trails_have_their_length_and_direction():
    sizes = [
        purpose_kernel(Usage(defocus_px=20.0, defocus_drift=0.3), (512, 512), 0.3, t).shape[0]
        for t in (0.0, 1.0)
    ]
    assert sizes[1] - sizes[0] == pytest.approx(6, abs=2)
    trail = purpose_kernel(Usage(trail_px=30.0, trail_deg=90.0), (512, 512), 0.3, 0.0)
    y, x = np.nonzero(trail > 1e-3)
    assert np.ptp(y) == pytest.approx(30, abs=2)
    assert np.ptp(x) <= 1


def test_a_field_turns_by_the_angle_asked_for(plain):
    instrument = replace(plain.instrument(), usage=Usage(turn_deg=12.0))
    plan = draw_night(np.random.default_rng(5), instrument, n=20, number=0)
    assert np.ptp(plan.rotation_deg) == pytest.approx(12.0)


def test_aligned_frames_have_their_stars_in_one_place_and_blank_borders():
    place = Place((12.0, -7.0), rotation_deg=5.0)
    frame = np.ones((101, 101), dtype=np.float32)
    # A star at (70, 50) of the usual place.
    x = 20 * np.cos(place.angle) + 50 + 12
    y = 20 * np.sin(place.angle) + 50 - 7
    frame[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2] = 100
    moved = aligned(frame, place, np.nan)
    assert moved[50, 70] > 90
    assert 0.05 < np.isnan(moved).mean() < 0.35


def test_a_series_has_a_frame_or_two_a_night_in_order_of_time(plain):
    instrument = replace(plain.instrument(), usage=Usage(series=True))
    plan = draw_night(np.random.default_rng(6), instrument, n=40, number=0)
    assert np.all(np.diff(plan.time_s) > 0)
    assert plan.time_s[-1] > 30 * 86_000
    assert plan.altitude_deg.min() > 15


def test_sparse_fields_are_sparse_and_crowded_ones_crowded(plain):
    sizes = []
    for usage in (Usage(crowding=0.02, fewest_stars=8), Usage(), Usage(crowding=30.0)):
        instrument = replace(plain.instrument(), usage=usage)
        plans = [
            draw_night(np.random.default_rng(seed), instrument, n=12, number=0) for seed in range(5)
        ]
        sizes.append(np.median([plan.field.u.size for plan in plans]))
    assert sizes[0] < 0.7 * sizes[1] < 0.2 * sizes[2]


def test_a_ring_holds_the_light_given_to_it():
    out = np.zeros((120, 120), dtype=np.float32)
    add_ring(out, (60.3, 59.6), 30.0, 0.5, 1e5)
    assert out.sum() == pytest.approx(1e5, rel=0.02)
    assert out[60, 60] == 0


def test_gas_and_galaxies_move_and_turn_with_the_field():
    usage = Usage(nebula=3.0, galaxies=4.0)
    scenery = draw_scenery(np.random.default_rng(7), usage, (200, 200), 3.0)
    still = scenery.gas_and_galaxies((200, 200), Place(), 10.0)
    moved = scenery.gas_and_galaxies((200, 200), Place((15.0, -8.0)), 10.0)
    turned = scenery.gas_and_galaxies((200, 200), Place(flipped=True), 10.0)
    np.testing.assert_allclose(moved[20:150, 40:180], still[28:158, 25:165], atol=2.0)
    np.testing.assert_allclose(turned[::-1, ::-1], still, atol=2.0)


def test_broad_telescopes_use_all_of_it_and_some_use_nothing():
    rng = np.random.default_rng(8)
    (instrument,) = read_instruments(["c14_0p36m"])
    others = [vary(instrument, rng, 1.0) for _ in range(300)]
    shares = {
        "edge": np.mean([other.structure.edge_loss > 0 for other in others]),
        "defocus": np.mean([other.usage.defocus_px > 0 for other in others]),
        "turn": np.mean([other.usage.turn_deg != 0 for other in others]),
        "aligned": np.mean([other.usage.aligned for other in others]),
        "series": np.mean([other.usage.series for other in others]),
    }
    assert all(0.01 < share < 0.5 for share in shares.values()), shares


def test_an_unknown_edge_is_refused(plain):
    with pytest.raises(NightsiftError, match="edge=oval: expected one of none, round"):
        replace(plain.instrument(), structure=Structure(edge="oval"))
