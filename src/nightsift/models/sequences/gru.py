"""A recurrent encoder of both directions."""

from __future__ import annotations

from torch import Tensor, nn

from nightsift.models.sequences import SEQUENCES, SequenceEncoder


class BidirectionalGru(SequenceEncoder):
    """One GRU from either end (Cho et al. 2014, arXiv:1406.1078)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.outputs = 2 * hidden

    def forward(self, x: Tensor) -> Tensor:
        """Map (W, T, width) to (W, T, outputs)."""
        states: Tensor = self.gru(x)[0]
        return states


SEQUENCES.add("gru", BidirectionalGru)
