from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from nightsift.errors import NightsiftError
from nightsift.models import onnx as onnx_export
from nightsift.models.card import ModelCard
from nightsift.models.contract import JointModel
from nightsift.models.onnx import OPSET, export_onnx
from nightsift.models.reading import Reading
from nightsift.models.scoring import score_sequence
from nightsift.models.weights import build_model

TWO_SCALE = {"features": 5, "causes": ["cloud", "trailing"], "field_width": 16, "star_width": 16}
CARDS = {
    "joint": ModelCard(img_size=32, model_args={"channels": [8, 8, 16]}, temperature=1.5),
    "two_scale": ModelCard(
        architecture="TwoScaleModel",
        model_args=TWO_SCALE,
        causes=TWO_SCALE["causes"],
        img_size=32,
        temperature=1.5,
        logit_shift=-0.4,
    ),
}
CARDS["ensemble"] = ModelCard(
    architecture="Ensemble",
    model_args={
        "members": [
            {"architecture": "TwoScaleModel", "model_args": TWO_SCALE | {"sequence": name}}
            for name in ("tcn", "attention")
        ]
    },
    causes=TWO_SCALE["causes"],
    img_size=32,
)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


@pytest.mark.parametrize(
    "name", ["joint", "two_scale", pytest.param("ensemble", marks=pytest.mark.slow)]
)
def test_a_night_in_pieces_gets_the_same_probabilities_without_torch(name, tmp_path):
    card, path = CARDS[name], tmp_path / "made" / "x.onnx"
    torch.manual_seed(0)
    model = build_model(card)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert export_onnx(model, card, path) < 1e-4
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert [file.name for file in path.parent.iterdir()] == ["x.onnx"]

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    card = ModelCard.from_json(json.loads(metadata["card"]))
    assert card == CARDS[name]
    generator = torch.Generator().manual_seed(1)
    frames = torch.randn(11, model.planes, 32, 32, generator=generator)
    inputs = torch.randn(11, model.n_inputs, generator=generator)
    inputs[2] = torch.nan
    windows = np.clip(np.arange(11)[:, None] + np.arange(-4, 5)[None, :], 0, 10)
    expected = score_sequence(model.eval(), [(frames, inputs)], windows, reading=Reading.of(card))

    earlier = np.empty((0, model.embedding_width), dtype=np.float32)
    frame_logits, cause_logits = [], []
    for part in (slice(0, 1), slice(1, 6), slice(6, 11)):
        last = part.stop == 11
        given = {
            "frames": frames[part].numpy(),
            "earlier": earlier,
            "windows": windows if last else np.zeros((1, 9), dtype=np.int64),
        }
        if model.uses_inputs:
            given["inputs"] = inputs[part].numpy()
        out = dict(
            zip((o.name for o in session.get_outputs()), session.run(None, given), strict=True)
        )
        earlier = np.concatenate([earlier, out["embedding"]])
        frame_logits.append(out["frame_logit"])
        cause_logits.append(out.get("cause_logit", np.empty((0, 0))))
    for logits, prob in (
        (np.concatenate(frame_logits), expected.prob_frame),
        (out["seq_logit"], expected.prob_seq),
    ):
        np.testing.assert_allclose(
            sigmoid(logits / card.temperature + card.logit_shift), prob, atol=1e-5
        )
    if model.causes:
        np.testing.assert_allclose(
            sigmoid(np.concatenate(cause_logits)), expected.prob_cause, atol=1e-5
        )


class Blank(JointModel):
    """The least that can be exported."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding_width = 1
        self.weight = nn.Parameter(torch.ones(1))

    def encode(self, frames: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        return frames.mean(dim=(1, 2, 3))[:, None] * self.weight

    def classify_frames(self, embedding: torch.Tensor) -> torch.Tensor:
        return embedding[:, 0]

    def classify_windows(self, embedding: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        return embedding[windows][..., 0]


class Sorting(Blank):
    """Uses what ONNX has no counterpart of."""

    def classify_frames(self, embedding: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvals(embedding.T @ embedding).real.expand(len(embedding))


class Fickle(Blank):
    """Is another model in the file than in torch: a number is frozen when it is exported."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def classify_frames(self, embedding: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return embedding[:, 0] + self.calls


@pytest.fixture
def small() -> ModelCard:
    return ModelCard(img_size=16, window=3)


def test_a_file_that_differs_from_torch_is_not_left(tmp_path, small):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"an older file")
    with pytest.raises(OSError, match=r"differs from torch by .* in a logit, 0\.0001 are allowed"):
        export_onnx(Fickle(), small, path)
    assert path.read_bytes() == b"an older file"
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_that_onnx_cannot_say_is_named_in_one_line(tmp_path, small):
    with pytest.raises(NightsiftError, match="Sorting cannot be written as ONNX: ") as caught:
        export_onnx(Sorting(), small, tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_missing_packages_are_named(tmp_path, small, monkeypatch):
    monkeypatch.setattr(onnx_export, "_PACKAGES", ("onnx", "absent_package"))
    with pytest.raises(NightsiftError, match=r"absent_package: pip install 'nightsift\[onnx\]'"):
        export_onnx(Blank(), small, tmp_path / "x.onnx")


def test_the_file_says_which_operators_it_needs(tmp_path, small):
    import onnx

    export_onnx(Blank(), small, tmp_path / "x.onnx")
    assert [entry.version for entry in onnx.load(tmp_path / "x.onnx").opset_import] == [OPSET]
