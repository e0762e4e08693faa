from __future__ import annotations

from dataclasses import replace

import pytest

from nightsift.errors import NightsiftError
from nightsift.heuristics.published import SCORED, PublishedScore, published_features
from nightsift.heuristics.score import judge_features
from scenes import Scene, frame, smooth_night, write_night

WEIGHTS = {"disp": 0.2, "fwhm_proxy": 0.2, "streak": 0.4, "flux_jump": 0.2}


def test_it_keeps_its_faults_for_comparison():
    plain = published_features(frame(Scene()).pixels)
    streaked = published_features(frame(Scene(streak_sigma=8.0)).pixels)
    moved = published_features(frame(Scene(shift=(60.0, 0.0))).pixels)
    assert plain["streak"] == pytest.approx(0.10, abs=0.005)
    assert streaked["streak"] == pytest.approx(plain["streak"], abs=0.005)
    assert plain["fwhm_proxy"] > 100
    assert abs(moved["xc"] - plain["xc"]) < 15


def test_it_ranks_with_the_same_columns(tmp_path):
    scenes = smooth_night(10, 1)
    scenes[4] = replace(scenes[4], sky=5000.0)
    files = write_night(tmp_path, scenes)
    (tmp_path / "x.fits").write_bytes(b"?")
    method = PublishedScore(weights=WEIGHTS)
    table = judge_features(method.measure([*files, tmp_path / "x.fits"]), method)
    assert table["candidate_score"].between(0, 1).all()
    assert table["explanation"].iloc[0] == "unreadable: not FITS"
    # The bad frame and the good one after it.
    assert set(table["file"].iloc[1:3]) == {str(files[4]), str(files[5])}


def test_weights_must_name_all_columns():
    with pytest.raises(NightsiftError, match=SCORED[0]):
        PublishedScore(weights={"disp": 1.0})
