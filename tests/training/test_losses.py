from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from nightsift.training.losses import JointLoss
from nightsift.training.module import JointModule

DEFAULTS = {
    "frame_weight": 0.8,
    "seq_weight": None,
    "cause_weight": 0.0,
    "neighbour_span": 1,
    "neighbour_decay": 0.5,
    "step_labels": "own",
    "pos_weight": False,
}
LOGITS = torch.tensor([[0.3, -1.0, 2.0, 0.5, -0.2]])
LABELS = torch.tensor([[0.0, 1.0, 1.0, 0.0, 1.0]])
MASK = torch.ones(1, 5, dtype=torch.bool)


def make(**changes: object) -> JointLoss:
    return JointLoss(**{**DEFAULTS, **changes})


def test_joint_loss_is_0_8_frame_and_0_2_sequence():
    zero = torch.tensor(0.0)
    parts = make().join(torch.tensor(2.0), torch.tensor(1.0), zero)
    assert float(parts.total) == pytest.approx(0.8 * 2 + 0.2 * 1)
    parts = make(seq_weight=0.5).join(torch.tensor(2.0), torch.tensor(1.0), zero)
    assert float(parts.total) == pytest.approx(0.8 * 2 + 0.5 * 1)


def test_causes_that_nobody_knows_do_not_count():
    logits, targets = torch.tensor([[0.5, -2.0], [3.0, 1.0]]), torch.tensor([[1.0, 0.0], [-1, -1]])
    loss = make(cause_weight=0.5)
    cause = loss.cause(logits, targets)
    torch.testing.assert_close(cause, bce(logits[0], targets[0]))
    zero = torch.tensor(0.0)
    torch.testing.assert_close(loss.join(zero, zero, cause).total, cause / 2)
    assert float(loss.cause(logits[:, :0], targets[:, :0])) == 0.0


def test_steps_count_by_their_distance_from_the_centre():
    own = bce(LOGITS, LABELS, reduction="none")[0]
    expected = (0.5 * own[1] + own[2] + 0.5 * own[3]) / 2
    torch.testing.assert_close(make().seq(LOGITS, LABELS, MASK), expected)
    centre = bce(LOGITS, torch.ones(1, 5), reduction="none")[0]
    expected = (0.5 * centre[1] + centre[2] + 0.5 * centre[3]) / 2
    torch.testing.assert_close(make(step_labels="centre").seq(LOGITS, LABELS, MASK), expected)


def test_unlabelled_and_padded_steps_do_not_count():
    labels = LABELS.clone()
    labels[0, 1] = -1
    mask = MASK.clone()
    mask[0, 3] = False
    own = bce(LOGITS, LABELS, reduction="none")[0]
    torch.testing.assert_close(make().seq(LOGITS, labels, mask), own[2])
    frame = make().frame(LOGITS[0], labels[0])
    torch.testing.assert_close(frame, own[[0, 2, 3, 4]].mean())


def test_no_labelled_frame_gives_zero_not_nan():
    assert float(make().frame(LOGITS[0], torch.full((5,), -1.0))) == 0


def test_class_weights_are_good_over_bad_per_head():
    loss = make(pos_weight=True)
    loss.balance((30, 10), (7, 0))
    weighted = bce(LOGITS[0], LABELS[0], pos_weight=torch.tensor(3.0))
    torch.testing.assert_close(loss.frame(LOGITS[0], LABELS[0]), weighted)
    plain = make().seq(LOGITS, LABELS, MASK)
    torch.testing.assert_close(loss.seq(LOGITS, LABELS, MASK), plain)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame_weight": 1.2}, "frame_weight"),
        ({"neighbour_decay": 2.0}, "neighbour_decay"),
        ({"step_labels": "both"}, "step_labels"),
    ],
)
def test_ranges_are_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_a_loss_of_another_class_is_not_written_into_checkpoints():
    """Read back as `JointLoss`, its arguments would mean something else."""

    class Own(JointLoss):
        pass

    assert JointModule(loss=Own(frame_weight=0.5)).hparams["loss"] is None
    assert JointModule(loss=JointLoss(frame_weight=0.5)).hparams["loss"]["frame_weight"] == 0.5
