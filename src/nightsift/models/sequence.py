"""Sequence encoders: embeddings of a window, in time order, to a state at every step."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BidirectionalGru(nn.Module):
    """One GRU from either end (Cho et al. 2014, arXiv:1406.1078)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.outputs = 2 * hidden

    def forward(self, x: Tensor) -> Tensor:
        """Map (W, T, width) to (W, T, outputs)."""
        states: Tensor = self.gru(x)[0]
        return states


class TemporalConvolution(nn.Module):
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


class WindowAttention(nn.Module):
    """One transformer layer (Vaswani et al. 2017, arXiv:1706.03762) with learned places."""

    MAX_STEPS = 99

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.outputs = 2 * hidden
        self.inputs = nn.Linear(width, self.outputs)
        self.place = nn.Parameter(0.02 * torch.randn(self.MAX_STEPS, self.outputs))
        self.layer = nn.TransformerEncoderLayer(
            self.outputs, 4, 2 * self.outputs, dropout=0.1, batch_first=True
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (W, T, width) to (W, T, outputs)."""
        # Places count from the centre, so that windows of other lengths mean the same.
        first = self.MAX_STEPS // 2 - x.shape[1] // 2
        placed = self.inputs(x) + self.place[first : first + x.shape[1]]
        states: Tensor = self.layer(placed)
        return states


SEQUENCES: dict[str, type[BidirectionalGru] | type[TemporalConvolution] | type[WindowAttention]] = {
    "gru": BidirectionalGru,
    "tcn": TemporalConvolution,
    "attention": WindowAttention,
}
