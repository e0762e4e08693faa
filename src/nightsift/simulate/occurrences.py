"""Defects on a frame: which ones, what they do to it together, and the truth about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nightsift.simulate.defects.catalogue import DEFECTS, Defect
from nightsift.simulate.effect import Effect, Facts, Moment
from nightsift.simulate.visibility import is_visible

_LABELS = ("good", "marginal", "bad")


class Occurrence(NamedTuple):
    """One defect on one frame.

    Attributes:
        kind: key of `DEFECTS`.
        strength: in the defect's unit, >= 0.
        seed: of its geometry, shared by the frames of a spell.
        elapsed_s: since the spell began.
        steady: whether all frames of the night have it alike.
    """

    kind: str
    strength: float
    seed: int
    elapsed_s: float = 0.0
    steady: bool = False


class Truth(NamedTuple):
    """What was done to a frame."""

    kind: str
    cause: str
    strength: float
    unit: str
    label: str
    parameters: dict[str, float]


def apply(
    occurrences: Sequence[Occurrence], facts: Facts, rng: np.random.Generator
) -> tuple[Effect, list[Truth]]:
    """The effect of all `occurrences` on a frame, and the truth about each.

    What would be bad and cannot be seen on this frame is called marginal.
    """
    effect, truths = Effect(), []
    for kind, strength, seed, elapsed_s, steady in occurrences:
        defect = DEFECTS[kind]
        made, parameters = defect.make(
            facts, strength, Moment(elapsed_s, rng), np.random.default_rng(seed)
        )
        effect = effect.then(made)
        label = defect.label(strength, steady=steady)
        if label == "bad" and not is_visible(made, facts):
            label = "marginal"
        truths.append(Truth(kind, defect.cause, strength, defect.unit, label, parameters))
    return effect, truths


def worst_label(truths: Sequence[Truth]) -> str:
    """The label of a frame with all of `truths`."""
    return max((truth.label for truth in truths), key=_LABELS.index, default="good")


def learn_defects(defects: Mapping[str, Defect]) -> None:
    """Add what is not in `DEFECTS` yet: a new process knows only the kinds that ship."""
    for kind, defect in defects.items():
        # Unpickling them may have imported the package that adds them.
        if kind not in DEFECTS:
            DEFECTS.add(kind, defect)
