"""What a model must offer so that training, evaluation, prediction and export can use it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from nightsift.errors import NightsiftError


class JointLogits(NamedTuple):
    """Logits of both heads over a batch: what `forward` gives.

    Attributes:
        frame: of *bad*, (B,).
        seq: of *bad* at every step of every window, (W, T); None without windows.
        cause: of each cause that the model names, (B, C).
    """

    frame: Tensor
    seq: Tensor | None
    cause: Tensor


class JointModel(nn.Module, ABC):
    """A frame head and a sequence head over one embedding per frame.

    A model is a subclass with the three abstract methods, entered under its name:

        ARCHITECTURES.add("Tiny", Tiny)

    in a file of `nightsift.models.architectures`, or in a package of one's own that the key
    `plugins=[package]` imports. Its constructor takes keyword arguments that are JSON
    primitives: they stand on the model card. Four of them are filled in from the data where the
    constructor has them: `features` (int, measured numbers per frame without the gaps in time),
    `causes` (list of names for the cause head), `changes` (bool, whether frames come as the
    planes of `nightsift.night.changes`) and `anchored` (bool, whether the first number is all
    severities of the rules taken together).

    What it consists of is its own affair, but a frame's embedding must not depend on the other
    frames of the batch in eval mode: a night is encoded in pieces, and windows share them.

    Attributes:
        uses_inputs: whether `encode` looks at measured numbers; of the class, for it is asked
            before anything is measured or built.
        planes: C of the frames.
        transform: name of the pixel transform that the model is meant for.
        n_inputs: F of the measured numbers, gaps in time included; 0 where it sees none.
        embedding_width: E of what `encode` gives; set by the constructor.
        causes: names of what the cause head gives, in its order.
    """

    uses_inputs: bool = False
    planes: int = 1
    transform: str = "robust"
    n_inputs: int = 0
    embedding_width: int = 0
    causes: tuple[str, ...] = ()

    @abstractmethod
    def encode(self, frames: Tensor, inputs: Tensor) -> Tensor:
        """Embed frames.

        Args:
            frames: (B, C, S, S) float, pixels after the transform.
            inputs: (B, F) float, measured numbers, NaN where missing; the last two are the
                gaps in time before and after the frame. (B, 0) where the model sees none.

        Returns:
            (B, E) float.
        """

    @abstractmethod
    def classify_frames(self, embedding: Tensor) -> Tensor:
        """Frame-head logits of *bad*, (B,), of what `encode` gives, (B, E)."""

    @abstractmethod
    def classify_windows(self, embedding: Tensor, windows: Tensor) -> Tensor:
        """Sequence-head logits of *bad* at every step of every window.

        Args:
            embedding: (B, E), each frame encoded once.
            windows: (W, T) integer, rows of `embedding` in time order; a row may stand in many
                windows, and more than once in one.

        Returns:
            (W, T) float. At a step the frames after it may count too; predictions use the step
            in the middle.
        """

    def classify_causes(self, embedding: Tensor) -> Tensor:
        """Logits of each cause, (B, C); (B, 0) for a model that names none."""
        return embedding[:, :0]

    def forward(
        self, frames: Tensor, windows: Tensor | None = None, *, inputs: Tensor | None = None
    ) -> JointLogits:
        """All heads over one batch, encoding each frame once; arguments as of the methods."""
        inputs = frames.new_empty(len(frames), 0) if inputs is None else inputs
        embedding = self.encode(frames, inputs)
        seq = None if windows is None else self.classify_windows(embedding, windows)
        return JointLogits(self.classify_frames(embedding), seq, self.classify_causes(embedding))


def check_architecture(name: str, architecture: type[JointModel]) -> None:
    """Refuse a class that is no complete model.

    Raises:
        NightsiftError: says which methods are missing.
    """
    if not (isinstance(architecture, type) and issubclass(architecture, JointModel)):
        raise NightsiftError(
            f"model {name} must be a class derived from nightsift.models.contract.JointModel, "
            f"got {architecture!r}"
        )
    missing = sorted(architecture.__abstractmethods__)
    if missing:
        raise NightsiftError(f"model {name} lacks {', '.join(missing)}: add them to its class")


def check_model(name: str, model: JointModel) -> None:
    """Refuse a model whose attributes do not say what the contract wants.

    Raises:
        NightsiftError: names the attribute.
    """
    wanted = {
        "embedding_width": ("a whole number >= 1", _is_count(model.embedding_width, least=1)),
        "planes": ("a whole number >= 1", _is_count(model.planes, least=1)),
        "n_inputs": (
            "a whole number >= 1, as uses_inputs is true" if model.uses_inputs else "0",
            _is_count(model.n_inputs, least=1) if model.uses_inputs else model.n_inputs == 0,
        ),
        "transform": ("a name", isinstance(model.transform, str)),
        "causes": (
            "a tuple of names",
            isinstance(model.causes, tuple) and all(isinstance(c, str) for c in model.causes),
        ),
    }
    for attribute, (what, fits) in wanted.items():
        if not fits:
            raise NightsiftError(
                f"model {name}: {attribute} must be {what}, got {getattr(model, attribute)!r}"
            )


def check_planes(model: nn.Module, frames: Tensor) -> None:
    """Refuse frames, (B, C, S, S), with other planes than a model takes.

    Raises:
        NightsiftError: says how many it takes and how many there are.
    """
    found = frames.shape[1]
    planes = getattr(model, "planes", found)
    if found != planes:
        raise NightsiftError(
            f"{type(model).__name__} takes frames (B, {planes}, S, S), got (B, {found}, S, S): "
            "choose another data/transform"
        )


def _is_count(value: object, *, least: int) -> bool:
    return type(value) is int and value >= least
