from __future__ import annotations

import json

import torch

from nightsift.models.locate import PRETRAINED
from nightsift.models.weights import load_weights


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
