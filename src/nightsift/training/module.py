"""The LightningModule: both heads under the joint loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from scipy.special import expit
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torchmetrics.functional.classification import binary_average_precision

from nightsift.data.augment import augment
from nightsift.data.batches import FrameBatch, WindowBatch, label_tensor
from nightsift.data.datamodule import NightsDataModule
from nightsift.models.card import ModelCard
from nightsift.models.fusion import fuse
from nightsift.models.scoring import centre_logits
from nightsift.models.weights import Model
from nightsift.training.losses import JointLoss

Floats = npt.NDArray[np.float64]


class ValidationScores(NamedTuple):
    """Scores of the validation frames, each (N,).

    Attributes:
        frame_logit: of the frame head.
        seq_logit: of the sequence head; NaN without a window.
        label: 1, 0, -1 unlabelled.
        night: names.
    """

    frame_logit: Floats
    seq_logit: Floats
    label: Floats
    night: npt.NDArray[np.str_]

    def fused(
        self, fusion: Mapping[str, Any], *, temperature: float = 1.0, shift: float = 0.0
    ) -> Floats:
        """The fused probability of *bad*."""
        heads = (expit(logit / temperature + shift) for logit in (self.frame_logit, self.seq_logit))
        return fuse(*heads, **fusion)


def selection(average_precision: float, loss: float) -> float:
    """What chooses the best epoch: average precision, the loss where it cannot tell.

    On few validation nights many epochs reach the same average precision, often 1, and the
    first of them is the least trained; differences below 0.001 are left to the loss. Without
    both classes there is no average precision, and the loss alone decides.
    """
    if math.isnan(average_precision):
        return -loss
    return average_precision - 1e-3 * math.tanh(loss)


class JointModule(pl.LightningModule):
    """Trains a joint model; its hyper-parameters are the model card, primitives only.

    The threshold of the fused probability is a buffer, NaN until a callback sets it, so that
    it travels in every checkpoint.

    Args:
        model: the plain module.
        loss: the joint loss.
        optimizer: called with the parameters.
        scheduler: called with the optimizer, or None.
        card: what the checkpoint says about the model.
        seed: every epoch is seeded with it and its number, so that resuming is exact.
        augmentation: whether training frames are flipped, turned and scaled.
    """

    threshold: Tensor

    def __init__(
        self,
        *,
        model: Model,
        loss: JointLoss,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler] | None,
        card: ModelCard,
        seed: int,
        augmentation: bool,
    ) -> None:
        super().__init__()
        self.save_hyperparameters({"card": card.to_json()})
        self.model = model
        self.loss = loss
        self.card = card
        self.seed = seed
        self.augmentation = augmentation
        self.validation: ValidationScores | None = None
        self._make_optimizer = optimizer
        self._make_scheduler = scheduler
        self._scheduler: LRScheduler | None = None
        self._scheduler_state: dict[str, Any] | None = None
        self._val_embedding: list[Tensor] = []
        self.register_buffer("threshold", torch.tensor(float("nan"), dtype=torch.float64))

    @property
    def nights(self) -> NightsDataModule:
        """The data module in use."""
        datamodule = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(datamodule, NightsDataModule)
        return datamodule

    def configure_optimizers(self) -> Optimizer:
        """Make the optimizer, and the scheduler that `on_train_epoch_end` steps."""
        optimizer = self._make_optimizer(self.parameters())
        if self._make_scheduler is not None:
            self._scheduler = self._make_scheduler(optimizer)
            if self._scheduler_state is not None:
                self._scheduler.load_state_dict(self._scheduler_state)
        return optimizer

    def on_fit_start(self) -> None:
        """Weigh the classes as they stand in the training part."""
        counts = self.nights.class_counts
        self.loss.balance((counts.frame_good, counts.frame_bad), (counts.seq_good, counts.seq_bad))

    def on_train_epoch_start(self) -> None:
        """Seed augmentation and dropout by epoch: a resumed run repeats them exactly."""
        torch.manual_seed(self.seed * 100_003 + self.current_epoch)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Joint loss of one batch of frames and one of windows, either may have run out."""
        frames: FrameBatch | None = batch.get("frames")
        windows: WindowBatch | None = batch.get("windows")
        zero = torch.zeros((), device=self.device)
        seq_loss = zero
        judged: list[tuple[Tensor, FrameBatch]] = []
        if frames is not None:
            group = torch.arange(len(frames.labels), device=self.device)
            judged.append((self._embed(frames, group), frames))
        if windows is not None:
            embedding = self._embed(windows.frames, windows.group)
            logits = self.model.classify_windows(embedding, windows.windows)
            seq_loss = self.loss.seq(logits, windows.labels, windows.mask)
            self._log_part("train/seq_loss", seq_loss, len(windows.labels))
            if self.nights.frames == "mixed":
                judged.append((embedding, windows.frames))
        frame_loss, cause_loss = self._frame_losses(judged) if judged else (zero, zero)
        total = self.loss.join(frame_loss, seq_loss, cause_loss).total
        self._log_part("train/loss", total, 1)
        return total

    def _embed(self, batch: FrameBatch, group: Tensor) -> Tensor:
        x = augment(batch.frames, group) if self.augmentation else batch.frames
        return self.model.encode(x, batch.inputs)

    def _frame_losses(self, judged: list[tuple[Tensor, FrameBatch]]) -> tuple[Tensor, Tensor]:
        """Losses of the frame head and the cause head."""
        embedding = torch.cat([part for part, _ in judged])
        labels = torch.cat([batch.labels for _, batch in judged])
        causes = torch.cat([batch.causes for _, batch in judged])
        frame = self.loss.frame(self.model.classify_frames(embedding), labels)
        self._log_part("train/frame_loss", frame, len(labels))
        return frame, self.loss.cause(self.model.classify_causes(embedding), causes)

    def _log_part(self, name: str, value: Tensor, size: int) -> None:
        self.log(name, value, prog_bar=True, on_step=False, on_epoch=True, batch_size=size)

    def validation_step(self, batch: FrameBatch, batch_idx: int) -> None:
        """Embed one batch; the heads follow when the night is complete."""
        self._val_embedding.append(self.model.encode(batch.frames, batch.inputs))

    def on_validation_epoch_end(self) -> None:
        """Score all validation frames with both heads and log losses and average precision."""
        embedding = torch.cat(self._val_embedding)
        self._val_embedding.clear()
        part = self.nights.evaluation_set("val")
        labels = label_tensor(part.records).to(self.device)
        frame_logits = self.model.classify_frames(embedding)
        seq_logit = np.full(len(labels), np.nan)
        seq_loss = torch.zeros((), device=self.device)
        if len(part.windows):
            windows = torch.from_numpy(part.windows).to(self.device)
            seq_logits = centre_logits(self.model, embedding, windows)
            centre = torch.ones(len(seq_logits), 1, dtype=torch.bool, device=self.device)
            own = labels[torch.from_numpy(part.windowed).to(self.device)]
            seq_loss = self.loss.seq(seq_logits[:, None], own[:, None], centre)
            seq_logit[part.windowed] = seq_logits.double().cpu().numpy()
        self.validation = ValidationScores(
            frame_logits.double().cpu().numpy(),
            seq_logit,
            labels.double().cpu().numpy(),
            np.array([record.night for record in part.records], dtype=np.str_),
        )
        none = torch.zeros((), device=self.device)
        loss = self.loss.join(self.loss.frame(frame_logits, labels), seq_loss, none)
        self.log("val/loss", loss.total, prog_bar=True)
        fused = self._log_average_precision(self.validation)
        self.log("val/selection", selection(fused, float(loss.total)))

    def _log_average_precision(self, scores: ValidationScores) -> float:
        """Log the average precision of each head; returns that of the fused probability."""
        value = float("nan")
        probs = {
            "frame": expit(scores.frame_logit),
            "seq": expit(scores.seq_logit),
            "fused": scores.fused(self.card.fusion),
        }
        for head, prob in probs.items():
            known = (scores.label >= 0) & ~np.isnan(prob)
            label = torch.from_numpy(scores.label[known]).long()
            # Average precision is undefined without both classes.
            value = float("nan")
            if 0 < int(label.sum()) < len(label):
                value = float(binary_average_precision(torch.from_numpy(prob[known]), label))
            self.log(f"val/{head}_ap", value, prog_bar=head == "fused")
        return value

    def on_train_epoch_end(self) -> None:
        """Step the scheduler.

        Lightning steps a plateau scheduler only after `last.ckpt` is written and leaves that
        step out when it resumes, so the module steps it and keeps its state.
        """
        if isinstance(self._scheduler, ReduceLROnPlateau):
            self._scheduler.step(float(self.trainer.callback_metrics["val/loss"]))
        elif self._scheduler is not None:
            self._scheduler.step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the scheduler's state."""
        if self._scheduler is not None:
            checkpoint["nightsift_scheduler"] = self._scheduler.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the scheduler's state, before or after it is made."""
        self._scheduler_state = checkpoint.get("nightsift_scheduler")
        if self._scheduler is not None and self._scheduler_state is not None:
            self._scheduler.load_state_dict(self._scheduler_state)
