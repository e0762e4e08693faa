from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nightsift.errors import NightsiftError
from nightsift.models.architectures.joint import JointFrameSeqModel
from nightsift.models.card import ModelCard
from nightsift.models.weights import load_weights, save_weights


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, JointFrameSeqModel, ModelCard]:
    torch.manual_seed(0)
    model = JointFrameSeqModel()
    card = ModelCard(transform={"name": "robust", "mesh": 16}, threshold=0.37, img_size=64)
    save_weights(tmp_path / "run" / "joint_frame_seq.pt", model, card)
    return tmp_path / "run", model, card


@pytest.mark.parametrize("name", ["", "joint_frame_seq.pt", "joint_frame_seq.safetensors"])
def test_weights_and_card_come_back_equal(saved, name):
    folder, model, card = saved
    loaded = load_weights(folder / name)
    assert loaded.card == card
    assert not loaded.model.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, loaded.model.state_dict()[key])


def test_export_loads_with_plain_torch_and_leaves_nothing_else(saved):
    folder, _, card = saved
    state = torch.load(folder / "joint_frame_seq.pt", map_location="cpu", weights_only=True)
    JointFrameSeqModel().load_state_dict(state, strict=True)
    text = json.loads((folder / "joint_frame_seq.json").read_text())
    assert text["threshold"] == card.threshold
    assert text["positive_label"] == "bad"
    assert sorted(p.suffix for p in folder.iterdir()) == [".json", ".pt", ".safetensors"]


def test_a_foreign_state_dict_takes_the_published_preprocessing(tmp_path):
    torch.save(JointFrameSeqModel().state_dict(), tmp_path / "x.pt")
    loaded = load_weights(tmp_path / "x.pt")
    assert loaded.card.transform == {"name": "published"}
    assert (loaded.card.window, loaded.card.threshold) == (9, 0.5)


class Trap:
    """A pickle that would write a file when loaded by an unwary reader."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.marker),))


@pytest.mark.parametrize("suffix", [".pt", ".ckpt"])
def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path, suffix):
    marker = tmp_path / "executed"
    file = tmp_path / f"trap{suffix}"
    torch.save({"state_dict": Trap(marker)}, file)
    with pytest.raises(NightsiftError, match="refused"):
        load_weights(file)
    file.write_bytes(pickle.dumps(Trap(marker)))
    with pytest.raises(NightsiftError, match="refused"):
        load_weights(file)
    assert not marker.exists()


def test_other_models_damage_and_absence_are_named(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    (tmp_path / "damaged.pt").write_bytes(b"PK\x03\x04 not a zip")
    (tmp_path / "damaged.safetensors").write_bytes(b"\xff" * 40)
    (tmp_path / "text.txt").write_text("x")
    cases = {
        "other.pt": "belongs to another model",
        "list.pt": "no plain state_dict",
        "other.ckpt": "no model card",
        "other.safetensors": "belongs to another model",
        "damaged.pt": "refused",
        "damaged.safetensors": "no readable safetensors",
        "text.txt": "expected a run folder",
        "absent.pt": "no such file",
        ".": "is no run folder",
    }
    for name, message in cases.items():
        with pytest.raises(NightsiftError, match=message):
            load_weights(tmp_path / name)


STATE = JointFrameSeqModel().state_dict()
BARE = {f"model.{key}": value for key, value in STATE.items()}
CARD = {"card": ModelCard().to_json()}


def test_a_checkpoint_of_training_gives_the_calibrated_card(tmp_path):
    found = {"temperature": 1.5, "threshold": 0.3, "review_low": 0.2}
    checkpoint = {"state_dict": BARE, "hyper_parameters": CARD, "nightsift_calibration": found}
    torch.save(checkpoint, tmp_path / "best.ckpt")
    card = load_weights(tmp_path / "best.ckpt").card
    assert (card.threshold, card.temperature, card.review_low) == (0.3, 1.5, 0.2)
    del checkpoint["nightsift_calibration"]  # before any validation
    torch.save(checkpoint, tmp_path / "best.ckpt")
    assert load_weights(tmp_path / "best.ckpt").card == ModelCard()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state_dict": [1]}, "no state_dict"),
        ({"state_dict": {1: torch.zeros(1)}}, "belongs to another model"),
        ({"state_dict": BARE | {"model.gru.bias_hh_l0": [1.0]}}, "no plain state_dict"),
        ({"hyper_parameters": [1]}, "no model card"),
        ({"hyper_parameters": {"card": "text"}}, "no model card"),
        ({"hyper_parameters": {"card": {}}}, "no format_version"),
        ({"hyper_parameters": {"card": CARD["card"] | {"window": 4}}}, "window must be"),
        ({"nightsift_calibration": [1]}, "no model card"),
        ({"nightsift_calibration": {"temperature": float("nan")}}, "temperature must be"),
        ({"nightsift_calibration": {"threshold": 2.0}}, "threshold must be"),
        ({"nightsift_calibration": {"review_low": 0.6}}, "review_low must be at most threshold"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused_in_one_line(tmp_path, changes, message):
    checkpoint = {"state_dict": BARE, "hyper_parameters": CARD}
    torch.save(checkpoint | changes, tmp_path / "best.ckpt")
    with pytest.raises(NightsiftError, match=message) as caught:
        load_weights(tmp_path / "best.ckpt")
    assert "best.ckpt" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("gru.bias_hh_l0", torch.full((192,), torch.nan), "gru.bias_hh_l0 holds NaN or infinity"),
        ("gru.bias_hh_l0", torch.zeros(192, dtype=torch.complex64), "no plain state_dict"),
        ("gru.bias_hh_l0", torch.zeros(192).to_sparse(), "no plain state_dict"),
        ("gru.bias_hh_l0", torch.zeros(192, device="meta"), "no plain state_dict"),
        ("gru.bias_hh_l0", torch.zeros(191), r"expected \(192,\), got \(191,\)"),
        (7, torch.zeros(1), "first 7: expected None"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(tmp_path, key, value, message):
    torch.save(STATE | {key: value}, tmp_path / "x.pt")
    with pytest.raises(NightsiftError, match=message):
        load_weights(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no JSON"),
        (b"\xff\xfe", "cannot read"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "no format_version"),
        (b'{"format_version": 2, "threshold": NaN}', "threshold must be"),
        (b'{"format_version": 2, "temperature": 1e999}', "temperature must be"),
        (b'{"format_version": 2, "architecture": "os.system"}', "unknown model 'os.system'"),
        (b'{"format_version": 2, "causes": ["cloud"]}', "causes must be those of"),
    ],
)
def test_a_card_with_wrong_values_is_refused_with_its_file(saved, content, message):
    folder, _, _ = saved
    (folder / "joint_frame_seq.json").write_bytes(content)
    with pytest.raises(NightsiftError, match=message) as caught:
        load_weights(folder)
    assert "joint_frame_seq" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_card_of_a_newer_format_is_refused(saved):
    folder, _, _ = saved
    path = folder / "joint_frame_seq.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    with pytest.raises(NightsiftError, match="update nightsift"):
        load_weights(folder)


def test_a_failed_export_leaves_the_old_file(saved, monkeypatch):
    folder, model, card = saved
    before = (folder / "joint_frame_seq.pt").read_bytes()

    def full_disk(*_args: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="cannot write"):
        save_weights(folder / "joint_frame_seq.pt", model, card)
    assert (folder / "joint_frame_seq.pt").read_bytes() == before
    assert not list(folder.glob(".*"))
