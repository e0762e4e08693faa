"""Whole catalogues through a model: the table of predictions and the honest numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch import Tensor

from nightsift.data.batches import frame_batch
from nightsift.data.cache import TensorCache
from nightsift.data.catalogue import Catalogue, NightData
from nightsift.data.windows import centred_windows
from nightsift.metrics.bootstrap import score_table
from nightsift.metrics.threshold import is_bad
from nightsift.models.card import ModelCard
from nightsift.models.fusion import HEADS, fuse
from nightsift.models.scoring import HeadProbabilities, score_sequence
from nightsift.models.weights import Model

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


def predict_catalogue(
    model: Model,
    card: ModelCard,
    cache: TensorCache,
    catalogue: Catalogue,
    *,
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """One row for every file of the catalogue, in time order within a night.

    Args:
        model: in eval mode.
        card: window, fusion, temperature and threshold.
        cache: where the tensors lie.
        catalogue: the frames; a frame's `split` goes into the table.
        batch: frames encoded at once.
        progress: called with (frames done, frames to do).

    Returns:
        The contract's columns, then the other columns of the label tables. `prob_*` are NaN
        and `pred` empty for files that could not be read or were left out.
    """
    total = sum(len(night.records) for night in catalogue.nights)
    rows: list[dict[str, Any]] = []
    for night in catalogue.nights:
        scores = _score_night(model, card, cache, night, batch)
        fused = fuse(scores.prob_frame, scores.prob_seq, **card.fusion)
        reasons = _reasons(fused, scores.prob_cause, card)
        for i, record in enumerate(night.records):
            time = record.info.time if record.info else None
            rows.append(
                {
                    **record.extras,
                    "file": str(record.path),
                    "prob_bad": fused[i],
                    "label": record.label,
                    "prob_frame": scores.prob_frame[i],
                    "prob_seq": scores.prob_seq[i],
                    "night": record.night,
                    "time": time.isoformat(timespec="milliseconds") if time else "",
                    "split": record.split,
                    "reason": reasons[i],
                }
            )
        if progress:
            progress(len(rows), total)
    unjudged = [("unreadable", record) for record in catalogue.unreadable]
    unjudged += [("left out", record) for record in catalogue.left_out]
    for why, record in unjudged:
        rows.append(
            {
                **record.extras,
                "file": str(record.path),
                "label": record.label,
                "night": record.night,
                "time": "",
                "split": record.split,
                "reason": f"{why}: {record.error}",
            }
        )
    table = pd.DataFrame(rows)
    table = table.reindex(columns=[*COLUMNS, *(c for c in table.columns if c not in COLUMNS)])
    for column in ("prob_bad", "prob_frame", "prob_seq"):
        table[column] = table[column].astype(np.float64)
    return apply_threshold(table, card.threshold)


def _reasons(
    prob_bad: npt.NDArray[np.float64], prob_cause: npt.NDArray[np.float64], card: ModelCard
) -> list[str]:
    """The likeliest cause of each frame that is not simply good; "" without a cause head."""
    lowest = card.threshold if card.review_low is None else card.review_low
    if not prob_cause.shape[1]:
        return [""] * len(prob_bad)
    best = prob_cause.argmax(axis=1)
    told = is_bad(prob_bad, lowest)
    return [card.causes[cause] if told[i] else "" for i, cause in enumerate(best)]


def apply_threshold(table: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The table with `pred` and `label` as 1, 0 or missing."""
    table = table.copy()
    pred = pd.Series(is_bad(table["prob_bad"].to_numpy(), threshold), index=table.index)
    table["pred"] = pred.astype("Int64").where(table["prob_bad"].notna())
    table["label"] = table["label"].astype("Float64").astype("Int64")
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


def _score_night(
    model: Model, card: ModelCard, cache: TensorCache, night: NightData, batch: int
) -> HeadProbabilities:
    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(night.records), batch):
            part = frame_batch(cache, night.records[start : start + batch])
            yield part.frames, part.inputs

    windows = centred_windows(len(night.records), card.window).rows if night.ordered else None
    return score_sequence(
        model, batches(), windows, temperature=card.temperature, shift=card.logit_shift
    )
