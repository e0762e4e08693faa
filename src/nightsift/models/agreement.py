"""Whether several models can be used as one, and the card of that one."""

from __future__ import annotations

import reprlib
import statistics
from collections.abc import Sequence
from typing import Any

from nightsift.errors import NightsiftError
from nightsift.models.card import ModelCard

# What the members read and name; their probabilities would mean different things otherwise.
_MUST_AGREE = ("transform", "img_size", "window", "inputs", "causes", "fusion")


def joint_card(cards: Sequence[ModelCard], names: Sequence[str]) -> ModelCard:
    """The card of the ensemble of several models.

    Its probabilities are the means of theirs (`nightsift.models.architectures.ensemble`), each
    read with its own temperature and shift. Threshold, lower end of the range to be looked at,
    doubt for lone frames and strength of the prior are the medians of theirs (none if one has
    none): a start, better chosen anew on nights that no member has seen. Every night that one of
    them has seen counts as seen.

    Args:
        cards: two or more.
        names: of the members, for messages.

    Raises:
        NightsiftError: they do not agree; names the first difference.
    """
    for card, name in zip(cards[1:], names[1:], strict=True):
        for key in _MUST_AGREE:
            difference = _first_difference(key, getattr(cards[0], key), getattr(card, key))
            if difference:
                raise NightsiftError(
                    f"ckpt: {name} and {names[0]} cannot be averaged: {difference}; "
                    "members of an ensemble must agree"
                )
    thresholds = [card.threshold for card in cards]
    strengths = [card.prior_strength for card in cards if card.prior_strength is not None]
    lows = [card.review_low for card in cards if card.review_low is not None]
    splits, fingerprints = _nights_seen(cards)
    return ModelCard(
        architecture="Ensemble",
        model_args={"members": [_as_member(card) for card in cards]},
        transform=cards[0].transform,
        inputs=cards[0].inputs,
        img_size=cards[0].img_size,
        window=cards[0].window,
        fusion=cards[0].fusion,
        temperature_alone=statistics.median(card.temperature_alone for card in cards),
        prior=cards[0].prior if len({card.prior for card in cards}) == 1 else None,
        prior_strength=statistics.median(strengths) if len(strengths) == len(cards) else None,
        threshold=statistics.median(thresholds),
        review_low=statistics.median(lows) if len(lows) == len(cards) else None,
        causes=cards[0].causes,
        threshold_choice={
            "threshold": statistics.median(thresholds),
            "note": f"median of {', '.join(f'{threshold:.4g}' for threshold in thresholds)}",
        },
        splits=splits,
        fingerprints=fingerprints,
        versions=cards[0].versions,
    )


def _as_member(card: ModelCard) -> dict[str, Any]:
    keys = ("architecture", "model_args", "temperature", "logit_shift")
    return {key: getattr(card, key) for key in keys}


def _first_difference(key: str, one: Any, other: Any) -> str:
    """Where two values of a card differ, in words; empty where they do not."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(name for name in other if name not in one)]:
            found = _first_difference(f"{key}.{name}", one.get(name), other.get(name))
            if found:
                return found
        return ""
    if one == other:
        return ""
    return f"{key} is {reprlib.repr(other)} and {reprlib.repr(one)}"


def _nights_seen(cards: Sequence[ModelCard]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Splits and fingerprints of all members; the same name of two nights gets a number."""
    fingerprints: dict[str, str] = {}
    splits: dict[str, set[str]] = {}
    for card in cards:
        renamed: dict[str, str] = {}
        for name, fingerprint in card.fingerprints.items():
            new, count = name, 1
            while fingerprints.setdefault(new, fingerprint) != fingerprint:
                count += 1
                new = f"{name} ({count})"
            renamed[name] = new
        for part, names in card.splits.items():
            splits.setdefault(part, set()).update(renamed.get(name, name) for name in names)
    return {part: sorted(names) for part, names in splits.items()}, fingerprints
