from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nightsift.errors import NightsiftError
from nightsift.models.card import ModelCard
from nightsift.models.joint import JointFrameSeqModel
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
    assert not loaded.foreign
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
    assert loaded.foreign
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
