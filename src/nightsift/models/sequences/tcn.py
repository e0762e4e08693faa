"""A convolutional encoder over time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nightsift.models.sequences import SEQUENCES, SequenceEncoder


class TemporalConvolution(SequenceEncoder):
    """Three dilated convolutions over time that see 15 steps (Bai et al. 2018, arXiv:1803.01271).

    Unlike theirs not causal: a frame is judged when the ones after it are known.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.outputs = 2 * hidden
        self.layers = nn.ModuleList(
            nn.Conv1d(width if i == 0 else self.outputs, self.outputs, 3, padding=d, dilation=d)
            for i, d in enumerate((1, 2, 4))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (W, T, width) to (W, T, outputs)."""
        x = x.transpose(1, 2)
        for i, layer in enumerate(self.layers):
            y = torch.relu(layer(x))
            x = y if i == 0 else x + y
        return x.transpose(1, 2)


SEQUENCES.add("tcn", TemporalConvolution)
