"""Where weights are, and the card in or beside them: all that can be known without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from nightsift.errors import NightsiftError
from nightsift.models.card import ModelCard

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


def read_card(path: Path) -> ModelCard | None:
    """The card of a `.safetensors` file, or of a `.pt` with a card beside it; None where neither.

    Raises:
        NightsiftError: the file or its card cannot be read.
    """
    if path.suffix == ".ckpt":
        return None
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="np") as file:
                text = (file.metadata() or {}).get(CARD_KEY)
        except (SafetensorError, OSError) as error:
            raise unreadable_safetensors(path, error) from error
        return None if text is None else _parsed(text, path)
    sidecar = path.with_suffix(".json")
    return _parsed(sidecar.read_text("utf-8"), sidecar) if sidecar.is_file() else None


def unreadable_safetensors(path: Path, error: Exception) -> NightsiftError:
    """What to tell about a file that is none."""
    return NightsiftError(f"{path} is no readable safetensors file ({first_line(error)})")


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its type; at most 160 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _parsed(text: str, path: Path) -> ModelCard:
    try:
        card: Any = json.loads(text)
    except ValueError as error:
        raise NightsiftError(f"the model card in {path} is no JSON: {error}") from error
    return ModelCard.from_json(card)
