from __future__ import annotations

import json

import numpy as np
import torch

from nightsift.models.locate import PRETRAINED
from nightsift.models.weights import load_weights
from nightsift.training.card import input_spec


def test_the_shipped_weights_are_small_and_load_in_both_ways():
    loaded = load_weights(PRETRAINED)
    state = torch.load(PRETRAINED.with_suffix(".pt"), map_location="cpu", weights_only=True)
    own = loaded.model.state_dict()
    assert state.keys() == own.keys()
    assert all(torch.equal(state[name], own[name]) for name in own)
    assert sum(path.stat().st_size for path in PRETRAINED.parent.iterdir()) < 8e6


def test_the_card_beside_them_is_the_one_inside():
    card = load_weights(PRETRAINED).card
    beside = json.loads(PRETRAINED.with_suffix(".json").read_text(encoding="utf-8"))
    assert beside["threshold"] == card.threshold
    assert beside["transform"] == card.transform
    assert 0 < (card.review_low or 0) <= card.threshold < 1
    assert card.prior == 0.1


def test_the_shipped_card_says_what_every_number_is_made_of():
    """Name, order, scale and missing value of each, readable and as many as the model takes."""
    loaded = load_weights(PRETRAINED)
    spec = input_spec(loaded.card)
    assert spec is not None
    assert len(spec.columns) - spec.gaps == loaded.card.model_args["features"]
    assert spec.to_json() == loaded.card.inputs
    assert all(np.isfinite(column.limit) for column in spec.columns)
    assert spec.missing is None  # the model has a switch of its own for a missing number
