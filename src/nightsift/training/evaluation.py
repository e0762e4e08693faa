"""Nights through a model: the table of predictions and the honest numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.data.batches import NightBatch, make_member, night_batch
from nightsift.data.changes import Planes, live_changes
from nightsift.data.inputs import compute_inputs
from nightsift.data.split import Split
from nightsift.look.reading import Progress
from nightsift.look.transforms import build_transform
from nightsift.metrics.bootstrap import score_table
from nightsift.metrics.threshold import is_bad
from nightsift.models.card import ModelCard
from nightsift.models.fusion import HEADS
from nightsift.models.reading import Reading
from nightsift.models.scoring import HeadProbabilities, score_sequence
from nightsift.models.weights import LoadedModel
from nightsift.night.night import UNLABELLED, Label, NightSet
from nightsift.training.card import input_spec

COLUMNS = (
    "file",
    "prob_bad",
    "pred",
    "label",
    "prob_frame",
    "prob_seq",
    "night",
    "time",
    "split",
    "reason",
)
# Behind those, and behind what later layers and label tables add.
LAST = ("series",)


class Scored(NamedTuple):
    """What a model says of every file.

    Attributes:
        table: one row per file, in time order within a night: the contract's columns, then the
            other columns of the label tables, then `series`. `prob_*` are NaN and `pred` empty
            for files that could not be read or were left out.
        causes: probability of each cause that the model names, one row per row of `table`; NaN
            where that has no probability either, no columns where the model names none.
    """

    table: pd.DataFrame
    causes: pd.DataFrame


def score_nights(
    loaded: LoadedModel,
    nights: NightSet,
    *,
    split: Split | None = None,
    batch: int = 32,
    progress: Progress | None = None,
    changes: Mapping[str, Planes] | None = None,
) -> pd.DataFrame:
    """The table of `score_with_causes`, which takes the same."""
    return score_with_causes(
        loaded, nights, split=split, batch=batch, progress=progress, changes=changes
    ).table


def score_with_causes(
    loaded: LoadedModel,
    nights: NightSet,
    *,
    split: Split | None = None,
    batch: int = 32,
    progress: Progress | None = None,
    changes: Mapping[str, Planes] | None = None,
) -> Scored:
    """One row for every file, in time order within a night.

    Args:
        loaded: weights in eval mode, and their card.
        nights: read with what the card says of the input (`nightsift.training.card.wanted_by`).
        split: which part each frame belongs to, for the table; None for none.
        batch: frames encoded at once.
        progress: called with (frames done, frames to do).
        changes: planes of each night by its name, where they are kept already.
    """
    card, split = loaded.card, split or Split()
    inputs, transform = input_spec(card), build_transform(card.transform)
    parts: list[pd.DataFrame] = []
    causes: list[pd.DataFrame] = []
    done = 0
    for number, night in enumerate(nights.nights):
        planes = (changes or {}).get(night.name)
        if planes is None and inputs and inputs.changes:
            planes = live_changes(night, transform)
        member = make_member(number, night, compute_inputs(inputs, [night])[0], (), planes)
        whole = night_batch(member, np.arange(len(night)), window=card.window)
        scores = _score(loaded, whole, batch)
        extras = [_extras(label) for label in night.labels]
        part = pd.DataFrame(extras, index=range(len(night)))
        parts.append(
            part.assign(
                file=[str(path) for path in night.files],
                prob_bad=scores.prob_bad,
                label=night.label_values,
                prob_frame=scores.prob_frame,
                prob_seq=scores.prob_seq,
                night=night.name,
                time=night.times,
                split=split.of(night),
                reason=_reasons(scores.prob_bad, scores.prob_cause, card),
                series=night.series,
            )
        )
        named = card.causes[: scores.prob_cause.shape[1]]
        causes.append(pd.DataFrame(scores.prob_cause, columns=named))
        done += len(night)
        if progress:
            progress(done, len(nights))
    table = pd.concat([*parts, _aside_rows(nights)], ignore_index=True)
    own = (*COLUMNS, *LAST)
    between = [column for column in table.columns if column not in own]
    table = table.reindex(columns=[*COLUMNS, *between, *LAST])
    for column in ("prob_bad", "prob_frame", "prob_seq"):
        table[column] = table[column].astype(np.float64)
    known = pd.concat(causes, ignore_index=True) if causes else pd.DataFrame()
    return Scored(apply_threshold(table, card.threshold), known.reindex(table.index))


def _extras(label: Label) -> dict[str, str]:
    """The other columns of a label table, which may be a table of predictions once more."""
    own = (*COLUMNS, *LAST)
    return {name: text for name, text in label.extras.items() if name not in own}


def _aside_rows(nights: NightSet) -> pd.DataFrame:
    rows = [
        {
            **_extras(item.label),
            "file": str(item.path),
            "label": UNLABELLED if item.label.value is None else item.label.value,
            "night": item.path.parent.name,
            "time": "",
            "split": "",
            "reason": item.reason,
            "series": "",
        }
        for item in nights.aside
    ]
    return pd.DataFrame(rows, dtype=object)


def _score(loaded: LoadedModel, night: NightBatch, batch: int) -> HeadProbabilities:
    windows = night.windows.numpy() if len(night.windows) else None
    card = loaded.card
    return score_sequence(
        loaded.model,
        night.parts(batch),
        windows,
        reading=Reading.of(card),
        compared=night.compared,
    )


def _reasons(
    prob_bad: npt.NDArray[np.float64], prob_cause: npt.NDArray[np.float64], card: ModelCard
) -> list[str]:
    """The likeliest cause of each frame that is not simply good; "" without a cause head."""
    lowest = card.threshold if card.review_low is None else card.review_low
    if not prob_cause.shape[1]:
        return [""] * len(prob_bad)
    best = prob_cause.argmax(axis=1)
    named = is_bad(prob_bad, lowest)
    return [card.causes[cause] if named[i] else "" for i, cause in enumerate(best)]


def apply_threshold(table: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The table with `pred` and `label` as 1, 0 or missing."""
    table = table.copy()
    pred = pd.Series(is_bad(table["prob_bad"].to_numpy(), threshold), index=table.index)
    table["pred"] = pred.astype("Int64").where(table["prob_bad"].notna())
    label = table["label"].astype("Float64")
    table["label"] = label.where(label >= 0).astype("Int64")
    return table


def measure(
    table: pd.DataFrame, threshold: float, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Scores of each head in each split that has labelled frames; the layout of metrics.json.

    A head is measured on the frames for which it has a probability.
    """
    splits: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        part = table[(table["split"] == split) & table["label"].notna()]
        splits[split] = {
            head: score_table(
                known[column].to_numpy(),
                known["label"].to_numpy(dtype=np.float64),
                known["night"].to_numpy(dtype=str),
                threshold,
                resamples=resamples,
                seed=seed,
            )
            for head, column in HEADS.items()
            if len(known := part[part[column].notna()])
        }
    return {
        "threshold": None if math.isnan(threshold) else threshold,
        "splits": {split: heads for split, heads in splits.items() if heads},
    }
