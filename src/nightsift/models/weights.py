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
from nightsift.models.agreement import joint_card
from nightsift.models.architectures import build_architecture
from nightsift.models.card import ModelCard
from nightsift.models.contract import JointModel
from nightsift.models.locate import (
    CARD_KEY,
    Source,
    find_members,
    first_line,
    read_card,
    unreadable_safetensors,
)

# Lightning keeps the bare module under this attribute; the card among the hyper-parameters.
MODEL_PREFIX = "model."
# What calibration found, beside it.
CALIBRATION_KEY = "nightsift_calibration"


class LoadedModel(NamedTuple):
    """A model in eval mode with its card."""

    model: JointModel
    card: ModelCard


def build_model(card: ModelCard) -> JointModel:
    """Build the architecture that `card` names, with fresh weights.

    Raises:
        NightsiftError: an architecture or arguments that this version does not know, or
            causes other than the model's.
    """
    model = build_architecture(card.architecture, card.model_args)
    if list(model.causes) != card.causes:
        raise NightsiftError(
            f"model card: causes must be those of {card.architecture}, {list(model.causes)}, "
            f"got {card.causes}"
        )
    return model


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


def load_weights(source: Source) -> LoadedModel:
    """Load weights: `pretrained`, or from a run folder, `.ckpt`, `.pt` or `.safetensors`.

    A `.pt` without a card beside it is a foreign plain state_dict: it must have the published
    keys and shapes, and takes the published preprocessing, window and a threshold of 0.5.

    Args:
        source: as for `find_weights`. Of several, one model is made that averages their
            probabilities, with the card of `nightsift.models.agreement.joint_card`.

    Returns:
        The model in eval mode, its card, and whether a file came without one.

    Raises:
        NightsiftError: no such file, not loadable without running code, another model, or
            members that do not agree.
    """
    paths = find_members(source)
    members = [_load_one(path) for path in paths]
    if len(members) == 1:
        return members[0]
    card = joint_card([member.card for member in members], [str(path) for path in paths])
    model = build_model(card)
    states = [member.model.state_dict() for member in members]
    model.load_state_dict(
        {f"members.{i}.{key}": v for i, state in enumerate(states) for key, v in state.items()}
    )
    return LoadedModel(model.eval(), card)


def _load_one(path: Path) -> LoadedModel:
    card = read_card(path)
    if path.suffix == ".safetensors":
        state = _read_safetensors(path)
    elif path.suffix == ".ckpt":
        state, card = _split_checkpoint(_load_tensors(path), path)
    else:
        state = _load_tensors(path)
    card = card or ModelCard()
    try:
        model = build_model(card)
    except NightsiftError as error:
        raise NightsiftError(f"{path}: {error}") from error
    _load_strictly(model, state, path)
    return LoadedModel(model.eval(), card)


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
    """The bare model's state_dict, and the card with what calibration has found since."""
    state = checkpoint.get("state_dict") if isinstance(checkpoint, dict) else None
    if not isinstance(state, Mapping):
        raise NightsiftError(f"{path} is no checkpoint: it holds no state_dict")
    parameters = checkpoint.get("hyper_parameters")
    card = parameters.get(CARD_KEY) if isinstance(parameters, Mapping) else None
    calibration = checkpoint.get(CALIBRATION_KEY, {})
    if not isinstance(card, Mapping) or not isinstance(calibration, Mapping):
        raise NightsiftError(f"{path} is a checkpoint of another model: it holds no model card")
    bare = {
        key.removeprefix(MODEL_PREFIX): value
        for key, value in state.items()
        if str(key).startswith(MODEL_PREFIX)
    }
    try:
        return bare, ModelCard.from_json({**card, **calibration})
    except NightsiftError as error:
        raise NightsiftError(f"{path}: {error}") from error


def _load_strictly(model: JointModel, state: Any, path: Path) -> None:
    if not isinstance(state, Mapping) or not all(_is_plain(v) for v in state.values()):
        raise NightsiftError(f"{path} is no plain state_dict of tensors")
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    got = {str(key): tuple(value.shape) for key, value in state.items()}
    wrong = sorted(key for key in expected.keys() | got.keys() if expected.get(key) != got.get(key))
    if wrong:
        raise NightsiftError(
            f"{path} belongs to another model: {len(wrong)} of {len(expected)} tensors differ, "
            f"first {wrong[0]}: expected {expected.get(wrong[0])}, got {got.get(wrong[0])}"
        )
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise NightsiftError(f"{path}: {key} holds NaN or infinity: the training diverged")
    model.load_state_dict(dict(state), strict=True)


def _is_plain(value: object) -> bool:
    """A tensor of real numbers that lie in memory one after the other."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_complex()
        and not value.is_quantized
    )
