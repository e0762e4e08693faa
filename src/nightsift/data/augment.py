"""Augmentation that no telescope would object to; the same for all frames of one window."""

from __future__ import annotations

import torch
from torch import Tensor


def augment(frames: Tensor, group: Tensor) -> Tensor:
    """Flip, turn, scale, shift and add noise, drawn once per group.

    Flips and quarter turns, gain 0.9-1.1, offset +-0.025 and Gaussian noise of 0.01, as in the
    published recipe (the noise is drawn per pixel). Draws come from torch's global generator.

    Args:
        frames: (B, 1, S, S) normalised pixels.
        group: (B,) integer; frames of one group share flips, turn, gain and offset.
    """
    groups = int(group.max()) + 1 if len(group) else 0
    gain = 0.9 + 0.2 * torch.rand(groups, device=frames.device)
    offset = 0.05 * torch.rand(groups, device=frames.device) - 0.025
    move = torch.randint(8, (groups,))[group.cpu()]
    out = torch.empty_like(frames)
    for number in sorted(set(move.tolist())):
        out[move == number] = _move(frames[move == number], number)
    out = out * gain[group, None, None, None] + offset[group, None, None, None]
    return out + 0.01 * torch.randn_like(out)


def _move(frames: Tensor, move: int) -> Tensor:
    """One of the eight symmetries of the square: a quarter turn 0-3, mirrored from 4 on."""
    turned = torch.rot90(frames, move % 4, dims=(2, 3))
    return turned.flip(3) if move >= 4 else turned
