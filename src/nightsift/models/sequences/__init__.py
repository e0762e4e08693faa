"""The table of sequence encoders: each file of this room adds one.

A sequence encoder maps the embeddings of a window, in time order, to a state at every step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from nightsift.errors import NightsiftError
from nightsift.registry import Registry


class SequenceEncoder(nn.Module, ABC):
    """Embeddings of windows to states.

    One is added like a model: after `SEQUENCES.add("mine", Mine)`, `model.sequence=mine` means
    `Mine(width, hidden)`, of the width of an embedding and the state size per direction.

    Attributes:
        outputs: width of the states; set by the constructor.
    """

    outputs: int = 0

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map (W, T, width) to (W, T, outputs)."""


SEQUENCES: Registry[Callable[[int, int], SequenceEncoder]] = Registry("model.sequence", __name__)


def build_sequence(name: str, width: int, hidden: int) -> SequenceEncoder:
    """Make the encoder called `name`.

    Raises:
        NightsiftError: an unknown name, or one that does not keep to `SequenceEncoder`.
    """
    encoder = SEQUENCES.find(name)(width, hidden)
    if not isinstance(encoder, SequenceEncoder):
        raise NightsiftError(
            f"model.sequence {name} must be derived from nightsift.models.sequences."
            f"SequenceEncoder, got {type(encoder).__name__}"
        )
    if type(encoder.outputs) is not int or encoder.outputs < 1:
        raise NightsiftError(
            f"model.sequence {name}: outputs must be a whole number >= 1, got {encoder.outputs!r}"
        )
    return encoder
