from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from nightsift.errors import NightsiftError
from nightsift.models.agreement import joint_card
from nightsift.models.architectures import build_architecture
from nightsift.models.card import ModelCard
from nightsift.models.locate import read_card
from nightsift.models.reading import Reading
from nightsift.models.scoring import HeadProbabilities, score_sequence
from nightsift.models.weights import LoadedModel, build_model, load_weights, save_weights

CAUSES = ["cloud", "trailing"]
ARGUMENTS = {"features": 5, "causes": CAUSES, "field_width": 16, "star_width": 16}
CARD = ModelCard(
    architecture="TwoScaleModel",
    model_args=ARGUMENTS,
    transform={"name": "two_scale", "softening": 3.0, "clip": 8.0},
    inputs={"version": 1, "names": ["a"]},
    img_size=32,
    window=3,
    causes=CAUSES,
)
# The members differ in how they are read, in size and in kind of sequence encoder.
MEMBERS = (
    {"temperature": 1.7, "logit_shift": -0.8, "threshold": 0.2, "review_low": 0.1},
    {"temperature": 0.6, "logit_shift": 0.4, "threshold": 0.6, "review_low": 0.3},
    {"threshold": 0.3, "review_low": 0.2},
)
SIZES = ({}, {"embedding": 20, "sequence": "tcn"}, {"seq_hidden": 8})


@pytest.fixture
def members(tmp_path: Path) -> list[Path]:
    """Weights of three small models that may be averaged."""
    torch.manual_seed(0)
    paths = []
    for i, (changes, size) in enumerate(zip(MEMBERS, SIZES, strict=True)):
        card = dataclasses.replace(CARD, model_args=ARGUMENTS | size, **changes)
        paths.append(tmp_path / f"m{i}.pt")
        save_weights(paths[-1], build_model(card), card)
    return paths


def a_night(frames: int = 7) -> tuple[list[tuple[torch.Tensor, torch.Tensor]], np.ndarray]:
    """Batches of pixels and measured numbers, and each frame's window."""
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randn(frames, 4, 32, 32, generator=generator)
    inputs = torch.randn(frames, 7, generator=generator)
    inputs[1, :3] = torch.nan
    steps = np.arange(frames)[:, None] + np.arange(-1, 2)[None, :]
    batches = list(zip(pixels.split(3), inputs.split(3), strict=True))
    return batches, np.clip(steps, 0, frames - 1)


def scores(loaded: LoadedModel) -> HeadProbabilities:
    batches, windows = a_night()
    return score_sequence(loaded.model, batches, windows, reading=Reading.of(loaded.card))


def test_every_head_is_the_mean_of_the_members_probabilities(members):
    alone = [scores(load_weights(path)) for path in members]
    together = scores(load_weights(members))
    for head, found in zip(HeadProbabilities._fields, together, strict=True):
        expected = np.mean([getattr(one, head) for one in alone], axis=0)
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=head)
    assert np.ptp([one.prob_frame for one in alone], axis=0).max() > 0.05


def test_the_mean_survives_certain_members():
    """Probabilities that float32 rounds to 0 or 1 still average."""
    members = [{"architecture": "JointFrameSeqModel", "logit_shift": s} for s in (60.0, -60.0)]
    model = build_architecture("Ensemble", {"members": members}).eval()
    frames = torch.zeros(1, 1, 32, 32)
    prob = torch.sigmoid(model(frames).frame)
    torch.testing.assert_close(prob, torch.tensor([0.5]))
    members = [{"architecture": "JointFrameSeqModel", "logit_shift": 60.0}] * 2
    model = build_architecture("Ensemble", {"members": members}).eval()
    assert model(frames).frame.item() == pytest.approx(60, abs=1)


def test_the_card_says_what_the_members_share_and_the_medians(members):
    loaded = load_weights(members)
    card = loaded.card
    assert read_card(members) == card
    assert (card.threshold, card.review_low) == (0.3, 0.2)
    assert (card.temperature, card.logit_shift) == (1.0, 0.0)
    assert card.threshold_choice["note"] == "median of 0.2, 0.6, 0.3"
    for key in ("transform", "inputs", "img_size", "window", "causes", "fusion"):
        assert getattr(card, key) == getattr(CARD, key)
    assert loaded.model.uses_inputs
    assert loaded.model.n_inputs == 7
    assert not any(module.training for module in loaded.model.modules())


def test_doubt_and_prior_are_not_lost_in_an_ensemble():
    given = [(1.0, 20.0), (3.0, 40.0), (2.0, 30.0)]
    cards = [
        dataclasses.replace(CARD, temperature_alone=alone, prior_strength=strength, prior=0.1)
        for alone, strength in given
    ]
    card = joint_card(cards, ["a", "b", "c"])
    assert (card.temperature_alone, card.prior_strength, card.prior) == (2.0, 30.0, 0.1)
    cards[1] = dataclasses.replace(cards[1], prior_strength=None)
    assert joint_card(cards, ["a", "b", "c"]).prior_strength is None


def test_an_ensemble_is_saved_and_loaded_like_any_model(members, tmp_path):
    loaded = load_weights(members)
    save_weights(tmp_path / "all" / "joint_frame_seq.pt", loaded.model, loaded.card)
    again = load_weights(tmp_path / "all")
    assert again.card == loaded.card
    for ours, theirs in zip(scores(again), scores(loaded), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_one_member_in_a_list_is_that_member(members):
    assert load_weights(members[:1]).card == load_weights(members[0]).card
    assert read_card([members[0]]) == read_card(members[0])


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"img_size": 64}, "img_size is 64 and 32"),
        ({"window": 5}, "window is 5 and 3"),
        ({"transform": {"name": "robust"}}, "transform.name is 'robust' and 'two_scale'"),
        ({"transform": CARD.transform | {"clip": 5.0}}, "transform.clip is 5.0 and 8.0"),
        ({"inputs": {"version": 2, "names": ["a"]}}, "inputs.version is 2 and 1"),
        ({"inputs": {}}, "inputs.version is None and 1"),
        ({"causes": CAUSES[:1], "model_args": ARGUMENTS | {"causes": CAUSES[:1]}}, "causes is "),
        ({"fusion": {"policy": "max_prob", "frame_weight": 0.8}}, "fusion.policy is 'max_prob'"),
        ({"fusion": {"policy": "weighted", "frame_weight": 0.5}}, "fusion.frame_weight is 0.5"),
    ],
)
def test_members_that_disagree_are_refused_by_the_first_difference(
    members, tmp_path, changes, difference
):
    card = dataclasses.replace(CARD, **changes)
    other = tmp_path / "other.pt"
    save_weights(other, build_model(card), card)
    message = f"^ckpt: {other} and {members[0]} cannot be averaged: {difference}"
    for read in (load_weights, read_card):
        with pytest.raises(NightsiftError, match=message):
            read([members[0], other])


@pytest.mark.parametrize("source", [[], [1], None, 5, [["a"]], ["pretrained", None]])
def test_what_names_no_weights_is_refused(source):
    with pytest.raises(NightsiftError, match="ckpt must name weights or be a list of such names"):
        load_weights(source)


def test_a_member_that_is_not_there_is_named(members, tmp_path):
    with pytest.raises(NightsiftError, match=r"absent\.pt: no such file"):
        load_weights([members[0], tmp_path / "absent.pt"])


def test_a_member_without_a_card_has_the_published_one(tmp_path):
    model = build_model(ModelCard())
    torch.save(model.state_dict(), tmp_path / "x.pt")
    assert read_card([tmp_path / "x.pt"] * 2) is None
    loaded = load_weights([tmp_path / "x.pt"] * 2)
    assert loaded.card.transform == {"name": "published"}


@pytest.mark.parametrize(
    "members",
    [
        [],
        5,
        [5],
        [{}],
        [{"architecture": "JointFrameSeqModel", "temperature": 0}],
        [{"architecture": "JointFrameSeqModel", "logit_shift": "nan"}],
        [{"architecture": "JointFrameSeqModel", "model_args": 5}],
        [
            {"architecture": "JointFrameSeqModel"},
            {"architecture": "TwoScaleModel", "model_args": ARGUMENTS},
        ],
        [
            {"architecture": "TwoScaleModel", "model_args": ARGUMENTS},
            {"architecture": "TwoScaleModel", "model_args": ARGUMENTS | {"features": 6}},
        ],
    ],
)
def test_a_card_of_impossible_members_is_refused(members):
    with pytest.raises(NightsiftError, match="model Ensemble does not take these arguments"):
        build_architecture("Ensemble", {"members": members})


def test_nights_that_any_member_has_seen_count_as_seen():
    one = dataclasses.replace(
        CARD, splits={"train": ["n1", "n2"], "val": ["n3"]}, fingerprints={"n1": "a", "n2": "b"}
    )
    # Another folder whose night has the same name, and the same night in another part.
    two = dataclasses.replace(
        CARD, splits={"train": ["n1"], "test": ["n2"]}, fingerprints={"n1": "c", "n2": "b"}
    )
    card = joint_card([one, two], ["one", "two"])
    assert card.fingerprints == {"n1": "a", "n2": "b", "n1 (2)": "c"}
    assert card.splits == {"train": ["n1", "n1 (2)", "n2"], "val": ["n3"], "test": ["n2"]}


def test_a_range_to_be_looked_at_needs_one_of_every_member():
    one = dataclasses.replace(CARD, threshold=0.4, review_low=0.1, prior=0.1)
    two = dataclasses.replace(CARD, threshold=0.6, prior=0.1)
    card = joint_card([one, two], ["one", "two"])
    assert (card.threshold, card.review_low, card.prior) == (0.5, None, 0.1)
    assert joint_card([one, dataclasses.replace(two, prior=0.2)], ["a", "b"]).prior is None
