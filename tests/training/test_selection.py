from __future__ import annotations

import pytest

from nightsift.training.module import selection


def test_average_precision_decides_and_the_loss_breaks_ties():
    assert selection(0.95, 3.0) > selection(0.94, 0.1)
    assert selection(1.0, 0.3) > selection(1.0, 0.8)


def test_without_both_classes_the_loss_decides():
    assert selection(float("nan"), 0.3) > selection(float("nan"), 0.8)
    assert selection(float("nan"), 0.3) == pytest.approx(-0.3)
