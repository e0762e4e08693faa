"""The card that travels with the weights: all that is needed to use them correctly."""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Any, NamedTuple

import numpy as np

from nightsift.errors import NightsiftError
from nightsift.models.fusion import POLICIES

# 2: `inputs` says what the model sees of each frame beside its pixels.
# 3: `prior_strength` and `temperature_alone` say how a night and a lone frame are read, and
# `inputs` which planes of changes the model sees.
FORMAT_VERSION = 3
# The threshold at which nothing is bad: what calibration chooses where any other rejects too much.
REJECT_NOTHING = float(np.nextafter(1.0, 2.0))
_LARGEST = sys.float_info.max


class _Range(NamedTuple):
    """What a number of the card may be, bounds included."""

    low: float
    high: float
    said: str
    whole: bool = False
    optional: bool = False


_RANGES = {
    "img_size": _Range(16, 4096, "a whole number from 16 to 4096", whole=True),
    "window": _Range(1, 999, "an odd whole number from 1 to 999", whole=True),
    "temperature": _Range(math.ulp(0.0), _LARGEST, "a number above 0"),
    "temperature_alone": _Range(1, _LARGEST, "a number of at least 1"),
    "prior_strength": _Range(math.ulp(0.0), _LARGEST, "a number above 0, or null", optional=True),
    "logit_shift": _Range(-_LARGEST, _LARGEST, "a number"),
    "prior": _Range(0, 1, "a number from 0 to 1, or null", optional=True),
    "threshold": _Range(0, REJECT_NOTHING, "a number from 0 to 1"),
    "review_low": _Range(0, REJECT_NOTHING, "a number from 0 to threshold, or null", optional=True),
}


@dataclasses.dataclass(kw_only=True, frozen=True)
class ModelCard:
    """What a set of weights is and how its numbers are to be read; JSON primitives only.

    Every number is checked when a card is made; `dataclasses.replace` makes a changed one.

    Attributes:
        architecture: entry of `nightsift.models.architectures`.
        model_args: its keyword arguments.
        transform: name and arguments of the pixel transform, `{"name": ..., **arguments}`.
        inputs: the measured numbers that the network sees; `{}` where it sees none, and on a
            card of format 1, which did not say.
        img_size: side of the square network input, px, 16-4096.
        window: frames per window, odd, 1-999.
        fusion: `{"policy": ..., "frame_weight": 0-1}`.
        temperature: every logit is divided by it before the sigmoid, > 0.
        temperature_alone: further divides the logits of frames that fewer than
            `nightsift.models.reading.LEAST_COMPARED` others are compared with, >= 1.
        logit_shift: is added then: from the share of bad frames in training to `prior`.
        prior: share of bad frames that the probabilities are meant for, 0-1; None as in training.
        prior_strength: frames that `prior` counts as beside those of a night, whose own share of
            bad frames moves its probabilities, > 0; None for one share everywhere.
        threshold: a frame is bad where the fused probability is `>=` it, 0-1 or
            `REJECT_NOTHING`, the next number above 1.
        review_low: between this and the threshold, `<=` it, a frame is to be looked at; None
            where there is no such range.
        causes: names of what the cause head gives, in its order.
        threshold_choice: what the threshold was tuned for, on how many frames, and the note.
        splits: night names of each split, `{"train": [...], "val": [...], "test": [...]}`.
        fingerprints: fingerprint of each night in `splits`, so that evaluation can tell
            nights that training has seen whatever their folder is called.
        versions: package versions and git commit.

    Raises:
        NightsiftError: a number outside its range, or something that JSON cannot hold; names
            the key.
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
    temperature_alone: float = 1.0
    logit_shift: float = 0.0
    prior: float | None = None
    prior_strength: float | None = None
    threshold: float = 0.5
    review_low: float | None = None
    causes: list[str] = dataclasses.field(default_factory=list)
    threshold_choice: dict[str, Any] = dataclasses.field(default_factory=dict)
    splits: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    fingerprints: dict[str, str] = dataclasses.field(default_factory=dict)
    versions: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = _plain(getattr(self, field.name), field.name)
            # Tuples become lists and numpy's numbers Python's, as they come back from a file.
            object.__setattr__(self, field.name, value)
            if field.name in _RANGES:
                _check_range(field.name, value, _RANGES[field.name])
        _check_shapes(self)
        if self.window % 2 == 0:
            raise _wrong("window", self.window, _RANGES["window"].said)
        if self.review_low is not None and self.review_low > self.threshold:
            raise _wrong("review_low", self.review_low, f"at most threshold, {self.threshold}")
        _check_fusion(self.fusion)

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
        """Read what `to_json` wrote, in this format or the one before.

        Raises:
            NightsiftError: not such an object, a value outside its range, or written by a
                newer format.
        """
        if not isinstance(data, dict) or "format_version" not in data:
            raise NightsiftError("the model card is not one of nightsift's: no format_version")
        version = data["format_version"]
        if type(version) is not int or version < 1:
            raise _wrong("format_version", version, "a whole number >= 1")
        if version > FORMAT_VERSION:
            raise NightsiftError(
                f"the model card has format {version}, this version reads up to "
                f"{FORMAT_VERSION}: update nightsift"
            )
        if data.get("positive_label", "bad") != "bad":
            raise _wrong("positive_label", data["positive_label"], "'bad'")
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in names})


def _wrong(key: str, value: object, expected: str) -> NightsiftError:
    return NightsiftError(f"model card: {key} must be {expected}, got {str(value)[:60]!r}")


def _plain(value: Any, key: str) -> Any:
    """A copy of `value` in JSON primitives, all numbers finite."""
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise _wrong(key, value, "an object whose keys are text")
        return {str(name): _plain(item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, key) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _wrong(key, value, _RANGES[key].said if key in _RANGES else "a finite number")
        return float(value)
    for kind in (bool, int, str):
        if isinstance(value, kind):
            return kind(value)
    if value is not None:
        raise _wrong(key, value, "text, a number, a list or an object")
    return None


def _check_range(key: str, value: Any, allowed: _Range) -> None:
    if value is None and allowed.optional:
        return
    kinds = (int,) if allowed.whole else (int, float)
    if type(value) not in kinds or not allowed.low <= value <= allowed.high:
        raise _wrong(key, value, allowed.said)


def _check_shapes(card: ModelCard) -> None:
    """What holds names holds text, what is an object is one."""
    if not isinstance(card.architecture, str) or not card.architecture:
        raise _wrong("architecture", card.architecture, "a name")
    for key in ("model_args", "transform", "inputs", "fusion", "threshold_choice", "splits"):
        if not isinstance(getattr(card, key), dict):
            raise _wrong(key, getattr(card, key), "an object")
    if not isinstance(card.transform.get("name"), str):
        raise _wrong("transform.name", card.transform.get("name"), "a name")
    lists = {f"splits.{part}": names for part, names in card.splits.items()}
    for key, names in {"causes": card.causes, **lists}.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _wrong(key, names, "a list of names")
    for key in ("fingerprints", "versions"):
        texts = getattr(card, key)
        if not isinstance(texts, dict) or not all(isinstance(t, str) for t in texts.values()):
            raise _wrong(key, texts, "an object of texts")


def _check_fusion(fusion: dict[str, Any]) -> None:
    policy = fusion.get("policy", POLICIES[0])
    if policy not in POLICIES:
        raise _wrong("fusion.policy", policy, f"one of {', '.join(POLICIES)}")
    weight = _Range(0, 1, "a number from 0 to 1")
    _check_range("fusion.frame_weight", fusion.get("frame_weight", 0), weight)
    unknown = fusion.keys() - {"policy", "frame_weight"}
    if unknown:
        raise _wrong("fusion", sorted(unknown), "an object of policy and frame_weight")
