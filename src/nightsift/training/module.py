"""The LightningModule: both heads under the joint loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from nightsift.data.augment import augment
from nightsift.data.batches import FrameBatch, NightBatch
from nightsift.metrics.threshold import is_bad
from nightsift.models.card import ModelCard
from nightsift.models.contract import check_planes
from nightsift.models.reading import Reading
from nightsift.models.scoring import HeadLogits, head_logits, read_logits
from nightsift.seeds import derived_seed
from nightsift.training.card_module import CardModule
from nightsift.training.foreign import as_night, as_training_batch
from nightsift.training.losses import JointLoss, Loss
from nightsift.training.optimizer_hooks import OptimizerHooks
from nightsift.training.recipes import MakeOptimizer, MakeScheduler
from nightsift.training.scores import (
    GatheredScores,
    PartScores,
    decision_metrics,
    decision_values,
    part_scores,
    ranking_metrics,
    selection,
    update_ranking,
)


class JointModule(CardModule, OptimizerHooks):
    """Trains a model with a frame and a sequence head; `JointModule()` is enough to begin with.

    Its hyper-parameters are primitives, so that `JointModule.load_from_checkpoint(path)` needs
    nothing else. Validation and test items are whole nights
    (`nightsift.data.batches.NightBatch`); batches of own loaders may also be pairs of frames
    (B, C, S, S) and labels (B,). Logged are `train/loss`, its parts, `val/loss`, `val/<head>_ap`
    for the heads frame, seq and fused, `val/selection` (higher is better), and under `test/` the
    same with F1 and recall at the threshold.

    Args:
        model: name of an architecture (`nightsift.models.architectures.ARCHITECTURES`), or a module
            that does what one does; the latter is not part of a checkpoint.
        model_args: arguments of the architecture; what the data decide is added.
        loss: the joint loss; None for `JointLoss()`. A dictionary holds its arguments. One of
            another class is not part of a checkpoint.
        optimizer: called with the parameters, or the name and arguments of one of
            `torch.optim`; None for Adam with a learning rate of 1e-3.
        scheduler: called with the optimizer, or the name and arguments of one of
            `torch.optim.lr_scheduler`; None for none.
        fusion: policy and frame weight of the fused probability; None for 0.8 / 0.2.
        card: of weights that exist; it then decides architecture and input.
        seed: augmentation and dropout are drawn from it, the epoch and the batch, so that
            resuming is exact and several processes do what one does.
        augmentation: whether training frames are flipped, turned and scaled.
        encode_batch: frames of a night encoded at once.
    """

    def __init__(
        self,
        model: str | nn.Module = "JointFrameSeqModel",
        model_args: Mapping[str, Any] | None = None,
        *,
        loss: Loss | Mapping[str, Any] | None = None,
        optimizer: MakeOptimizer | Mapping[str, Any] | None = None,
        scheduler: MakeScheduler | Mapping[str, Any] | None = None,
        fusion: Mapping[str, Any] | None = None,
        card: ModelCard | Mapping[str, Any] | None = None,
        seed: int = 0,
        augmentation: bool = True,
        encode_batch: int = 32,
    ) -> None:
        super().__init__()
        self.take_card(model, model_args, fusion, card)
        self.loss: Loss = JointLoss(**(loss or {})) if _is_arguments(loss) else loss  # type: ignore[arg-type,assignment]
        self.take_recipes(optimizer, scheduler)
        self.seed = seed
        self.augmentation = augmentation
        self.encode_batch = encode_batch
        self.validation: PartScores | None = None
        self.save_hyperparameters(
            {
                "card": self.card.to_json(),
                "loss": self.loss.arguments if type(self.loss) is JointLoss else None,
                "optimizer": self.recipes["optimizer"],
                "scheduler": self.recipes["scheduler"],
                "seed": seed,
                "augmentation": augmentation,
                "encode_batch": encode_batch,
            }
        )
        self._losses = nn.ModuleDict(
            {name: MeanMetric() for name in ("loss", "frame_loss", "seq_loss")}
        )
        self._gathered = GatheredScores()
        self._ranking = nn.ModuleDict({s: ranking_metrics(f"{s}/") for s in ("val", "test")})
        self._decisions = decision_metrics("test/")

    def setup(self, stage: str) -> None:
        """Take over what the data module says of the input, and of the classes for the loss.

        Raises:
            NightsiftError: the data module makes another input than the weights were made for.
        """
        super().setup(stage)
        if stage != "fit":
            return
        counts = getattr(getattr(self.trainer, "datamodule", None), "class_counts", None)
        if counts is not None:
            self.loss.balance(counts[:2], counts[2:])

    def forward(self, frames: Tensor, inputs: Tensor | None = None) -> Tensor:
        """Probability of *bad* by the frame head, (B,), of frames (B, C, S, S)."""
        inputs = frames.new_empty(len(frames), 0) if inputs is None else inputs
        logits: Tensor = self.model.classify_frames(self.model.encode(frames, inputs))
        return torch.sigmoid(logits)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Joint loss of one batch of frames and one of windows, either may have run out."""
        turn = batch_idx * self.trainer.world_size + self.global_rank
        torch.manual_seed(derived_seed(self.seed, self.current_epoch, turn))
        frames, windows = as_training_batch(batch)
        judged: list[tuple[Tensor, FrameBatch]] = []
        # Every parameter takes part in every step: processes wait for each other's gradients.
        zero = torch.stack([p.sum() for p in self.model.parameters()]).sum() * 0.0
        seq_loss, frame_loss, cause_loss = zero, zero, zero
        if frames is not None:
            group = torch.arange(len(frames.labels), device=self.device)
            judged.append((self._embed(frames, group), frames))
        if windows is not None:
            embedding = self._embed(windows.frames, windows.group)
            logits = self.model.classify_windows(embedding, windows.windows)
            seq_loss = self.loss.seq(logits, windows.labels, windows.mask)
            judged.append((embedding, windows.frames))
        if judged:
            embedding = torch.cat([part for part, _ in judged])
            known = FrameBatch(*map(torch.cat, zip(*(part for _, part in judged), strict=True)))
            frame_loss = self.loss.frame(self.model.classify_frames(embedding), known.labels)
            cause_loss = self.loss.cause(self.model.classify_causes(embedding), known.causes)
        total = self.loss.join(frame_loss, seq_loss, cause_loss).total
        self._log_part("loss", total, counts=bool(judged))
        self._log_part("frame_loss", frame_loss, counts=bool(judged))
        self._log_part("seq_loss", seq_loss, counts=windows is not None)
        return total + zero

    def _log_part(self, name: str, value: Tensor, *, counts: bool) -> None:
        """Into the mean of the epoch over all processes; what had no data does not count."""
        metric: Any = self._losses[name]
        metric.update(value.detach(), float(counts))
        self.log(f"train/{name}", metric, prog_bar=True, on_step=False, on_epoch=True)

    def _embed(self, batch: FrameBatch, group: Tensor) -> Tensor:
        check_planes(self.model, batch.frames)
        x = augment(batch.frames, group) if self.augmentation else batch.frames
        embedding: Tensor = self.model.encode(x, batch.inputs)
        return embedding

    def on_validation_epoch_start(self) -> None:
        """Forget the scores of the last epoch."""
        self._gathered.reset()

    on_test_epoch_start = on_validation_epoch_start

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Score one night with both heads; what is logged follows when all are scored."""
        night = as_night(batch, self.card.window)
        self._gathered.update(night, self.score(night))

    test_step = validation_step

    def score(self, night: NightBatch) -> HeadLogits:
        """Logits of all heads for the frames of one night, each encoded once."""
        return head_logits(self.model, night.parts(self.encode_batch), night.windows)

    def on_validation_epoch_end(self) -> None:
        """Log loss and average precision over all validation frames."""
        self.validation = part_scores(self._gathered.compute())
        loss = self._loss_of(self.validation)
        values = self._log_ranking("val", self.validation)
        self._log_epoch("val/loss", loss, prog_bar=True)
        self._log_epoch("val/selection", selection(values["val/fused_ap"], loss))

    def on_test_epoch_end(self) -> None:
        """Log average precision, and F1 and recall at the threshold, over all test frames."""
        scores = part_scores(self._gathered.compute())
        self._log_ranking("test", scores)
        prob, threshold = self._calibrated(scores)
        for name, value in decision_values(self._decisions, prob, scores.label, threshold).items():
            self._log_epoch(name, value)

    def _calibrated(self, scores: PartScores) -> tuple[np.ndarray, float]:
        card = self.calibrated_card
        return scores.fused(Reading.of(card)), card.threshold

    def _loss_of(self, scores: PartScores) -> float:
        label = torch.from_numpy(scores.label)
        frame = self.loss.frame(torch.from_numpy(scores.frame_logit), label)
        windowed = torch.from_numpy(~np.isnan(scores.seq_logit))
        seq = torch.from_numpy(scores.seq_logit)[windowed][:, None]
        mask = torch.ones_like(seq, dtype=torch.bool)
        none = torch.zeros((), dtype=frame.dtype)
        seq_loss = self.loss.seq(seq, label[windowed][:, None], mask) if len(seq) else none
        return float(self.loss.join(frame, seq_loss, none).total)

    def _log_ranking(self, stage: str, scores: PartScores) -> dict[str, float]:
        metrics: Any = self._ranking[stage]
        metrics.reset()
        update_ranking(metrics, scores, self.card.fusion)
        values = {name: float(value) for name, value in metrics.compute().items()}
        for name, value in values.items():
            self._log_epoch(name, value, prog_bar=name.endswith("fused_ap"))
        return values

    def _log_epoch(self, name: str, value: float, *, prog_bar: bool = False) -> None:
        # Every process has gathered the same frames: the mean over them changes nothing.
        self.log(name, value, prog_bar=prog_bar, sync_dist=True)

    def predict_step(self, batch: Any, batch_idx: int) -> pd.DataFrame:
        """`file`, `prob_bad`, `pred`, `prob_frame`, `prob_seq` of each frame of one night."""
        night = as_night(batch, self.card.window)
        logits, card = self.score(night), self.calibrated_card
        found = read_logits(logits, Reading.of(card), night.compared, night.night)
        return pd.DataFrame(
            {
                "file": list(night.files) or [""] * len(found.frame),
                "prob_bad": found.fused,
                "pred": is_bad(found.fused, card.threshold).astype(int),
                "prob_frame": found.frame,
                "prob_seq": found.seq,
            }
        )


def _is_arguments(loss: object) -> bool:
    return loss is None or isinstance(loss, Mapping)
