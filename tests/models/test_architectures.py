from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nightsift.errors import NightsiftError
from nightsift.models.architectures import (
    ARCHITECTURES,
    arguments_from_data,
    build_architecture,
)
from nightsift.models.architectures.two_scale import TwoScaleModel
from nightsift.models.card import ModelCard
from nightsift.models.contract import JointModel
from nightsift.models.scoring import head_logits
from nightsift.models.sequences import SEQUENCES, SequenceEncoder
from nightsift.models.weights import (
    build_model,
    load_weights,
    save_weights,
)
from nightsift.registry import load_plugins

PLUGIN = """
    from torch import nn

    from nightsift.models.architectures import ARCHITECTURES
    from nightsift.models.contract import JointModel
    from nightsift.models.sequences import SEQUENCES, SequenceEncoder


    class Tiny(JointModel):
        def __init__(self, *, causes, width=4):
            super().__init__()
            self.embedding_width = width
            self.causes = tuple(causes)
            self.mean = nn.Linear(1, width)
            self.heads = nn.Linear(width, 1 + len(causes))

        def encode(self, frames, inputs):
            return self.mean(frames.mean(dim=(2, 3)))

        def classify_frames(self, embedding):
            return self.heads(embedding)[:, 0]

        def classify_causes(self, embedding):
            return self.heads(embedding)[:, 1:]

        def classify_windows(self, embedding, windows):
            return self.classify_frames(embedding)[windows]


    class Mean(SequenceEncoder):
        def __init__(self, width, hidden):
            super().__init__()
            self.outputs = width

        def forward(self, x):
            return x.mean(dim=1, keepdim=True).expand_as(x)


    ARCHITECTURES.add("Tiny", Tiny)
    SEQUENCES.add("mean", Mean)
"""


@pytest.fixture(autouse=True)
def own_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test enters is gone afterwards."""
    for table in (ARCHITECTURES, SEQUENCES):
        monkeypatch.setattr(table, "_entries", dict(table))


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a package of somebody else that adds a model and a sequence encoder."""
    (tmp_path / "lent_models.py").write_text(textwrap.dedent(PLUGIN))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lent_models", raising=False)
    return "lent_models"


def test_every_file_of_the_rooms_adds_what_ships():
    assert set(ARCHITECTURES) == {"JointFrameSeqModel", "TwoScaleModel", "Ensemble"}
    assert set(SEQUENCES) == {"gru", "tcn", "attention"}


def test_a_model_of_another_package_is_built_saved_and_loaded(plugin, tmp_path):
    card = ModelCard(architecture="Tiny", model_args={"causes": ["cloud"]}, causes=["cloud"])
    with pytest.raises(NightsiftError, match=r"unknown model 'Tiny'.*plugins=\[package\]"):
        build_model(card)
    load_plugins([plugin])
    model = build_model(card)
    save_weights(tmp_path / "x.pt", model, card)
    loaded = load_weights(tmp_path / "x.safetensors")
    frames = torch.randn(5, 1, 16, 16)
    windows = torch.tensor([[0, 1, 2], [2, 3, 4]])
    ours, theirs = model(frames, windows), loaded.model(frames, windows)
    assert [part.shape for part in theirs] == [(5,), (2, 3), (5, 1)]
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_sequence_encoder_of_another_package_is_a_choice_of_the_model(plugin):
    arguments = {"features": 3, "causes": ["cloud"], "sequence": "mean"}
    card = ModelCard(architecture="TwoScaleModel", model_args=arguments, causes=["cloud"])
    with pytest.raises(NightsiftError, match=r"unknown model.sequence 'mean'.*plugins="):
        build_model(card)
    load_plugins([plugin])
    assert build_model(card).sequence.outputs == 98


@pytest.mark.parametrize("name", ["os.system", "torch.nn.Linear", "lent_models.Tiny", "builtins"])
def test_nothing_is_imported_because_a_file_names_it(plugin, name):
    with pytest.raises(NightsiftError, match="unknown model"):
        build_model(ModelCard(architecture=name))
    arguments = {"features": 3, "causes": ["cloud"], "sequence": name}
    with pytest.raises(NightsiftError, match=r"unknown model\.sequence"):
        build_architecture("TwoScaleModel", arguments)
    assert plugin not in sys.modules


class Whole(JointModel):
    """Keeps to the contract; the tests below break it in one place each."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding_width = 2

    def encode(self, frames: Tensor, inputs: Tensor) -> Tensor:
        return frames.mean(dim=(1, 2, 3))[:, None].expand(-1, 2)

    def classify_frames(self, embedding: Tensor) -> Tensor:
        return embedding[:, 0]

    def classify_windows(self, embedding: Tensor, windows: Tensor) -> Tensor:
        return embedding[windows][..., 0]


class WithoutHeads(JointModel):
    def encode(self, frames: Tensor, inputs: Tensor) -> Tensor:
        return frames


def test_the_smallest_model_needs_three_methods_and_a_width():
    ARCHITECTURES.add("Whole", Whole)
    model = build_model(ModelCard(architecture="Whole"))
    assert model(torch.zeros(3, 1, 16, 16)).cause.shape == (3, 0)
    assert (model.uses_inputs, model.causes, model.transform) == (False, (), "robust")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (WithoutHeads, "lacks classify_frames, classify_windows"),
        (nn.Linear, "must be a class derived from nightsift.models.contract.JointModel"),
        (Whole(), "must be a class derived from"),
        (type("A", (Whole,), {"__init__": JointModel.__init__}), "embedding_width must be"),
        (type("B", (Whole,), {"uses_inputs": True}), "n_inputs must be a whole number >= 1"),
        (type("C", (Whole,), {"n_inputs": 3}), "n_inputs must be 0"),
        (type("D", (Whole,), {"causes": ["cloud"]}), "causes must be a tuple of names"),
        (type("E", (Whole,), {"planes": 0}), "planes must be a whole number >= 1"),
        (type("F", (Whole,), {"transform": None}), "transform must be a name"),
    ],
)
def test_what_a_model_lacks_is_named(entry, message):
    ARCHITECTURES.add("Wrong", entry)
    with pytest.raises(NightsiftError, match=f"model Wrong.*{message}"):
        build_model(ModelCard(architecture="Wrong"))


def test_frames_of_another_transform_are_refused():
    frames = torch.zeros(2, 4, 16, 16), torch.zeros(2, 0)
    message = r"JointFrameSeqModel takes frames \(B, 1, S, S\), got \(B, 4, S, S\): choose"
    with pytest.raises(NightsiftError, match=message):
        head_logits(build_model(ModelCard()), [frames], torch.empty(0, 0))


class NoEncoder(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()


class NoWidth(SequenceEncoder):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(
    ("entry", "message"),
    [(NoEncoder, "must be derived from"), (NoWidth, "outputs must be a whole number >= 1")],
)
def test_what_a_sequence_encoder_lacks_is_named(entry, message):
    SEQUENCES.add("wrong", entry)
    arguments = {"features": 3, "causes": ["cloud"], "sequence": "wrong"}
    with pytest.raises(NightsiftError, match=f"model.sequence wrong.*{message}"):
        build_model(ModelCard(architecture="TwoScaleModel", model_args=arguments, causes=["cloud"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dropout": 2}, "dropout"),
        ({"colour": 1}, "colour"),
        ({"channels": [8, 16]}, "channels"),
        ({"channels": "abc"}, "does not take these arguments"),
        ({"channels": [8, 16, 10**12]}, "does not take these arguments"),
        ({"frame_hidden": 2.5}, "does not take these arguments"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(arguments, message):
    with pytest.raises(NightsiftError, match=message) as caught:
        build_model(ModelCard(model_args=arguments))
    assert "\n" not in str(caught.value)


def test_attention_says_what_it_cannot_do():
    arguments = {"features": 3, "causes": ["cloud"], "sequence": "attention", "seq_hidden": 5}
    with pytest.raises(NightsiftError, match="seq_hidden must be even"):
        build_model(ModelCard(architecture="TwoScaleModel", model_args=arguments, causes=["cloud"]))
    model = build_architecture("TwoScaleModel", {**arguments, "seq_hidden": 4})
    embedding = torch.zeros(3, model.embedding_width)
    with pytest.raises(NightsiftError, match=r"at most 99 frames, got 101: lower data\.window"):
        model.classify_windows(embedding, torch.zeros(2, 101, dtype=torch.int64))


def test_what_the_data_decide_is_filled_in_where_it_is_asked_for():
    assert arguments_from_data("JointFrameSeqModel", features=7, causes=("cloud",)) == {}
    given = arguments_from_data("TwoScaleModel", features=7, causes=("cloud",))
    plain = {"features": 7, "causes": ["cloud"], "changes": False, "anchored": False}
    assert given == plain
    given = arguments_from_data(
        "TwoScaleModel", features=7, causes=("cloud",), changes=True, anchored=True
    )
    assert given == {**plain, "changes": True, "anchored": True}


def test_both_heads_begin_from_the_rules_where_they_are_anchored():
    """What the rules say moves both logits by the same, unless the numbers are withheld."""
    torch.manual_seed(0)
    model = TwoScaleModel(features=4, causes=["cloud"], changes=True, anchored=True).eval()
    frames, inputs = torch.randn(9, 5, 32, 32), torch.randn(9, 6)
    worse = inputs.clone()
    worse[:, 0] += 2.0
    windows = torch.arange(9)[None]
    with torch.inference_mode():
        before, after = (model(frames, windows, inputs=x) for x in (inputs, worse))
        assert (after.frame - before.frame).min() > 4
        assert (after.seq - before.seq).min() > 4
        model.withheld = frozenset({"features"})
        before, after = (model(frames, windows, inputs=x) for x in (inputs, worse))
        torch.testing.assert_close(after.frame, before.frame)


def test_causes_of_card_and_model_must_agree():
    arguments = {"features": 3, "causes": ["cloud"]}
    with pytest.raises(NightsiftError, match=r"causes must be those of TwoScaleModel, \['cloud'\]"):
        build_model(ModelCard(architecture="TwoScaleModel", model_args=arguments))


def test_a_card_is_read_without_torch():
    code = (
        "import sys\n"
        "from nightsift.models.locate import read_card\n"
        "card = read_card(['pretrained', 'pretrained'])\n"
        "assert card.architecture == 'Ensemble', card\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": "src"})
