"""Folders to batches without a Trainer: what is read, how often, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nightsift import NightsDataModule, NightsiftError, SplitSpec
from nightsift.data.inputs import InputSpec
from nightsift.look.transforms.robust import Robust
from nightsift.models.card import ModelCard
from nightsift.training.card import input_spec, wanted_by

# Lightning asks torch in a way that torch is about to give up.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
SPLIT = SplitSpec(val_nights=["night1"], test_nights=["night2"])


@pytest.fixture
def make(nights, tmp_path):
    def module(**changes: Any) -> NightsDataModule:
        given: dict[str, Any] = {"seq_dirs": [nights], "img_size": 32, "split": SPLIT}
        return NightsDataModule(**{**given, "cache_dir": tmp_path / "cache", **changes})

    return module


def relabel(night: Path, label: str) -> None:
    table = night / "labels.csv"
    table.write_text(table.read_text().replace("good", label).replace("bad", label))


def test_fault_12_each_file_is_decoded_once_in_all_epochs_and_runs(make, decoded):
    """Published: nine decodes per pass over the windows and one more, in every epoch."""
    data = make(measured=True)
    data.prepare_data()
    assert len(decoded) == len(set(decoded)) == 72
    data.setup("fit")
    for number in range(2):
        loaders = data.train_dataloader()
        for loader in loaders.flattened:
            loader.sampler.set_epoch(number)
        frames = sum(len(b["frames"].labels) for b, _, _ in loaders if b["frames"] is not None)
        assert frames == 23
        for batch in [*data.val_dataloader(), *data.test_dataloader(), *data.predict_dataloader()]:
            assert len(batch.frames[0:5]) == 5
    assert len(decoded) == 72
    other = make(measured=True)
    other.setup()
    assert len(decoded) == 72


def test_parts_are_whole_nights_and_prediction_sees_every_frame(make):
    data = make()
    data.setup()
    (val,), (test,) = list(data.val_dataloader()), list(data.test_dataloader())
    assert {Path(file).parent.name for file in val.files} == {"night1"}
    assert {Path(file).parent.name for file in test.files} == {"night2"}
    predicted = list(data.predict_dataloader())
    assert [len(batch.labels) for batch in predicted] == [24, 24, 24]
    np.testing.assert_array_equal(test.labels, data.nights.nights[2].label_values)
    assert torch.equal(test.frames[0:24], predicted[2].frames[0:24])
    assert test.night.tolist() == [2] * 24
    assert data.split_facts["splits"] == {
        "train": ["night0"],
        "val": ["night1"],
        "test": ["night2"],
    }
    assert set(data.split_facts["fingerprints"]) == {"night0", "night1", "night2"}


def test_class_counts_are_those_of_the_training_part(make, make_night):
    mixed = make_night("mixed", n=10, bad={0, 1, 2}, seed=9)
    data = make(mixed_dirs=[mixed])
    data.setup()
    assert data.class_counts == (17 + 7, 6 + 3, 17, 6)


def test_the_frame_head_learns_from_what_it_is_told_to(make, make_night):
    mixed = make_night("mixed", n=10, bad={0, 1, 2}, seed=9)
    drawn = {}
    for frames in ("all", "mixed"):
        data = make(mixed_dirs=[mixed], frames=frames)
        data.setup()
        batches = [batch for batch, _, _ in data.train_dataloader()]
        windows = [batch["windows"] for batch in batches if batch["windows"] is not None]
        drawn[frames] = sum(len(b["frames"].labels) for b in batches if b["frames"] is not None)
        judged = torch.cat([batch.frames.labels for batch in windows])
        assert bool((judged >= 0).any()) == (frames == "mixed")
        assert sum(len(batch.windows) for batch in windows) == 23
    assert drawn == {"all": 33, "mixed": 10}


def test_what_the_card_must_say_of_the_input_comes_back_from_it(make):
    data = make(measured=True, transform=Robust(mesh=8), window=5)
    card = ModelCard(**json.loads(json.dumps(data.card_facts)))
    assert input_spec(card) == data.inputs
    assert wanted_by(card).tensor_key == data.wanted.tensor_key
    assert wanted_by(card).features_key == data.wanted.features_key
    assert (card.window, card.img_size) == (5, 32)
    assert "cloud" in card.causes
    plain = make()
    card = ModelCard(**plain.card_facts)
    assert input_spec(card) is None
    assert wanted_by(card).measure is None
    assert wanted_by(card, measured=True).measure is not None


def test_a_specification_of_ones_own_is_used(make):
    own = InputSpec.from_json(
        {
            "format": 1,
            "clip": 3.0,
            "missing": 0.0,
            "comparisons": [],
            "columns": [{"name": "stars", "kind": "level", "feature": "n_stars", "factor": 0.1}],
        }
    )
    data = make(measured=own)
    data.setup()
    (batch,) = data.val_dataloader()
    stars = data.nights.nights[1].features["n_stars"].to_numpy()
    np.testing.assert_allclose(batch.inputs[:, 0], np.minimum(0.1 * stars, 3.0), rtol=1e-6)


def test_the_card_and_the_model_must_agree_on_the_numbers(make):
    facts = make(measured=True).card_facts
    card = ModelCard(architecture="TwoScaleModel", model_args={"features": 7}, **facts)
    with pytest.raises(NightsiftError, match=r"the model takes 7 numbers, inputs has \d+"):
        input_spec(card)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"img_size": 8}, r"data\.img_size must be at least 16, got 8"),
        ({"window": 8}, "odd number"),
        ({"window": 0}, "odd number"),
        ({"frame_batch": 0}, r"data\.frame_batch and data\.seq_batch must be >= 1"),
        ({"run_length": 9}, r"data\.run_length 1 to seq_batch"),
        ({"run_length": 0}, r"data\.run_length 1 to seq_batch"),
        ({"frames": "some"}, r"data\.frames must be all or mixed, got 'some'"),
        ({"sampler": "fair"}, r"data\.sampler must be plain or balanced, got 'fair'"),
    ],
)
def test_impossible_arguments_are_refused(make, changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize("label", ["good", "bad", ""])
def test_training_needs_both_classes(make, nights, label):
    relabel(nights / "night0", label)
    data = make()
    with pytest.raises(NightsiftError, match=r"needs good and bad labelled frames.*72 files"):
        data.setup("fit")


def test_validation_needs_a_label_and_prediction_needs_none(make, nights):
    relabel(nights / "night1", "")
    data = make()
    with pytest.raises(
        NightsiftError, match=r"validation has no labelled frame: change data\.split"
    ):
        data.setup("fit")
    for night in nights.iterdir():
        (night / "labels.csv").unlink()
    data = make()
    data.setup("predict")
    assert len(list(data.predict_dataloader())) == 3


def test_what_training_needs_is_checked_also_after_another_stage(make, nights):
    relabel(nights / "night0", "good")
    data = make()
    data.setup("test")
    with pytest.raises(NightsiftError, match="needs good and bad labelled frames"):
        data.setup("fit")


def test_causes_are_the_reasons_of_the_rules_unless_named(make):
    assert "cloud" in make(measured=True).causes
    assert make().causes == []
    data = make(measured=True, causes=["streak"])
    assert data.card_facts["causes"] == ["streak"]
    data.setup()
    assert next(iter(data.val_dataloader())).causes.shape == (24, 1)


def test_a_part_without_frames_is_said(make):
    data = make(split=SplitSpec(test_fraction=0.0))
    data.setup()
    with pytest.raises(NightsiftError, match="no frames in the test part"):
        data.test_dataloader()


def test_nothing_is_known_before_it_is_read(make):
    data = make()
    for name in ("nights", "split"):
        with pytest.raises(RuntimeError, match=r"call setup\(\) first"):
            getattr(data, name)
