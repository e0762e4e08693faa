"""The card that travels with the weights: all that is needed to use them correctly."""

from __future__ import annotations

import dataclasses
from typing import Any

from nightsift.errors import NightsiftError

FORMAT_VERSION = 1


@dataclasses.dataclass(kw_only=True)
class ModelCard:
    """What a set of weights is and how its numbers are to be read; JSON primitives only.

    Attributes:
        architecture: class name in `nightsift.models`.
        model_args: its keyword arguments.
        transform: name and arguments of the pixel transform, `{"name": ..., **arguments}`.
        img_size: side of the square network input, px.
        window: frames per window, odd.
        fusion: `{"policy": ..., "frame_weight": ...}`.
        temperature: every logit is divided by it before the sigmoid.
        logit_shift: is added then: from the share of bad frames in training to `prior`.
        prior: share of bad frames that the probabilities are meant for; None as in training.
        threshold: a frame is bad where the fused probability is `>=` it.
        review_low: between this and the threshold a frame is to be looked at; None where
            there is no such range.
        causes: names of what the cause head gives, in its order.
        threshold_choice: what the threshold was tuned for, on how many frames, and the note.
        splits: night names of each split, `{"train": [...], "val": [...], "test": [...]}`.
        fingerprints: fingerprint of each night in `splits`, so that evaluation can tell
            nights that training has seen whatever their folder is called.
        versions: package versions and git commit.
    """

    architecture: str = "JointFrameSeqModel"
    model_args: dict[str, Any] = dataclasses.field(default_factory=dict)
    transform: dict[str, Any] = dataclasses.field(default_factory=lambda: {"name": "published"})
    inputs: dict[str, Any] = dataclasses.field(default_factory=dict)
    img_size: int = 128
    window: int = 9
    fusion: dict[str, Any] = dataclasses.field(
        default_factory=lambda: {"policy": "weighted", "frame_weight": 0.8}
    )
    temperature: float = 1.0
    logit_shift: float = 0.0
    prior: float | None = None
    threshold: float = 0.5
    review_low: float | None = None
    causes: list[str] = dataclasses.field(default_factory=list)
    threshold_choice: dict[str, Any] = dataclasses.field(default_factory=dict)
    splits: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    fingerprints: dict[str, str] = dataclasses.field(default_factory=dict)
    versions: dict[str, str] = dataclasses.field(default_factory=dict)

    def with_threshold(self, threshold: float) -> ModelCard:
        """The card with another threshold; the range to be looked at ends there at the latest."""
        low = None if self.review_low is None else min(self.review_low, threshold)
        return dataclasses.replace(self, threshold=threshold, review_low=low)

    def to_json(self) -> dict[str, Any]:
        """The card as a JSON object, with the words that make it readable alone."""
        return {
            "format_version": FORMAT_VERSION,
            "positive_label": "bad",
            "comparison": "prob_bad >= threshold",
            **dataclasses.asdict(self),
        }

    @classmethod
    def from_json(cls, data: Any) -> ModelCard:
        """Read what `to_json` wrote.

        Raises:
            NightsiftError: not such an object, or written by a newer format.
        """
        if not isinstance(data, dict) or "format_version" not in data:
            raise NightsiftError("the model card is not one of nightsift's: no format_version")
        if data["format_version"] > FORMAT_VERSION:
            raise NightsiftError(
                f"the model card has format {data['format_version']}, this version reads up to "
                f"{FORMAT_VERSION}: update nightsift"
            )
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in names})
