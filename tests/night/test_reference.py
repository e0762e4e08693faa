"""Whole nights with known truth: turning, jumping, hot pixels, damaged and foreign frames."""

from __future__ import annotations

import numpy as np
import pytest

from nightsift.look.scene import NO_STARS, StarList
from nightsift.night.alignment import frame_centre
from nightsift.night.poses import pose_numbers
from nightsift.night.reference import NightField, align_night

SHAPE = (600, 800)
SIZE = np.array([800.0, 600.0])
CENTRE = frame_centre(SHAPE)


def sky(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Places and fluxes of stars on 2400 x 1800 px around the frame."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 2, (n, 2)) * SIZE, 1e4 * rng.pareto(1.0, n) + 1e3


def frame(stars, *, shift=(0.0, 0.0), angle=0.0, seed=0, missing=0.0) -> StarList:
    rng = np.random.default_rng(seed)
    position, flux = stars
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    moved = (position - CENTRE) @ np.array([[c, -s], [s, c]]).T + CENTRE + shift
    moved += rng.normal(0, 0.1, moved.shape)
    kept = np.all((moved > 0) & (moved < SIZE), axis=1) & (rng.random(len(moved)) >= missing)
    return listed(moved[kept], flux[kept] * rng.normal(1, 0.05, kept.sum()))


def listed(position, flux) -> StarList:
    order = np.argsort(-flux)
    x, y = position[order].T
    return StarList(x, y, flux[order], flux[order] / 20)


def with_points(stars: StarList, position, flux) -> StarList:
    both = np.concatenate([np.column_stack([stars.x, stars.y]), position])
    return listed(both, np.concatenate([stars.flux, flux]))


def aligned(frames) -> NightField:
    return align_night(frames, SHAPE, np.ones(len(frames)))


def shift_between(field: NightField, i: int, j: int) -> np.ndarray:
    """Where the middle of frame i lies on frame j, less the middle."""
    on_reference = field.alignments[i].to_reference(CENTRE[None], CENTRE)
    return field.alignments[j].to_frame(on_reference, CENTRE)[0] - CENTRE


def test_a_field_that_turns_by_twelve_degrees_is_kept():
    stars = sky(1)
    angles = np.linspace(0, 12, 40)
    field = aligned([frame(stars, angle=a, seed=i) for i, a in enumerate(angles)])
    assert None not in field.alignments
    turned = np.array([item.rotation_deg for item in field.alignments])
    np.testing.assert_allclose(turned - turned[0], -(angles - angles[0]), atol=0.05)
    assert set(pose_numbers(field.alignments, field.reference)) == {0}


def test_a_camera_put_back_another_way_is_another_pose():
    stars = sky(2)
    angles = [0.0] * 12 + [73.0] * 12
    field = aligned([frame(stars, angle=a, seed=i) for i, a in enumerate(angles)])
    assert None not in field.alignments
    poses = pose_numbers(field.alignments, field.reference)
    assert len(set(poses[:12])) == len(set(poses[12:])) == 1
    assert poses[0] != poses[12]


def test_a_drift_over_more_than_a_frame_is_followed():
    stars = sky(3, 900)
    field = aligned([frame(stars, shift=(25.0 * i - 500, 0.0), seed=i) for i in range(40)])
    assert None not in field.alignments
    assert shift_between(field, 0, 10) == pytest.approx([250.0, 0.0], abs=0.5)


@pytest.mark.parametrize("dither", [0.0, 12.0])
def test_hot_pixels_do_not_win_against_the_sky(dither):
    stars = sky(4, 300)
    rng = np.random.default_rng(4)
    hot = rng.uniform(0, 1, (80, 2)) * SIZE
    shifts = np.column_stack([2.0 * np.arange(30), rng.uniform(-dither, dither, 30)])
    frames = [
        with_points(
            frame(stars, shift=s, seed=i),
            hot + rng.normal(0, 0.05, hot.shape),
            rng.uniform(3e4, 3e5, len(hot)),
        )
        for i, s in enumerate(shifts)
    ]
    field = aligned(frames)
    assert None not in field.alignments
    for i in range(0, 30, 5):
        assert shift_between(field, 0, i) == pytest.approx(shifts[i] - shifts[0], abs=0.2)
    hits = [
        np.isin(item.pairs[:, 1], field.alignments[0].pairs[:, 1]).sum()
        for item in field.alignments
    ]
    assert min(hits) > 10


def test_a_field_that_jumps_back_and_forth_keeps_its_stars():
    """The same pixels hold stars again and again; they are no hot pixels."""
    stars = sky(5, 500)
    shifts = [(0.0, 0.0), (310.0, 40.0)] * 15
    field = aligned([frame(stars, shift=s, seed=i) for i, s in enumerate(shifts)])
    assert None not in field.alignments
    assert shift_between(field, 0, 1) == pytest.approx([310.0, 40.0], abs=0.2)
    assert min(len(item.pairs) for item in field.alignments) > 25


def test_a_third_of_damaged_frames_gives_no_reference():
    stars = sky(6)
    rng = np.random.default_rng(6)
    bad = np.arange(30) % 3 == 1
    frames = [
        listed(rng.uniform(0, 1, (500, 2)) * SIZE, rng.uniform(1e4, 1e6, 500))
        if bad[i]
        else frame(stars, seed=i, missing=0.2)
        for i in range(30)
    ]
    # The damaged frames are the fittest by their own numbers.
    field = align_night(frames, SHAPE, np.where(bad, 9.0, 1.0))
    known = [item is not None for item in field.alignments]
    assert not bad[field.reference]
    np.testing.assert_array_equal(known, ~bad)


def test_of_two_fields_the_majority_is_the_night():
    first, second = sky(7), sky(8, 1500)
    frames = [frame(first if i < 20 else second, seed=i) for i in range(30)]
    field = aligned(frames)
    known = [item is not None for item in field.alignments]
    assert known == [True] * 20 + [False] * 10


def test_frames_without_stars_are_left_alone():
    frames = [frame(sky(9), seed=i) for i in range(9)] + [NO_STARS]
    assert aligned(frames).alignments[-1] is None
    assert aligned([NO_STARS] * 3).reference == -1
