from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from nightsift.data.relative import GAPS, INPUT_NAMES, loose_inputs, night_inputs

from nightsift.fits.reader import Frame
from nightsift.night.grouping import Night
from scenes import START, Scene, frame, measure

N = 14


@pytest.fixture(scope="module")
def measured() -> list:
    scenes = [Scene() for _ in range(N)]
    scenes[5] = replace(scenes[5], transparency=0.4)
    scenes[9] = replace(scenes[9], trail=9.0)
    return [measure(timed(scene, i)) for i, scene in enumerate(scenes)]


def timed(scene: Scene, i: int) -> Frame:
    made = frame(scene, i)
    info = replace(made.info, time=START + timedelta(seconds=90 * i), exposure_s=60.0)
    return made._replace(info=info)


def inputs(items: list) -> pd.DataFrame:
    files = tuple(f"f{i}.fits" for i in range(len(items)))
    infos = tuple(item.info for item in items)
    night = Night("n", files[0], files, infos, timed=True)  # type: ignore[arg-type]
    return pd.DataFrame(night_inputs(night, items), columns=list(INPUT_NAMES))


def test_the_frame_that_differs_differs_in_its_own_numbers(measured):
    table = inputs(measured)
    assert table["slow_transparency_by_limit"].idxmin() == 5
    assert table["slow_transparency_by_limit"][5] < -1
    assert table["slow_trail_by_limit"].idxmax() == 9
    usual = table.drop(index=[5, 9])["slow_transparency_by_limit"].abs()
    assert usual.max() < 0.3


def test_a_camera_with_other_units_gives_the_same_numbers(measured):
    """Twice the ADU per electron and another bias: only noise of rounding is left."""
    scenes = [Scene(transparency=0.4 if i == 5 else 1.0) for i in range(N)]
    frames = [timed(scene, i) for i, scene in enumerate(scenes)]
    other = [f._replace(pixels=(f.pixels.astype(np.float32) * 2 + 100)) for f in frames]
    one, two = (inputs([measure(f) for f in group]) for group in (frames, other))
    moved = (one - two).abs().max()
    # Levels of the sky keep their bias, which nobody knows, in their ratios.
    free = [name for name in moved.index if "background" not in name and "gradient" not in name]
    assert moved[free].max() < 0.35


def test_numbers_are_bounded_and_the_names_are_fixed(measured):
    table = inputs(measured)
    assert table.abs().max().max() <= 5
    assert len(set(INPUT_NAMES)) == len(INPUT_NAMES)
    assert INPUT_NAMES[-2:] == GAPS


def test_a_pause_shows_on_either_side_of_it(measured):
    later = [
        item._replace(
            info=replace(item.info, time=item.info.time + timedelta(seconds=3600 * (i >= 7)))
        )
        for i, item in enumerate(measured)
    ]
    table = inputs(later)
    assert table["gap_after"].idxmax() == 6
    assert table["gap_before"].idxmax() == 7
    assert np.isnan(table["gap_before"][0])
    assert np.isnan(table["gap_after"][N - 1])


def test_a_loose_frame_has_no_deviations_but_its_levels(measured):
    table = pd.DataFrame(loose_inputs(measured[:3]), columns=list(INPUT_NAMES))
    deviations = [name for name in table if name.startswith(("slow_", "local_", "gap_"))]
    assert table[deviations].isna().all().all()
    assert table["level_trail"].notna().all()
    np.testing.assert_array_equal(
        table["level_elongation"], inputs(measured)["level_elongation"][:3]
    )


def test_a_short_night_abstains(measured):
    assert inputs(measured[:3])["slow_transparency_by_limit"].isna().all()
