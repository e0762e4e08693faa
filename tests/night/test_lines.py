"""Lines that one frame has and its night has not, on nights with known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nightsift.look.look import Wanted
from nightsift.look.measure import AllFeatures
from nightsift.night.lines import measure_lines
from nightsift.night.template import MIN_FRAMES
from scenes import SHAPE, Scene, smooth_night, write_night
from values import read

# Noise alone gives 4 to 6, seldom more than this.
LIMIT = 8.5
N = 16
BIAS = 300.0

ReadTable = Callable[..., pd.DataFrame]


def edged(pixels: np.ndarray) -> np.ndarray:
    """A filter edge that darkens a corner, vignetting, a bad column, hot pixels, one border."""
    h, w = pixels.shape
    y, x = np.mgrid[:h, :w]
    beyond = (x + 0.45 * y) - 0.95 * w
    passed = 1 - 0.25 / (1 + np.exp(-beyond / 2))
    passed -= 0.12 * (((x - w / 2) / w) ** 2 + ((y - h / 2) / h) ** 2)
    out = BIAS + (pixels - BIAS) * passed
    out[:, 133] += 40
    out[h // 2 :] += 6
    rng = np.random.default_rng(8)
    out[rng.integers(0, h, 300), rng.integers(0, w, 300)] += rng.exponential(900, 300)
    return np.clip(np.round(out), 0, 65535).astype(np.uint16)


def moonlit(scenes: list[Scene]) -> list[Scene]:
    """The sky becomes four times as bright."""
    rise = np.linspace(1, 4, len(scenes))
    return [
        replace(scene, sky=scene.sky * factor) for scene, factor in zip(scenes, rise, strict=True)
    ]


MOVES: dict[str, Callable[[Scene, int], Scene]] = {
    "guided": lambda scene, i: scene,
    "dither": lambda scene, i: replace(
        scene, shift=tuple(np.random.default_rng(i).uniform(-25, 25, 2))
    ),
    "drift": lambda scene, i: replace(scene, shift=(20.0 * i - 150, 3.0 * i)),
    "turning": lambda scene, i: replace(scene, turn_deg=12 * i / (N - 1)),
    "flip": lambda scene, i: replace(scene, flip=i >= N // 2),
}


def moved(move: str, seed: int, **fixed: object) -> list[Scene]:
    return [MOVES[move](scene, i) for i, scene in enumerate(smooth_night(N, seed, **fixed))]


@pytest.fixture
def table_of(tmp_path: Path) -> ReadTable:
    """table_of(scenes, ...): features of the frames of a night, in time order."""

    def table(scenes: list[Scene], **more: object) -> pd.DataFrame:
        write_night(tmp_path / "n", scenes, **more)
        wanted = Wanted(measure=AllFeatures())
        (night,) = read(tmp_path / "cache", wanted, seq_dirs=[tmp_path / "n"]).nights
        return night.features.assign(looks=night.looks)

    return table


@pytest.mark.parametrize("move", MOVES)
def test_structure_of_the_camera_is_no_line_under_a_rising_moon(table_of, move):
    table = table_of(moonlit(moved(move, 11)), camera=edged)
    assert table["streak_significance"].max() < LIMIT
    # Frame by frame it would be one.
    alone = measure_lines(table["looks"])
    assert np.median(alone["streak_significance"]) > LIMIT


@pytest.mark.parametrize("move", MOVES)
def test_a_trail_is_found_beside_the_edge_in_its_frame_alone(table_of, move):
    scenes = moved(move, 12)
    scenes[5] = replace(scenes[5], streak_sigma=2.5, streak_deg=58.0)
    table = table_of(scenes, camera=edged)
    value = table["streak_significance"]
    assert value[5] > LIMIT
    assert value.drop(5).max() < LIMIT
    assert table["streak_angle_deg"][5] == pytest.approx(58, abs=2)
    assert table["streak_length_px"][5] > 0.6 * min(SHAPE)


def test_a_trail_is_found_where_a_third_of_the_night_is_clouded(table_of):
    scenes = smooth_night(N, 13)
    for i in range(6, 11):
        scenes[i] = replace(scenes[i], transparency=0.3, sky=900.0)
    scenes[2] = replace(scenes[2], streak_sigma=2.5)
    scenes[8] = replace(scenes[8], streak_sigma=2.5)
    table = table_of(scenes, camera=edged)
    lined = np.flatnonzero(table["streak_significance"] > LIMIT)
    assert list(lined) == [2, 8]


def test_trails_in_several_frames_do_not_hide_each_other(table_of):
    scenes = smooth_night(N, 14)
    for i in (3, 4, 5, 6):  # one after the other, as of a plane that comes nearer
        scenes[i] = replace(scenes[i], streak_sigma=3.0, streak_offset=0.05 * i)
    table = table_of(scenes)
    assert list(np.flatnonzero(table["streak_significance"] > LIMIT)) == [3, 4, 5, 6]


@pytest.mark.parametrize("frames", [1, MIN_FRAMES - 1])
def test_few_frames_are_looked_at_alone(table_of, frames):
    scenes = smooth_night(frames, 15)
    scenes[-1] = replace(scenes[-1], streak_sigma=3.0)
    table = table_of(scenes)
    alone = measure_lines(table["looks"])
    for name, values in alone.items():
        np.testing.assert_array_equal(table[name], values)
    assert table["streak_significance"].iloc[-1] > LIMIT


def test_a_night_of_one_trail_that_stands_still_is_the_cameras(table_of):
    """A spider of an enclosure, a diffraction spike: in all frames at the same place."""
    table = table_of([replace(scene, streak_sigma=2.5) for scene in smooth_night(N, 16)])
    assert table["streak_significance"].max() < LIMIT
