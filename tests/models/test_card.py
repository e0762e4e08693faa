from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.metrics.threshold import Objective, choose_threshold
from nightsift.models.card import REJECT_NOTHING, ModelCard


def test_a_card_comes_back_from_json_as_it_was():
    card = ModelCard(
        model_args={"channels": (8, 16, 32)},
        inputs={"version": 1, "names": ["fwhm_px"], "scale": [2.5]},
        temperature_alone=2.5,
        prior=0.1,
        prior_strength=12.0,
        threshold=0.3,
        review_low=0.1,
        splits={"train": ["a"]},
    )
    text = json.dumps(card.to_json(), allow_nan=False)
    assert json.loads(text)["format_version"] == 3
    assert ModelCard.from_json(json.loads(text)) == card


def test_a_card_of_format_1_says_nothing_of_its_inputs():
    data = ModelCard(threshold=0.3).to_json() | {"format_version": 1}
    del data["inputs"]
    card = ModelCard.from_json(data)
    assert card.inputs == {}
    assert card.threshold == 0.3


def test_a_card_of_format_2_reads_every_night_and_lone_frame_alike():
    data = ModelCard(temperature=1.5, prior=0.1, threshold=0.3).to_json() | {"format_version": 2}
    del data["temperature_alone"], data["prior_strength"]
    card = ModelCard.from_json(data)
    assert (card.temperature_alone, card.prior_strength) == (1.0, None)
    assert (card.temperature, card.prior, card.threshold) == (1.5, 0.1, 0.3)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("img_size", [15, 0, -128, 4097, 128.0, "128", True, None, 10**400]),
        ("window", [0, 8, -9, 1001, 9.0, "9", None]),
        ("temperature", [0, -1.0, math.nan, math.inf, "1", None, [1.0]]),
        ("temperature_alone", [0, 0.9, -2.0, math.nan, math.inf, "1", None]),
        ("prior_strength", [0, -1.0, math.nan, math.inf, "8", True]),
        ("logit_shift", [math.nan, -math.inf, None, True]),
        ("prior", [-0.1, 1.1, math.nan, "a"]),
        ("threshold", [-0.1, 1.1, math.nan, math.inf, None, "0.5"]),
        ("review_low", [-0.1, 0.6, math.nan, "0.1"]),
        ("architecture", ["", None, 5, ["JointFrameSeqModel"]]),
        ("model_args", [[], None, {"dropout": math.nan}, {"a": {"b": [math.inf]}}, {1: 2}]),
        ("transform", [{}, {"name": 3}, "robust", {"name": "robust", "clip": math.nan}]),
        ("inputs", [[], None, "x", {"scale": [math.nan]}, {"x": object()}]),
        ("fusion", [{"policy": "best"}, {"frame_weight": 1.5}, {"frame_weight": True}, []]),
        ("fusion", [{"frame_weight": math.nan}, {"frame_weight": None}, {"power": 1}]),
        ("causes", ["cloud", [1], {"cloud": 1}, None]),
        ("splits", [[], {"train": "a"}, {"train": [1]}, {"causes": 5}]),
        ("fingerprints", [[], {"a": 1}]),
        ("versions", [None, {"torch": 2.6}]),
        ("threshold_choice", [[], None, {"value": math.nan}]),
    ],
)
def test_values_out_of_range_are_refused_by_name(key, values):
    for value in values:
        with pytest.raises(NightsiftError, match=rf"^model card: {key}\b.*must be"):
            ModelCard(**{key: value})
        data = ModelCard().to_json() | {key: value}
        with pytest.raises(NightsiftError, match=rf"^model card: {key}\b.*must be"):
            ModelCard.from_json(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "no format_version"),
        ({"architecture": "JointFrameSeqModel"}, "no format_version"),
        ({"format_version": 4}, "update nightsift"),
        ({"format_version": "2"}, "format_version must be"),
        ({"format_version": 0}, "format_version must be"),
        ({"format_version": True}, "format_version must be"),
        ({"format_version": 3, "positive_label": "good"}, "positive_label must be"),
    ],
)
def test_other_objects_are_no_cards(data, message):
    with pytest.raises(NightsiftError, match=message):
        ModelCard.from_json(data)


def test_limits_themselves_are_allowed():
    ModelCard(img_size=16, window=1, prior=0, threshold=0, review_low=0, temperature=1e-9)
    ModelCard(fusion={"policy": "max_prob", "frame_weight": 0})
    ModelCard(threshold=1, prior=1.0, review_low=1)
    ModelCard(temperature_alone=1, prior_strength=1e-9)


def test_a_threshold_that_rejects_nothing_can_be_stored():
    objective = Objective(name="max_false_rejection", max_false_rejection=0.0)
    choice = choose_threshold([0.2, 1.0], [1, 0], objective)
    assert choice.threshold == REJECT_NOTHING
    data = json.loads(json.dumps(ModelCard(threshold=choice.threshold).to_json()))
    assert ModelCard.from_json(data).threshold > 1


def test_numbers_of_numpy_become_plain():
    card = ModelCard(threshold=np.float64(0.25), causes=[str(np.str_("cloud"))])
    assert type(card.threshold) is float
    with pytest.raises(NightsiftError, match="img_size must be"):
        ModelCard(img_size=np.int64(64))


def test_cards_share_nothing_and_do_not_change():
    first = ModelCard()
    arguments = {"channels": [8, 16, 32]}
    second = ModelCard(model_args=arguments)
    arguments["channels"].append(64)
    assert second.model_args == {"channels": [8, 16, 32]}
    with pytest.raises(dataclasses.FrozenInstanceError, match="threshold"):
        first.threshold = math.nan  # type: ignore[misc]


def test_another_threshold_keeps_the_range_to_be_looked_at_below_it():
    card = ModelCard(threshold=0.5, review_low=0.3)
    assert card.with_threshold(0.4).review_low == 0.3
    assert card.with_threshold(0.2).review_low == 0.2
    assert ModelCard().with_threshold(0.2).review_low is None
    with pytest.raises(NightsiftError, match="threshold must be a number from 0 to 1, got '2'"):
        card.with_threshold(2)
