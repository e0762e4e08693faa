"""Scores of whole parts, gathered over all processes, and the metrics that are logged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import BinaryAveragePrecision, BinaryF1Score, BinaryRecall

from nightsift.data.batches import NightBatch
from nightsift.metrics.threshold import is_bad
from nightsift.models.reading import Reading
from nightsift.models.scoring import HeadLogits

Floats = npt.NDArray[np.float64]
# As they are called in what is logged.
_HEADS = ("frame", "seq", "fused")


class PartScores(NamedTuple):
    """Scores of all frames of one part, each (N,), in order of night and time.

    Attributes:
        frame_logit: of the frame head.
        seq_logit: of the sequence head; NaN without a window.
        label: 1, 0, -1 unlabelled.
        night: number of the night.
        compared: number of frames that each was compared with.
    """

    frame_logit: Floats
    seq_logit: Floats
    label: Floats
    night: Floats
    compared: Floats

    def fused(self, reading: Reading) -> Floats:
        """The fused probability of *bad*."""
        return reading.read(self.frame_logit, self.seq_logit, self.compared, self.night).fused


class GatheredScores(Metric):
    """Logits and labels of every frame that any process has scored.

    A torchmetrics metric, so that processes exchange them as they do any other state. Columns:
    night, row, label, frame logit, sequence logit, frames compared with.
    """

    full_state_update = False
    rows: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, night: NightBatch, logits: HeadLogits) -> None:
        """Take the frames of one night; an empty one is needed from a process that has none."""
        seq = logits.seq if len(logits.seq) else torch.full_like(logits.frame, math.nan)
        columns = (night.night, night.row, night.labels, logits.frame, seq, night.compared)
        # Half precision would run numbers of nights and frames beyond 256 together.
        wide = [column.to(logits.frame.device, torch.float32) for column in columns]
        self.rows.append(torch.stack(wide, dim=1))

    def compute(self) -> Tensor:
        """(N, 6), in order of night and row, whichever process scored them."""
        rows = self.rows if isinstance(self.rows, Tensor) else torch.cat(self.rows)
        # Apple's mps has neither float64 nor all of numpy's sorting.
        table = rows.cpu().double().numpy()
        return torch.from_numpy(table[np.lexsort((table[:, 1], table[:, 0]))])


def part_scores(table: Tensor) -> PartScores:
    """The result of `GatheredScores` by name."""
    night, _, label, frame, seq, compared = table.numpy().T
    return PartScores(frame, seq, label, night, compared)


class AveragePrecision(BinaryAveragePrecision):
    """torchmetrics' average precision; NaN without a warning where a class is missing."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Scalar, 0-1 or NaN."""
        target = torch.cat(list(self.target)) if len(self.target) else torch.empty(0)
        if not 0 < int((target == 1).sum()) < len(target):
            return torch.tensor(math.nan)
        value: Tensor = super().compute()
        return value


def ranking_metrics(prefix: str) -> MetricCollection:
    """Average precision of each head.

    Every process computes it over the gathered frames, so nothing is exchanged once more.
    """
    metrics: dict[str, Metric | MetricCollection] = {
        # A head may have scored none: torchmetrics' checks expect at least one.
        f"{head}_ap": AveragePrecision(sync_on_compute=False, validate_args=False)
        for head in _HEADS
    }
    return MetricCollection(metrics, prefix=prefix, compute_groups=False)


def decision_metrics(prefix: str) -> MetricCollection:
    """What the verdicts at the threshold are worth: F1 and recall of *bad*."""
    metrics: dict[str, Metric | MetricCollection] = {
        "f1": BinaryF1Score(sync_on_compute=False),
        "recall": BinaryRecall(sync_on_compute=False),
    }
    return MetricCollection(metrics, prefix=prefix)


def update_ranking(
    metrics: MetricCollection, scores: PartScores, fusion: Mapping[str, Any]
) -> None:
    """Give each head's metric the labelled frames that the head has scored."""
    probs = {
        "frame": expit(scores.frame_logit),
        "seq": expit(scores.seq_logit),
        "fused": scores.fused(Reading(fusion=fusion)),
    }
    for head, prob in probs.items():
        known = (scores.label >= 0) & ~np.isnan(prob)
        label = torch.from_numpy(scores.label[known]).long()
        metrics[f"{head}_ap"].update(torch.from_numpy(prob[known]), label)


def decision_values(
    metrics: MetricCollection, prob: Floats, label: Floats, threshold: float
) -> dict[str, float]:
    """The metrics of the verdicts on labelled frames alone; NaN where there is no label."""
    known = label >= 0
    if not known.any():
        return {str(name): math.nan for name in metrics.keys()}  # noqa: SIM118
    metrics.reset()
    pred = torch.from_numpy(is_bad(prob[known], threshold)).long()
    metrics.update(pred, torch.from_numpy(label[known]).long())
    return {name: float(value) for name, value in metrics.compute().items()}


def selection(average_precision: float, loss: float) -> float:
    """What chooses the best epoch: average precision, the loss where it cannot tell.

    On few validation nights many epochs reach the same average precision, often 1, and the
    first of them is the least trained; differences below 0.001 are left to the loss. Without
    both classes there is no average precision, and the loss alone decides.
    """
    if math.isnan(average_precision):
        return -loss
    return average_precision - 1e-3 * math.tanh(loss)
