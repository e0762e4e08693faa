"""Where weights are, and the card in or beside them: all that can be known without torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from nightsift.errors import NightsiftError
from nightsift.models.agreement import joint_card
from nightsift.models.card import ModelCard

# Weights, or several that are used together.
Source = str | Path | Sequence[str | Path]
# What ships with the package, by name and as a file.
PRETRAINED_NAME = "pretrained"
PRETRAINED = Path(__file__).parents[1] / "weights" / "nightsift.safetensors"
EXPORT_NAME = "joint_frame_seq.pt"
# The card's key among the metadata of a safetensors file.
CARD_KEY = "card"


def find_weights(source: str | Path) -> Path:
    """The file of weights that `source` means.

    Args:
        source: `pretrained`, a run folder, or a `.ckpt`, `.pt`, `.pth` or `.safetensors` file.

    Raises:
        NightsiftError: there is none.
    """
    path = PRETRAINED if str(source) == PRETRAINED_NAME else Path(source)
    if path.is_dir():
        candidates = [path / EXPORT_NAME, path / "checkpoints" / "best.ckpt"]
        found = [candidate for candidate in candidates if candidate.is_file()]
        if not found:
            raise NightsiftError(f"{path} is no run folder: neither {EXPORT_NAME} nor best.ckpt")
        return found[0]
    if not path.is_file():
        raise NightsiftError(f"ckpt={path}: no such file or run folder")
    if path.suffix not in {".pt", ".pth", ".ckpt", ".safetensors"}:
        raise NightsiftError(f"ckpt={path}: expected a run folder, .ckpt, .pt or .safetensors")
    return path


def find_members(source: Source) -> list[Path]:
    """The files of weights that `source` means: one, or one per member of an ensemble.

    Raises:
        NightsiftError: one of them is not there, or the list is empty.
    """
    members = (
        list(source) if isinstance(source, Sequence) and not isinstance(source, str) else [source]
    )
    if not members or not all(isinstance(member, str | Path) for member in members):
        raise NightsiftError(f"ckpt must name weights or be a list of such names, got {source!r}")
    return [find_weights(str(member)) for member in members]


def read_card(source: Source) -> ModelCard | None:
    """The card of weights, as far as it can be had without torch.

    It lies in a `.safetensors` file, or beside a `.pt`; that of a `.ckpt` is inside.

    Args:
        source: as for `find_weights`; of several, the card of the ensemble is given.

    Returns:
        None where a card has to be looked for with `load_weights`.

    Raises:
        NightsiftError: a file or its card cannot be read, or the members do not agree.
    """
    paths = find_members(source)
    cards = [_card_of(path) for path in paths]
    known = [card for card in cards if card is not None]
    if len(known) < len(cards):
        return None
    return known[0] if len(known) == 1 else joint_card(known, [str(path) for path in paths])


def _card_of(path: Path) -> ModelCard | None:
    if path.suffix == ".ckpt":
        return None
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="np") as file:
                text = (file.metadata() or {}).get(CARD_KEY)
        except (SafetensorError, OSError) as error:
            raise unreadable_safetensors(path, error) from error
        return None if text is None else _parse_card(text, path)
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        return None
    try:
        return _parse_card(sidecar.read_text("utf-8"), sidecar)
    except (OSError, UnicodeDecodeError) as error:
        raise NightsiftError(f"cannot read {sidecar}: {first_line(error)}") from error


def unreadable_safetensors(path: Path, error: Exception) -> NightsiftError:
    """What to tell about a file that is none."""
    return NightsiftError(f"{path} is no readable safetensors file ({first_line(error)})")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its type; at most 160 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _parse_card(text: str, path: Path) -> ModelCard:
    try:
        card: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NightsiftError(f"the model card in {path} is no JSON: {first_line(error)}") from error
    try:
        return ModelCard.from_json(card)
    except NightsiftError as error:
        raise NightsiftError(f"{path}: {error}") from error
