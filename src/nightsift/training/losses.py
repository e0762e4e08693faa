"""The joint loss of both heads."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from nightsift.night.night import UNLABELLED


class LossParts(NamedTuple):
    """Scalars: `total` = frame_weight * `frame` + seq_weight * `seq` + cause_weight * `cause`."""

    total: Tensor
    frame: Tensor
    seq: Tensor
    cause: Tensor


class Loss(Protocol):
    """What `nightsift.training.module.JointModule` asks of a loss; `JointLoss` is ours."""

    def balance(self, frame: tuple[int, int], seq: tuple[int, int]) -> None:
        """Take the (n_good, n_bad) of the training part, for each head."""
        ...

    def frame(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of the frame head, a scalar; both (B,), labels 1, 0 or -1 unlabelled."""
        ...

    def seq(self, logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        """Loss of the sequence head, a scalar; all (W, T), mask False where padded."""
        ...

    def cause(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of the cause head, a scalar; both (B, C), targets 1, 0 or -1 unknown."""
        ...

    def join(self, frame: Tensor, seq: Tensor, cause: Tensor) -> LossParts:
        """Weigh the parts."""
        ...


class JointLoss:
    """Weighted sum of the binary cross-entropies of the frame and the sequence head.

    Args:
        frame_weight: weight of the frame loss, 0-1.
        seq_weight: weight of the sequence loss; None means `1 - frame_weight`.
        cause_weight: weight of the loss of the cause head, beside the other two; it learns to
            name what the others judge.
        neighbour_span: steps on either side of a window's centre that count.
        neighbour_decay: weight of a step is this to the power of its distance from the centre.
        step_labels: `own` compares every step with its own label; `centre` compares the
            neighbours with the label of the centre, as the published recipe does.
        pos_weight: weigh bad frames by n_good / n_bad of the training part, per head.
    """

    def __init__(
        self,
        *,
        frame_weight: float = 0.8,
        seq_weight: float | None = None,
        cause_weight: float = 0.0,
        neighbour_span: int = 1,
        neighbour_decay: float = 0.5,
        step_labels: Literal["own", "centre"] = "own",
        pos_weight: bool = True,
    ) -> None:
        self.arguments = {
            "frame_weight": frame_weight,
            "seq_weight": seq_weight,
            "cause_weight": cause_weight,
            "neighbour_span": neighbour_span,
            "neighbour_decay": neighbour_decay,
            "step_labels": step_labels,
            "pos_weight": pos_weight,
        }
        self.frame_weight = frame_weight
        self.seq_weight = 1 - frame_weight if seq_weight is None else seq_weight
        self.cause_weight = cause_weight
        if not 0 <= frame_weight <= 1 or min(self.seq_weight, cause_weight) < 0:
            raise ValueError(
                "loss.frame_weight must lie in 0-1, loss.seq_weight and loss.cause_weight be >= 0"
            )
        if neighbour_span < 0 or not 0 <= neighbour_decay <= 1:
            raise ValueError("loss.neighbour_span must be >= 0, loss.neighbour_decay in 0-1")
        if step_labels not in ("own", "centre"):
            raise ValueError(f"loss.step_labels must be own or centre, got {step_labels!r}")
        self.neighbour_span = neighbour_span
        self.neighbour_decay = neighbour_decay
        self.step_labels = step_labels
        self.pos_weight = pos_weight
        self._frame_pos_weight = 1.0
        self._seq_pos_weight = 1.0

    def balance(self, frame: tuple[int, int], seq: tuple[int, int]) -> None:
        """Take the (n_good, n_bad) of each head; a head without either class keeps weight 1."""
        if self.pos_weight:
            self._frame_pos_weight = frame[0] / frame[1] if min(frame) else 1.0
            self._seq_pos_weight = seq[0] / seq[1] if min(seq) else 1.0

    def frame(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean loss over labelled frames; logits and labels (B,), labels 1, 0 or -1."""
        weights = (labels != UNLABELLED).to(logits.dtype)
        return _weighted_bce(logits, labels, weights, self._frame_pos_weight)

    def seq(self, logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        """Weighted mean loss over the steps of windows.

        Args:
            logits: (W, T).
            labels: (W, T), 1, 0 or -1.
            mask: (W, T) bool, False where padded.
        """
        centre = logits.shape[1] // 2
        distance = (torch.arange(logits.shape[1], device=logits.device) - centre).abs()
        near = distance <= self.neighbour_span
        step = torch.where(near, self.neighbour_decay ** distance.to(logits.dtype), 0.0)
        if self.step_labels == "centre":
            labels = labels[:, centre : centre + 1].expand_as(labels)
        weights = step * mask * (labels != UNLABELLED)
        return _weighted_bce(logits, labels, weights, self._seq_pos_weight)

    def cause(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean loss over known causes; both (B, C), targets 1, 0 or -1; zero without causes."""
        if not logits.numel():
            return logits.sum()
        return _weighted_bce(logits, targets, (targets != UNLABELLED).to(logits.dtype), 1.0)

    def join(self, frame: Tensor, seq: Tensor, cause: Tensor) -> LossParts:
        """Weigh the parts; a part that has no data this step is given as zero."""
        total = self.frame_weight * frame + self.seq_weight * seq + self.cause_weight * cause
        return LossParts(total, frame, seq, cause)


def _weighted_bce(logits: Tensor, labels: Tensor, weights: Tensor, pos_weight: float) -> Tensor:
    losses = functional.binary_cross_entropy_with_logits(
        logits,
        labels.clamp(min=0),
        pos_weight=torch.tensor(pos_weight, device=logits.device),
        reduction="none",
    )
    return (losses * weights).sum() / weights.sum().clamp(min=1e-12)
