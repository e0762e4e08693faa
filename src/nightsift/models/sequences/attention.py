"""An attentive encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nightsift.errors import NightsiftError
from nightsift.models.sequences import SEQUENCES, SequenceEncoder

_HEADS = 4


class WindowAttention(SequenceEncoder):
    """One transformer layer (Vaswani et al. 2017, arXiv:1706.03762) with learned places.

    Takes windows of at most `MAX_STEPS`; `hidden` must be even.
    """

    MAX_STEPS = 99

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.outputs = 2 * hidden
        if self.outputs % _HEADS:
            raise NightsiftError(f"model.seq_hidden must be even for attention, got {hidden}")
        self.inputs = nn.Linear(width, self.outputs)
        self.place = nn.Parameter(0.02 * torch.randn(self.MAX_STEPS, self.outputs))
        self.layer = nn.TransformerEncoderLayer(
            self.outputs, _HEADS, 2 * self.outputs, dropout=0.1, batch_first=True
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (W, T, width) to (W, T, outputs)."""
        steps = x.shape[1]
        if steps > self.MAX_STEPS:
            raise NightsiftError(
                f"attention takes windows of at most {self.MAX_STEPS} frames, got {steps}: "
                "lower data.window"
            )
        # Places count from the centre, so that windows of other lengths mean the same.
        first = self.MAX_STEPS // 2 - steps // 2
        placed = self.inputs(x) + self.place[first : first + steps]
        states: Tensor = self.layer(placed)
        return states


SEQUENCES.add("attention", WindowAttention)
