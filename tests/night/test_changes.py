"""Planes of what changed, on nights with known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nightsift.look.look import Wanted
from nightsift.look.measure import AllFeatures
from nightsift.look.store import read_tensors
from nightsift.look.transforms.two_scale import TwoScale
from nightsift.night.changes import NightChanges, night_profile, star_planes
from nightsift.night.night import Night
from nightsift.night.template import MIN_FRAMES
from scenes import Scene, smooth_night, write_night
from values import read

N = 14
SIDE = 128
SOFTENING = 3.0
WANTED = Wanted(TwoScale(softening=SOFTENING), SIDE, AllFeatures())
CLOUD, BLUR, TRAIL = 3, 7, 11

NightOf = Callable[..., Night]


@pytest.fixture(scope="module")
def night_of(tmp_path_factory: pytest.TempPathFactory) -> NightOf:
    """night_of(scenes, mixed=False, ...): a night with tensors, read from files."""

    def make(scenes: list[Scene], *, mixed: bool = False, **more: object) -> Night:
        folder = tmp_path_factory.mktemp("night")
        write_night(folder / "n", scenes, **more)
        sources = {"mixed_dirs" if mixed else "seq_dirs": [folder / "n"]}
        (night,) = read(folder / "cache", WANTED, **sources).nights
        return night

    return make


def planes_of(night: Night) -> np.ndarray:
    return NightChanges(night, SOFTENING).planes(np.arange(len(night)))


def own_planes(night: Night) -> np.ndarray:
    return read_tensors([look.tensor for look in night.looks if look.tensor])


def size(planes: np.ndarray) -> np.ndarray:
    """Root mean square of each frame's plane."""
    return np.sqrt((planes**2).mean(axis=(-1, -2)))


@pytest.fixture(scope="module")
def night(night_of) -> Night:
    """Dithered frames: one through cloud, one out of focus, one trailed."""
    scenes = [
        replace(scene, shift=tuple(np.random.default_rng(i).uniform(-12, 12, 2)))
        for i, scene in enumerate(smooth_night(N, 21))
    ]
    scenes[CLOUD] = replace(scenes[CLOUD], transparency=0.35)
    scenes[BLUR] = replace(scenes[BLUR], ring=6.0)
    scenes[TRAIL] = replace(scenes[TRAIL], trail=10.0)
    return night_of(scenes)


@pytest.fixture(scope="module")
def planes(night) -> np.ndarray:
    return planes_of(night)


def test_planes_are_bounded_and_none_is_missing(planes):
    assert planes.shape == (N, 5, SIDE, SIDE)
    assert planes.dtype == np.float32
    assert np.isfinite(planes).all()
    assert np.abs(planes).max() <= 8


@pytest.mark.parametrize("plane", [3, 4])
def test_other_shapes_of_stars_stand_out_in_the_cut_outs(planes, plane):
    found = size(planes[:, plane])
    good = np.delete(found, [CLOUD, BLUR, TRAIL])
    assert min(found[BLUR], found[TRAIL]) > 1.5 * good.max()


def test_a_cloud_leaves_holes_where_stars_were(night, planes):
    stars = own_planes(night)[:, 0]
    # Where a bright star stands: the frames beside it lie elsewhere by the dither alone.
    means = [planes[i, 0][stars[i] > 1].mean() for i in range(N)]
    good = np.delete(means, [CLOUD, BLUR, TRAIL])
    dark = (planes[:, 0] < -0.5).mean(axis=(1, 2))
    assert means[CLOUD] < good.min() - 0.1
    assert dark[CLOUD] > 1.4 * np.delete(dark, [CLOUD, BLUR, TRAIL]).max()


def test_usual_frames_are_much_quieter_than_they_are_by_themselves(night, planes):
    good = np.delete(np.arange(N), [CLOUD, BLUR, TRAIL])
    own = own_planes(night)[good]
    assert size(planes[good, 0]).max() < 0.6 * size(own[:, 0]).min()
    assert size(planes[good, 3]).max() < 0.6 * size(own[:, 3]).min()


def test_only_asked_rows_come_in_their_order(night, planes):
    changes = NightChanges(night, SOFTENING)
    np.testing.assert_array_equal(changes.planes(np.array([9, 2])), planes[[9, 2]])


def test_a_night_out_of_focus_throughout_shows_nothing(night_of, planes):
    blurred = planes_of(night_of([replace(scene, ring=6.0) for scene in smooth_night(N, 22)]))
    good = np.delete(np.arange(N), [CLOUD, BLUR, TRAIL])
    for plane in (3, 4):
        found = size(blurred[:, plane])
        assert found.max() < 1.8 * np.median(found)
        assert np.median(found) < 0.6 * size(planes[BLUR, plane])
    # Over the noise; shares of their peaks are the noisier the fainter the peaks are.
    assert np.median(size(blurred[:, 3])) < 2 * np.median(size(planes[good, 3]))


def test_a_streak_shows_in_the_field_of_its_frame(night_of):
    scenes = smooth_night(N, 23)
    scenes[5] = replace(scenes[5], streak_sigma=4.0)
    planes = planes_of(night_of(scenes))
    strong = (planes[:, 1] > 0.7).sum(axis=(1, 2))
    assert strong[5] > 60
    assert strong[5] > 2 * np.delete(strong, 5).max()


def test_structure_of_the_camera_is_left_out_while_the_moon_rises(night_of):
    def edged(pixels: np.ndarray) -> np.ndarray:
        out = pixels.astype(float)
        out[:, 133] += 60
        x = np.arange(pixels.shape[1])[None, :] + 0.4 * np.arange(pixels.shape[0])[:, None]
        return np.round(300 + (out - 300) * np.where(x < 110, 0.8, 1)).astype(np.uint16)

    sky = np.linspace(400, 1600, N)
    scenes = [replace(s, sky=float(sky[i])) for i, s in enumerate(smooth_night(N, 24))]
    night = night_of(scenes, camera=edged)
    planes, own = planes_of(night), own_planes(night)
    corner = np.s_[:, 2, :20, :20]
    assert np.abs(own[corner].mean(axis=(1, 2))).min() > 0.4
    assert np.abs(planes[corner].mean(axis=(1, 2))).max() < 0.4


@pytest.mark.parametrize(("frames", "mixed"), [(1, False), (MIN_FRAMES - 1, False), (8, True)])
def test_frames_with_few_others_keep_what_is_their_own(night_of, frames, mixed):
    night = night_of(smooth_night(frames, 25), mixed=mixed)
    planes, own = planes_of(night), own_planes(night)
    np.testing.assert_allclose(planes[:, :3], own[:, :3], atol=1e-4)
    # The mosaic is centred and nothing else: the same light, as bright at its peak.
    np.testing.assert_allclose(planes[:, 3].max(axis=(1, 2)), own[:, 3].max(axis=(1, 2)), atol=1e-4)


def test_a_frame_among_many_is_not_moved_by_its_own_defect(night, planes, night_of):
    """The same good frames without the three bad ones: theirs is the same template, nearly."""
    scenes = [
        replace(scene, shift=tuple(np.random.default_rng(i).uniform(-12, 12, 2)))
        for i, scene in enumerate(smooth_night(N, 21))
    ]
    clean = planes_of(night_of(scenes))
    good = np.delete(np.arange(N), [CLOUD, BLUR, TRAIL])
    difference = size(clean[good] - planes[good])
    assert (difference < 0.5 * np.maximum(size(clean[good]), 0.3)).all()


def mosaic(width: float, flux: float = 3000.0, seed: int = 0) -> np.ndarray:
    """Sixteen Gaussian stars, one in each cut-out, over noise of 1."""
    side = SIDE // 4
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    star = np.exp(-(x**2 + y**2) / (2 * width**2)) / (2 * np.pi * width**2)
    noise = np.random.default_rng(seed).normal(0, 1, (SIDE, SIDE))
    return (np.tile(flux * star, (4, 4)) + noise).astype(np.float32)


def test_the_profile_is_that_of_most_frames():
    sharp = [mosaic(2.0, seed=seed) for seed in range(8)]
    profile = night_profile(np.stack([*sharp, *(mosaic(5.0, seed=9 + i) for i in range(3))]))
    expected = 1 / (2 * np.pi * 2.0**2)
    np.testing.assert_allclose(profile.shape.max(axis=(1, 2)), expected, rtol=0.1)
    soft = np.float32(SOFTENING)
    same, wide = (star_planes(mosaic(w, seed=30), profile, soft) for w in (2.0, 5.0))
    assert (size(wide) > 1.7 * size(same)).all()
    # Another brightness of the same shape is no news.
    bright = star_planes(mosaic(2.0, 9000.0, seed=31), profile, soft)
    assert (size(bright) < 1.5 * size(same)).all()


def test_blank_cut_outs_teach_no_profile():
    blank = np.random.default_rng(1).normal(0, 1, (8, SIDE, SIDE)).astype(np.float32)
    profile = night_profile(blank)
    assert (profile.shape == 0).all()
    planes = star_planes(blank[0], profile, np.float32(SOFTENING))
    assert np.isfinite(planes).all()
