"""Batches of other people's loaders, brought to the form of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from nightsift.data.batches import FrameBatch, NightBatch, WindowBatch
from nightsift.errors import NightsiftError
from nightsift.night.night import UNLABELLED


def as_training_batch(batch: Any) -> tuple[FrameBatch | None, WindowBatch | None]:
    """Frames and windows of one training batch.

    Args:
        batch: `{"frames": ..., "windows": ...}`, either of them alone, or a pair of frames
            (B, C, S, S) and labels (B,).

    Raises:
        NightsiftError: anything else.
    """
    if isinstance(batch, Mapping):
        frames, windows = batch.get("frames"), batch.get("windows")
        return None if frames is None else _frames(frames), windows
    if isinstance(batch, WindowBatch):
        return None, batch
    return _frames(batch), None


def as_night(batch: Any, window: int) -> NightBatch:
    """One night to score; a pair or a `FrameBatch` are loose frames.

    Args:
        batch: a `NightBatch`, a `FrameBatch`, or frames (B, C, S, S), alone or with labels (B,).
        window: frames per window.

    Raises:
        NightsiftError: anything else.
    """
    if isinstance(batch, NightBatch):
        return batch
    frames = _frames(batch)
    count = len(frames.labels)
    number = torch.arange(count, device=frames.labels.device)
    none = torch.empty(0, window, dtype=torch.long, device=frames.labels.device)
    zero = torch.zeros_like(number)
    return NightBatch(*frames, none, none.bool(), zero, number, zero)


def _frames(batch: Any) -> FrameBatch:
    if isinstance(batch, FrameBatch):
        return batch
    if isinstance(batch, Tensor) and batch.ndim == 4:
        batch = (batch, batch.new_full((len(batch),), UNLABELLED))
    pair = isinstance(batch, Sequence) and len(batch) == 2
    if not pair or not all(isinstance(part, Tensor) for part in batch) or batch[0].ndim != 4:
        raise NightsiftError(
            "a batch must be a FrameBatch, a WindowBatch, a dictionary of them, or frames "
            f"(B, C, S, S) with labels (B,), got {type(batch).__name__}"
        )
    frames, labels = batch
    empty = frames.new_empty(len(frames), 0)
    return FrameBatch(frames, empty, labels.to(frames.dtype), empty)
