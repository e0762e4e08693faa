"""Weights on disk: a plain state_dict, a safetensors file, and the card beside or inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from nightsift.errors import NightsiftError
from nightsift.files import replacing
from nightsift.models.card import ModelCard
from nightsift.models.joint import JointFrameSeqModel
from nightsift.models.locate import (
    CARD_KEY,
    find_weights,
    first_line,
    read_card,
    unreadable_safetensors,
)
from nightsift.models.two_scale import TwoScaleModel

Model = JointFrameSeqModel | TwoScaleModel
# Architectures that a card may name; nothing else from a file chooses what is built.
ARCHITECTURES: dict[str, type[Model]] = {
    "JointFrameSeqModel": JointFrameSeqModel,
    "TwoScaleModel": TwoScaleModel,
}
# Lightning keeps the bare module under this attribute; the card among the hyper-parameters.
MODEL_PREFIX = "model."
# What calibration found, beside it.
CALIBRATION_KEY = "nightsift_calibration"


class LoadedModel(NamedTuple):
    """A model in eval mode with its card; `foreign` when the file came without a card."""

    model: Model
    card: ModelCard
    foreign: bool


def build_model(card: ModelCard) -> Model:
    """Build the architecture that `card` names, with fresh weights.

    Raises:
        NightsiftError: an architecture or arguments that this version does not know.
    """
    if card.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise NightsiftError(f"unknown architecture {card.architecture!r}; known: {known}")
    try:
        return ARCHITECTURES[card.architecture](**card.model_args)
    except (TypeError, ValueError) as error:
        raise NightsiftError(f"the card's model_args do not fit: {error}") from error


def architecture_uses_inputs(card: ModelCard) -> bool:
    """Whether the architecture that `card` names looks at measured numbers."""
    return ARCHITECTURES[card.architecture].uses_inputs


def save_weights(path: Path, model: torch.nn.Module, card: ModelCard) -> list[Path]:
    """Write `<stem>.pt`, `<stem>.safetensors` and `<stem>.json`, each atomically.

    Args:
        path: the `.pt` file; its folder is made.
        model: the bare module; its state_dict is written with tensors only.
        card: written as JSON beside, and into the safetensors header.

    Returns:
        The three paths.

    Raises:
        OSError: disk full, read-only folder; nothing half-written stays under a final name.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    text = json.dumps(card.to_json(), indent=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    paths = [path.with_suffix(suffix) for suffix in (".pt", ".safetensors", ".json")]
    with replacing(paths[0]) as temporary:
        _saved(lambda: torch.save(state, temporary), paths[0])
    with replacing(paths[1]) as temporary:
        _saved(lambda: save_file(state, temporary, metadata={CARD_KEY: text}), paths[1])
    with replacing(paths[2]) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return paths


def _saved(write: Callable[[], object], path: Path) -> None:
    """Run `write`; both writers report a full disk as an error of their own kind."""
    try:
        write()
    except (RuntimeError, SafetensorError) as error:
        raise OSError(f"cannot write {path}: {first_line(error)}") from error


def load_weights(source: str | Path) -> LoadedModel:
    """Load weights: `pretrained`, or from a run folder, `.ckpt`, `.pt` or `.safetensors`.

    A `.pt` without a card beside it is a foreign plain state_dict: it must have the published
    keys and shapes, and takes the published preprocessing, window and a threshold of 0.5.

    Raises:
        NightsiftError: no such file, not loadable without running code, or another model.
    """
    path = find_weights(source)
    card = read_card(path)
    if path.suffix == ".safetensors":
        state = _read_safetensors(path)
    elif path.suffix == ".ckpt":
        state, card = _split_checkpoint(_load_tensors(path), path)
    else:
        state = _load_tensors(path)
    foreign = card is None
    card = card or ModelCard()
    model = build_model(card)
    _load_strictly(model, state, path)
    return LoadedModel(model.eval(), card, foreign)


def _load_tensors(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise NightsiftError(f"cannot read {path}: {error.strerror}") from error
    except Exception as error:
        # Damaged archives and refused pickles surface as many unrelated exception types.
        raise NightsiftError(
            f"{path} was refused: not a plain file of weights ({first_line(error)})"
        ) from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise unreadable_safetensors(path, error) from error


def _split_checkpoint(checkpoint: Any, path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise NightsiftError(f"{path} is no checkpoint: it holds no state_dict")
    card = checkpoint.get("hyper_parameters", {}).get(CARD_KEY)
    if card is None:
        raise NightsiftError(f"{path} is a checkpoint of another model: it holds no model card")
    state = checkpoint["state_dict"]
    card = {**card, **checkpoint.get(CALIBRATION_KEY, {})}
    bare = {
        key.removeprefix(MODEL_PREFIX): value
        for key, value in state.items()
        if key.startswith(MODEL_PREFIX)
    }
    return bare, ModelCard.from_json(card)


def _load_strictly(model: torch.nn.Module, state: Any, path: Path) -> None:
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise NightsiftError(f"{path} is no plain state_dict of tensors")
    got = {key: tuple(value.shape) for key, value in state.items()}
    wrong = sorted(key for key in expected.keys() | got.keys() if expected.get(key) != got.get(key))
    if wrong:
        raise NightsiftError(
            f"{path} belongs to another model: {len(wrong)} of {len(expected)} tensors differ, "
            f"first {wrong[0]}: expected {expected.get(wrong[0])}, got {got.get(wrong[0])}"
        )
    model.load_state_dict(dict(state), strict=True)
