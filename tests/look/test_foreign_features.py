"""Features that a package of somebody else adds."""

from __future__ import annotations

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.look.features import FEATURES, Feature
from nightsift.look.measure import AllFeatures, Decoded
from nightsift.look.scene import Scene


def measure_ink(scene: Scene) -> dict[str, float]:
    return {"ink": float(scene.pixels.min())}


def measure_mean(scene: Scene) -> dict[str, float]:
    return {"mean": float(scene.pixels.mean())}


@pytest.fixture
def frame() -> Decoded:
    return Decoded(np.random.default_rng(0).normal(100, 5, (64, 64)))


def test_when_it_was_imported_does_not_matter(frame, monkeypatch):
    shipped = dict(FEATURES)
    ink = {"ink": Feature(measure_ink)}
    made = []
    for entries in (ink | shipped, shipped | ink):
        monkeypatch.setattr(FEATURES, "_entries", entries)
        measure = AllFeatures()
        made.append((measure.key, list(measure(frame).features)))
    assert made[0] == made[1]
    assert "ink" in made[0][1]
    monkeypatch.setattr(FEATURES, "_entries", shipped | {"ink": Feature(measure_ink, version=2)})
    assert AllFeatures().key != made[0][0]


def test_it_cannot_take_the_place_of_another(frame, monkeypatch):
    monkeypatch.setattr(FEATURES, "_entries", {**FEATURES, "ink": Feature(measure_mean)})
    with pytest.raises(NightsiftError, match="'mean' is measured already: choose another name"):
        AllFeatures()(frame)
