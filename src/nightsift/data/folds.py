"""Folds of whole nights or telescopes, each left out once."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from nightsift.errors import NightsiftError
from nightsift.night.night import Night


def left_out_fold(
    nights: Sequence[Night], fold: int, folds: int, *, by: str, seed: int
) -> list[Night]:
    """The nights of one fold.

    Args:
        nights: all nights; unlabelled and mixed ones are in no fold.
        fold: its number, from 0.
        folds: how many there are; 0 makes each group a fold of its own.
        by: groups that are never cut: `night` or `telescope`.
        seed: of the dealing.

    Raises:
        NightsiftError: there are fewer folds, or fewer groups or frames than folds.
    """
    labelled = [night for night in nights if night.ordered and (night.label_values >= 0).any()]
    groups = np.array([_group(night, by) for night in labelled])
    names = sorted(set(groups.tolist()))
    count = folds or len(names)
    if not 0 <= fold < count <= len(names) or count < 2:
        raise NightsiftError(
            f"data.split: no fold {fold} of {count}: there are {len(names)} labelled groups "
            f"by {by} ({', '.join(names[:10])}), folds are counted from 0"
        )
    if not folds:
        return [
            night for night, group in zip(labelled, groups, strict=True) if group == names[fold]
        ]
    return _stratified(labelled, groups, fold, folds, seed)


def _group(night: Night, by: str) -> str:
    info = night.looks[0].info
    telescope = (info.telescope if info else None) or "unknown telescope"
    return night.unit if by == "night" else telescope


def _stratified(
    nights: list[Night], groups: np.ndarray, fold: int, folds: int, seed: int
) -> list[Night]:
    """Groups dealt so that the share of bad frames is alike in all folds."""
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second: only who needs it

    labels = [night.label_values for night in nights]
    member = np.repeat(np.arange(len(nights)), [len(own) for own in labels])
    label = np.concatenate(labels)
    known = label >= 0
    member, label = member[known], label[known]
    if np.unique_counts(label).counts.max() < folds:
        raise NightsiftError(
            f"data.split: {folds} folds need as many labelled frames of a class, there are "
            f"{len(label)} in all: add labels or take fewer folds"
        )
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer frames than folds is said where its scores are.
        warnings.simplefilter("ignore", UserWarning)
        parts = list(dealer.split(member, label, groups[member]))
    return [nights[i] for i in np.unique(member[parts[fold][1]])]
