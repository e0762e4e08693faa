"""Scores gathered over processes, what is logged of them, and what chooses the best epoch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nightsift.data.batches import NightBatch
from nightsift.models.scoring import HeadLogits
from nightsift.training.scores import GatheredScores, decision_metrics, decision_values, selection


def test_average_precision_decides_and_the_loss_breaks_ties():
    assert selection(0.95, 3.0) > selection(0.94, 0.1)
    assert selection(1.0, 0.3) > selection(1.0, 0.8)


def test_without_both_classes_the_loss_decides():
    assert selection(float("nan"), 0.3) > selection(float("nan"), 0.8)
    assert selection(float("nan"), 0.3) == pytest.approx(-0.3)


def loose(night: int, first_row: int, labels: list[int]) -> NightBatch:
    n, none = len(labels), torch.empty(len(labels), 0)
    return NightBatch(
        torch.zeros(n, 1, 4, 4),
        none,
        torch.tensor(labels, dtype=torch.float32),
        none,
        torch.empty(0, 9, dtype=torch.long),
        torch.empty(0, 9, dtype=torch.bool),
        torch.full((n,), night),
        torch.arange(first_row, first_row + n),
        torch.zeros(n),
    )


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16, torch.float32])
def test_numbers_of_nights_and_frames_survive_half_precision(precision):
    gathered = GatheredScores()
    for night, first_row in ((301, 2049), (300, 0)):
        logits = torch.zeros(3, dtype=precision)
        gathered.update(loose(night, first_row, [1, 0, -1]), HeadLogits(logits, logits[:0], logits))
    table = gathered.compute()
    assert table[:, 0].tolist() == [300] * 3 + [301] * 3
    assert table[:, 1].tolist() == [0, 1, 2, 2049, 2050, 2051]


def test_verdicts_without_a_label_are_worth_nothing_that_is_known():
    metrics, prob = decision_metrics("test/"), np.array([0.9, 0.1])
    values = decision_values(metrics, prob, np.array([1.0, 0.0]), 0.5)
    assert values == {"test/f1": 1.0, "test/recall": 1.0}
    values = decision_values(metrics, prob, np.array([-1.0, -1.0]), 0.5)
    assert values.keys() == {"test/f1", "test/recall"}
    assert all(map(math.isnan, values.values()))
