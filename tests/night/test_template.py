"""The night's template on cells with known truth: what stands still, what moves, what is news."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import ndtr

from nightsift.night.matching import Alignment
from nightsift.night.template import MIN_FRAMES, Mesh, Template, make_template, spread

SIDE = 64
FRAME = (640, 640)
MESH = Mesh((SIDE, SIDE), (10.0, 10.0), FRAME)
NO_PAIRS = np.empty((0, 2), dtype=np.intp)
STILL = Alignment(0.0, 1.0, np.zeros(2), NO_PAIRS)


def camera_edge() -> np.ndarray:
    """A filter edge, a bad column and hot cells, (S, S) sigma."""
    out = np.zeros((SIDE, SIDE))
    rows, cols = np.mgrid[:SIDE, :SIDE]
    out[np.abs(rows + 0.5 * cols - 20) < 1] = -14.0
    out[:, 40] = 9.0
    places = np.random.default_rng(3).integers(0, SIDE, (25, 2))
    out[places[:, 0], places[:, 1]] = 30.0
    return out


def sky_stars(seed: int = 5, stars: int = 700) -> np.ndarray:
    """(N, 3) x, y, light in sigma of one cell, over five times the frame."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-2 * FRAME[0], 3 * FRAME[0], (2, stars))
    return np.column_stack([x, y, 10 ** rng.uniform(1.5, 2.8, stars)])


def seen(stars: np.ndarray, pose: Alignment) -> np.ndarray:
    """What the cells of a frame see of the stars: Gaussian ones, three quarters of a cell wide."""
    centre = (np.array(FRAME[::-1]) - 1) / 2
    places = (pose.to_frame(stars[:, :2], centre) + 0.5) / 10
    edges = np.arange(SIDE + 1)
    in_x, in_y = (np.diff(ndtr((edges - places[:, axis, None]) / 0.75), axis=1) for axis in (0, 1))
    return np.einsum("ni,nj,n->ij", in_y, in_x, stars[:, 2])


class Night:
    """Cells of N frames; counts how many are asked for at once and in all."""

    def __init__(self, cells: np.ndarray) -> None:
        self.cells = cells.astype(np.float32)
        self.asked: list[int] = []

    def __call__(self, rows: Sequence[int]) -> np.ndarray:
        self.asked.extend(rows)
        return self.cells[list(rows)][:, None].copy()

    def template(self, poses: Sequence[Alignment | None], **more: object) -> Template | None:
        gains = more.pop("gains", np.ones(len(poses)))
        return make_template(self, MESH, poses, gains, [more.pop("follows", False)], **more)

    def changes(self, poses: Sequence[Alignment | None]) -> np.ndarray:
        template = self.template(poses)
        assert template is not None
        return np.stack(
            [
                template.change(cells[None], pose, 1.0)[0]
                for cells, pose in zip(self.cells, poses, strict=True)
            ]
        )


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (frames, SIDE, SIDE))


def shifted(x: float, y: float, turn: float = 0.0) -> Alignment:
    return Alignment(turn, 1.0, np.array([x, y]), NO_PAIRS)


def test_what_stands_still_is_no_change():
    night = Night(noise(20) + camera_edge())
    change = night.changes([STILL] * 20)
    assert np.isfinite(change).all()
    assert np.abs(change).max() < 7
    # What is usual is the largest of 3x3 cells: somewhat more than the noise.
    assert 0.65 < change.std() < 1.05


def test_what_only_one_frame_has_is_left_as_strong_as_it_is():
    cells = noise(20) + camera_edge()
    rows, cols = np.mgrid[:SIDE, :SIDE]
    trail = np.abs(rows - 0.7 * cols - 10) < 0.8
    cells[7][trail] += 4.0
    change = Night(cells).changes([STILL] * 20)
    assert 2.4 < change[7][trail].mean() < 4.4
    others = np.delete(change, 7, axis=0)[:, trail]
    assert abs(others.mean()) < 0.2


def test_a_third_of_bad_frames_does_not_become_the_template():
    cells = noise(24) + camera_edge()
    cells[8:16, 10:30, 10:40] -= 8.0
    change = Night(cells).changes([STILL] * 24)
    inside = change[:, 12:28, 12:38]
    assert (inside[8:16].mean(axis=(1, 2)) < -2).all()
    assert np.abs(np.delete(inside, range(8, 16), axis=0).mean(axis=(1, 2))).max() < 1.0


def test_a_moon_that_rises_deepens_no_corner():
    strength = np.linspace(1, 4, 20)
    rows, cols = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    corner = -12 * np.clip(rows**2 + cols**2 - 0.8, 0, None)
    night = Night(noise(20) + strength[:, None, None] * corner)
    for follows in (False, True):
        template = night.template([STILL] * 20, follows=follows)
        change = np.stack([template.change(c[None], STILL, 1.0)[0] for c in night.cells])
        assert np.abs(change.mean(axis=0)).max() < 2
        assert np.abs(change).max() < 7


MOVES = {
    "dither": [shifted(*np.random.default_rng(i).uniform(-60, 60, 2)) for i in range(24)],
    "drift": [shifted(20.0 * i, -11.0 * i) for i in range(24)],
    "turn": [shifted(0, 0, turn) for turn in np.linspace(0, 12, 24)],
    "flip": [shifted(5.0 * (i % 4), 0, 180.0 * (i > 11)) for i in range(24)],
}


@pytest.mark.parametrize("move", MOVES)
def test_stars_that_move_with_the_field_are_no_change(move):
    poses, sky = MOVES[move], sky_stars()
    light = np.stack([seen(sky, pose) for pose in poses])
    change = Night(noise(24) + camera_edge() + light).changes(poses)
    assert np.mean(light > 20) > 0.02
    # Cells between stars scatter as noise does, cells with stars not much more.
    assert np.percentile(np.abs(change[light < 1]), 99) < 4.5
    bright = np.abs(change[light > 20])
    assert np.median(bright) < 2


@pytest.mark.parametrize("move", MOVES)
def test_a_cloud_takes_the_stars_of_a_moving_field(move):
    poses, sky = MOVES[move], sky_stars()
    light = np.stack([seen(sky, pose) for pose in poses])
    clouded = np.arange(24) % 3 == 1
    dimmed = np.where(clouded, 0.3, 1.0)
    change = Night(noise(24) + light * dimmed[:, None, None]).changes(poses)
    # At the ends of a drift the sky is seen too seldom to be known.
    inner = [
        np.median(change[i][light[i] > 20]) for i in range(24) if move != "drift" or 3 < i < 20
    ]
    lost = clouded if move != "drift" else clouded[4:20]
    assert np.max(np.array(inner)[lost]) < -0.9
    assert np.min(np.array(inner)[~lost]) > 0


def test_an_unknown_pose_leaves_the_stars_and_takes_the_camera():
    poses, sky = list(MOVES["dither"]), sky_stars()
    light = np.stack([seen(sky, pose) for pose in poses])
    poses[5] = None
    change = Night(noise(24) + camera_edge() + light).changes(poses)
    assert change[5][light[5] > 30].mean() > 5
    assert abs(np.median(change[5][:, 40])) < 2


def test_unknown_cells_stay_unknown():
    cells = noise(12)
    cells[3, :8] = np.nan
    cells[:, :, :4] = np.nan
    change = Night(cells).changes([STILL] * 12)
    assert np.isnan(change[3, :8]).all()
    assert np.isnan(change[:, :, :4]).all()
    assert np.isfinite(np.delete(change, 3, axis=0)[:, :, 4:]).all()


@pytest.mark.parametrize("frames", range(MIN_FRAMES))
def test_few_frames_have_no_template(frames):
    night = Night(noise(max(frames, 1))[:frames])
    assert night.template([STILL] * frames) is None
    assert night.asked == []


def test_the_fewest_frames_have_one():
    assert Night(noise(MIN_FRAMES)).template([STILL] * MIN_FRAMES) is not None


def test_long_nights_are_read_in_part():
    frames = 5000
    asked: list[int] = []
    few = noise(50) + camera_edge()

    def read(rows: Sequence[int]) -> np.ndarray:
        asked.extend(rows)
        return np.stack([few[row % 50] for row in rows])[:, None].astype(np.float32)

    template = make_template(read, MESH, [STILL] * frames, np.ones(frames), [False])
    assert template is not None
    assert len(asked) <= 48
    assert (min(asked), max(asked)) == (0, frames - 1)
    assert np.diff(asked).max() < frames / 40


def test_a_field_that_runs_away_does_not_make_the_picture_larger():
    poses = [shifted(500.0 * i, 0) for i in range(40)]
    template = Night(noise(40) + seen(sky_stars(), STILL)).template(poses)
    assert template is not None
    if template.sky is not None:
        assert max(template.sky.cells.shape) <= 4 * SIDE


@pytest.mark.parametrize("frames", [1, 5, 47, 48, 49, 1000])
def test_frames_of_a_template_are_spread_over_the_night(frames):
    chosen = spread(frames)
    assert len(chosen) == len(set(chosen)) == min(frames, 48)
    assert chosen == sorted(chosen)
    assert chosen[0] == 0
    assert chosen[-1] == frames - 1
