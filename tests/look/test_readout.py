from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nightsift.look.features.readout import quantum_adu
from scenes import Scene, frame, measure


def features(scene: Scene) -> dict[str, float]:
    return measure(frame(scene, 3)).features


def test_a_clean_frame_has_no_banding_and_no_step():
    got = features(Scene(gradient=(0.4, -0.3)))
    assert got["banding_rows"] == pytest.approx(1.0, abs=0.2)
    assert got["banding_cols"] == pytest.approx(1.0, abs=0.2)
    assert max(got["step_rows"], got["step_cols"]) < 0.4
    assert got["constant_fraction"] == 0


def test_banding_shows_in_its_direction():
    got = features(Scene(banding=0.3))
    assert got["banding_rows"] > 2.5
    assert got["banding_cols"] < 1.3


@pytest.mark.parametrize("step", [1.0, -2.0, 10.0])
def test_a_step_is_measured_in_sigma(step):
    # The smallest of three quartiles' jumps, over a noise that the step itself raises.
    got = features(replace(Scene(), step=step, sky=800.0))
    assert 0.45 * abs(step) < got["step_rows"] < 1.2 * abs(step)
    assert got["step_cols"] < 0.4


def test_the_edge_of_a_dome_is_no_step():
    got = features(Scene(blocked=0.5))
    assert max(got["step_rows"], got["step_cols"]) < 0.6


def test_dead_rows_are_counted():
    assert features(Scene(dead_rows=0.4))["constant_fraction"] == pytest.approx(0.4, abs=0.02)


def test_quantised_levels_are_no_steps():
    rng = np.random.default_rng(1)
    level = np.linspace(100, 103, 300)[:, None]
    pixels = np.round(level + rng.normal(0, 0.9, (300, 400))).astype(np.int16)
    got = measure(frame(Scene())._replace(pixels=pixels)).features
    assert got["step_rows"] < 0.3
    assert quantum_adu(pixels) == 1.0
    assert quantum_adu(16 * pixels) == 16.0
    assert quantum_adu(np.full((20, 20), 7)) == 0.0
