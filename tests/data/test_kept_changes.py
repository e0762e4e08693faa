"""Planes of changes on disk are those that are made when they are asked for."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nightsift.data import changes as module
from nightsift.data.changes import KeptChanges, kept_changes, live_changes
from nightsift.errors import NightsiftError
from nightsift.look.look import Wanted
from nightsift.look.measure import AllFeatures
from nightsift.look.transforms.robust import Robust
from nightsift.look.transforms.two_scale import TwoScale
from nightsift.night.night import Night
from values import read

N = 9
WANTED = Wanted(TwoScale(), 32, AllFeatures())


@pytest.fixture
def nights(make_night, tmp_path) -> list[Night]:
    """Two nights of nine frames of two fields."""
    folders = [make_night(name, n=N, bad={3}, seed=i, side=96) for i, name in enumerate("ab")]
    return list(read(tmp_path / "cache", WANTED, seq_dirs=folders).nights)


def test_what_is_kept_is_what_is_made(nights, tmp_path):
    rows = np.array([7, 3, 3])
    for night, kept in zip(nights, kept_changes(nights, WANTED, tmp_path), strict=True):
        live = live_changes(night, WANTED.transform).planes(rows)
        found = kept.planes(rows)
        assert found.dtype == np.float32
        assert found.shape == (3, 5, 32, 32)
        # Of float16, whose step at 8 is 2 ** -8.
        np.testing.assert_allclose(found, live, rtol=2**-10, atol=1e-6)


def test_they_are_made_once(nights, tmp_path, monkeypatch):
    before = kept_changes(nights, WANTED, tmp_path)[0].planes(np.arange(N))
    monkeypatch.setattr(module, "live_changes", None)
    after = kept_changes(nights, WANTED, tmp_path)[0].planes(np.arange(N))
    np.testing.assert_array_equal(after, before)
    assert len(list((tmp_path / "changes").iterdir())) == 2  # and no temporary file is left


def test_long_nights_are_made_in_parts(nights, tmp_path, monkeypatch):
    whole = kept_changes(nights, WANTED, tmp_path / "whole")[0].planes(np.arange(N))
    monkeypatch.setattr(module, "_PART", 4)
    parts = kept_changes(nights, WANTED, tmp_path / "parts")[0].planes(np.arange(N))
    np.testing.assert_array_equal(parts, whole)


def test_other_frames_beside_it_make_other_planes(nights, tmp_path):
    kept_changes(nights[:1], WANTED, tmp_path)
    night = nights[0]
    table = night.features.assign(noise_adu=night.features["noise_adu"] * 1.5)
    for other in (replace(night, features=table), night):
        kept_changes([other], WANTED, tmp_path)
    kept_changes([night], replace(WANTED, transform=TwoScale(softening=2.0)), tmp_path)
    assert len(list((tmp_path / "changes").iterdir())) == 3


def test_processes_keep_what_threads_do(nights, tmp_path, monkeypatch):
    one = kept_changes(nights, WANTED, tmp_path / "one")
    monkeypatch.setattr(module, "FRAMES_WORTH_PROCESSES", 1)
    two = kept_changes(nights, WANTED, tmp_path / "two", workers=2, processes=True)
    for ours, theirs in zip(one, two, strict=True):
        np.testing.assert_array_equal(ours.planes(np.arange(N)), theirs.planes(np.arange(N)))


def test_kept_planes_travel_to_other_processes(nights, tmp_path):
    (kept, _) = kept_changes(nights, WANTED, tmp_path)
    text = pickle.dumps(kept)
    assert len(text) < 1000
    np.testing.assert_array_equal(
        pickle.loads(text).planes(np.arange(2)), kept.planes(np.arange(2))
    )


def test_only_planes_of_two_scales_are_compared(nights, tmp_path):
    message = r"data\.changes compares the planes of data/transform=two_scale"
    with pytest.raises(NightsiftError, match=message):
        live_changes(nights[0], Robust())
    with pytest.raises(NightsiftError, match=message):
        kept_changes(nights, replace(WANTED, transform=None), tmp_path)


def test_a_cache_that_is_gone_or_in_the_way_is_named(nights, tmp_path):
    with pytest.raises(NightsiftError, match=r"gone\.npy is gone: run again"):
        KeptChanges(tmp_path / "gone.npy").planes(np.arange(1))
    Path(tmp_path / "file").write_text("")
    with pytest.raises(NightsiftError, match="changes cannot be used"):
        kept_changes(nights, WANTED, tmp_path / "file")
