"""Poses of a camera, and what a turn does to the pointing of a night."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nightsift.look.scene import NO_STARS
from nightsift.night.alignment import Alignment, frame_centre
from nightsift.night.pointing import measure_pointing
from nightsift.night.poses import pose_numbers
from nightsift.night.reference import NightField

SHAPE = (600, 800)
NO_PAIRS = np.empty((0, 2), dtype=np.intp)


def turned(*angles: float, mirrored: bool = False) -> list[Alignment | None]:
    return [Alignment(a, 1.0, np.zeros(2), NO_PAIRS, mirrored) for a in angles]


def pointing(alignments: list[Alignment | None]) -> dict[str, np.ndarray]:
    n = len(alignments)
    table = pd.DataFrame({"hours": np.arange(n) / 10, "n_shapes": np.full(n, 100.0)})
    field = NightField(frame_centre(SHAPE)[None], alignments, 0)
    return measure_pointing(table, field, [NO_STARS] * n, SHAPE)


def test_slow_turning_over_any_angle_is_one_pose():
    angles = (np.linspace(0, 200, 60) + 180) % 360 - 180
    assert set(pose_numbers(turned(*angles), 0)) == {0}


def test_flips_mirrors_and_gaps_are_other_poses():
    alignments = [*turned(179.0, -179.5), *turned(1.0, 2.0), None, *turned(0.0, mirrored=True)]
    assert list(pose_numbers(alignments, 2)) == [1, 1, 0, 0, -1, 2]


def test_a_field_that_turns_slowly_neither_jumps_nor_flips():
    columns = pointing(turned(*np.linspace(0, 120, 40)))
    assert columns["jump_px"].max() < 1
    assert not columns["flipped"].any()
    assert not columns["unrecognised"].any()


def test_a_sudden_turn_jumps_only_where_it_does_not_stay():
    for turn in (6.0, 90.0):
        passing = pointing(turned(*[0.0] * 12, turn, *[0.0] * 12))["jump_px"]
        assert int(np.nanargmax(passing)) == 12
        assert passing[12] > 20
        assert np.delete(passing, 12).max() < 1
        staying = pointing(turned(*[0.0] * 12, *[turn] * 12))["jump_px"]
        assert staying.max() < 1
