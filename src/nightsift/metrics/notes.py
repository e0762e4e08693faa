"""What must be known before scores are believed, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# How the note of a threshold begins that no frames could choose.
_DEFAULT = "default: "

Heads = Mapping[str, Mapping[str, Any]]


def has_both_classes(scores: Mapping[str, Any]) -> bool:
    """Whether good and bad frames were there to be told apart.

    Args:
        scores: of one head, from `nightsift.metrics.bootstrap.score_table`.
    """
    return bool(scores["n_bad"]["value"] and scores["n_good"]["value"])


def metrics_notes(metrics: Mapping[str, Any]) -> list[str]:
    """A line for a threshold that nothing chose and for each part with one class or none.

    Args:
        metrics: content of metrics.json: `threshold` (None where there is none), `splits`, and,
            if it is known, `threshold_choice` as of a `ThresholdChoice`, empty without a record.
    """
    splits = metrics["splits"]
    if not splits:
        return ["no labelled frames: nothing was measured"]
    notes = _on_threshold(metrics["threshold"], metrics.get("threshold_choice"))
    for split, heads in splits.items():
        notes += one_class_notes(split, heads)
    if "test" not in splits:
        notes.append("test: no labelled frames; none of these numbers is one to quote")
    return notes


def one_class_notes(part: str, heads: Heads) -> list[str]:
    """A line where `part` lacks a class; for single heads where others have both.

    Args:
        part: what was measured, for the line.
        heads: scores of each head.
    """
    lacking = {head: scores for head, scores in heads.items() if not has_both_classes(scores)}
    if lacking and len(lacking) == len(heads):
        fullest = max(lacking.values(), key=lambda scores: int(scores["n"]["value"]))
        lacking = {"": fullest}
    return [
        f"{part}{', ' * bool(head)}{head}: {scores['n_bad']['value']} bad and "
        f"{scores['n_good']['value']} good labelled frames; scores that need both are empty"
        for head, scores in lacking.items()
    ]


def _on_threshold(threshold: float | None, choice: Mapping[str, Any] | None) -> list[str]:
    if threshold is None:
        return ["no threshold was chosen; scores that need one are empty"]
    if choice is None:
        return []
    tuned, why = choice.get("threshold"), str(choice.get("note", ""))
    if tuned is None:
        return [f"threshold {threshold:.4f}: there is no record of what it was tuned on"]
    if not math.isclose(tuned, threshold, rel_tol=1e-6):
        return [f"threshold {threshold:.4f} was given, {tuned:.4f} is the tuned one"]
    if why.startswith(_DEFAULT):
        why = why.removeprefix(_DEFAULT)
        return [f"threshold {threshold:.4f} is a default, none could be tuned: {why}"]
    return [f"threshold {threshold:.4f}: {why}"] if why else []
