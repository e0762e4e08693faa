"""The LightningModule: both heads under the joint loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import MeanMetric

from nightsift.data.augment import augment
from nightsift.data.batches import FrameBatch, NightBatch
from nightsift.data.datamodule import NightsDataModule
from nightsift.errors import NightsiftError
from nightsift.look.transforms import build_transform
from nightsift.metrics.threshold import is_bad
from nightsift.models.architectures import ARCHITECTURES, arguments_from_data
from nightsift.models.card import ModelCard
from nightsift.models.contract import check_planes
from nightsift.models.fusion import fuse
from nightsift.models.scoring import HeadLogits, head_logits, probabilities
from nightsift.models.weights import CALIBRATION_KEY, build_model
from nightsift.seeds import derived_seed
from nightsift.training.card import input_spec
from nightsift.training.foreign import as_night, as_training_batch
from nightsift.training.losses import JointLoss, Loss
from nightsift.training.recipes import (
    DEFAULT_OPTIMIZER,
    MakeOptimizer,
    MakeScheduler,
    as_recipe,
    make_optimizer,
    make_scheduler,
)
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
from nightsift.training.versions import versions

# What a model is fed with: it must not change once there are weights.
_INPUT_FACTS = ("transform", "img_size", "window", "inputs", "causes")


class JointModule(pl.LightningModule):
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

    model: Any

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
        self._input_is_fixed = card is not None
        if isinstance(card, Mapping):
            card = ModelCard.from_json(card)
        if card is None:
            name = model if isinstance(model, str) else type(model).__name__
            card = ModelCard(
                architecture=name,
                model_args=dict(model_args or {}),
                fusion=dict(fusion or {"policy": "weighted", "frame_weight": 0.8}),
            )
        self.card = card
        self.loss: Loss = JointLoss(**(loss or {})) if _is_arguments(loss) else loss  # type: ignore[arg-type,assignment]
        optimizer = DEFAULT_OPTIMIZER if optimizer is None else optimizer
        self._optimizer = make_optimizer(optimizer)
        self._scheduler = None if scheduler is None else make_scheduler(scheduler)
        self.seed = seed
        self.augmentation = augmentation
        self.encode_batch = encode_batch
        self.calibration: dict[str, Any] = {}
        self.validation: PartScores | None = None
        self._pending_plateau: float | None = None
        self.save_hyperparameters(
            {
                "card": card.to_json(),
                "loss": self.loss.arguments if type(self.loss) is JointLoss else None,
                "optimizer": as_recipe(optimizer),
                "scheduler": as_recipe(scheduler),
                "seed": seed,
                "augmentation": augmentation,
                "encode_batch": encode_batch,
            }
        )
        self.model = None if isinstance(model, str) else model
        if self.model is None and (self._input_is_fixed or not self._uses_inputs):
            self.model = build_model(card)
        self._losses = nn.ModuleDict(
            {name: MeanMetric() for name in ("loss", "frame_loss", "seq_loss")}
        )
        self._gathered = GatheredScores()
        self._ranking = nn.ModuleDict({s: ranking_metrics(f"{s}/") for s in ("val", "test")})
        self._decisions = decision_metrics("test/")

    def setup(self, stage: str) -> None:
        """Take over what the data module says of the input, and build what depends on it.

        Once it was trained with a data module it takes no other input.

        Raises:
            NightsiftError: the data module makes another input than the weights were made for.
        """
        datamodule = getattr(self.trainer, "datamodule", None)
        facts: dict[str, Any] = getattr(datamodule, "card_facts", {})
        if facts and not self._uses_inputs:
            facts = {**facts, "inputs": {}, "causes": []}
        if self._input_is_fixed:
            self._check_input(facts)
        else:
            self.card = dataclasses.replace(self.card, **facts)
        if stage == "fit":
            self._input_is_fixed |= bool(facts)
            split = getattr(datamodule, "split_facts", {})
            self.card = dataclasses.replace(self.card, versions=versions(), **split)
            counts = getattr(datamodule, "class_counts", None)
            if counts is not None:
                self.loss.balance(counts[:2], counts[2:])
        self.hparams["card"] = self.card.to_json()

    def configure_model(self) -> None:
        """Build the model, where it depends on the data."""
        if self.model is None:
            spec = input_spec(self.card)
            if spec is None:
                raise NightsiftError(
                    f"model {self.card.architecture} needs measured numbers: data.measured=true"
                )
            arguments = arguments_from_data(
                self.card.architecture,
                features=len(spec.columns) - spec.gaps,
                causes=list(self.card.causes),
            )
            named = self.card.causes if "causes" in arguments else []
            arguments = {**self.card.model_args, **arguments}
            self.card = dataclasses.replace(self.card, model_args=arguments, causes=named)
            self.hparams["card"] = self.card.to_json()
            self.model = build_model(self.card).to(self.device)

    @property
    def _uses_inputs(self) -> bool:
        """Whether the model looks at measured numbers, also before it is built."""
        kind = ARCHITECTURES.find(self.card.architecture) if self.model is None else self.model
        return bool(getattr(kind, "uses_inputs", False))

    def _check_input(self, facts: Mapping[str, Any]) -> None:
        for name in _INPUT_FACTS:
            if name in facts and facts[name] != getattr(self.card, name):
                raise NightsiftError(
                    f"these weights were made for another {name}: module.data_for([..folders]) "
                    "gives them what they expect"
                )

    def data_for(self, seq_dirs: Sequence[str | Path], **arguments: Any) -> NightsDataModule:
        """The data module of some nights with the input that these weights were made for.

        Args:
            seq_dirs: night folders, or folders of night folders.
            arguments: others of `NightsDataModule`.
        """
        card = self.card
        return NightsDataModule(
            seq_dirs,
            transform=build_transform(card.transform),
            img_size=card.img_size,
            window=card.window,
            measured=input_spec(card) or False,
            causes=card.causes,
            **arguments,
        )

    def configure_optimizers(self) -> Any:
        """The optimizer and, stepped by Lightning after each epoch, the scheduler."""
        optimizer = self._optimizer(self.parameters())
        if self._scheduler is None:
            return optimizer
        scheduler = self._scheduler(optimizer)
        stepped: dict[str, Any] = {"scheduler": scheduler, "monitor": "val/loss"}
        if isinstance(scheduler, ReduceLROnPlateau):
            # Only a new loss tells anything; without validation there is none.
            stepped |= {"frequency": self._epochs_per_validation, "strict": False}
        return {"optimizer": optimizer, "lr_scheduler": stepped}

    @property
    def _epochs_per_validation(self) -> int:
        return 1 if self._trainer is None else self._trainer.check_val_every_n_epoch or 1

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
        prob = scores.fused(card.fusion, temperature=card.temperature, shift=card.logit_shift)
        return prob, card.threshold

    @property
    def calibrated_card(self) -> ModelCard:
        """The card with what calibration has found so far."""
        return dataclasses.replace(self.card, **self.calibration)

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
        frame = probabilities(logits.frame, card.temperature, card.logit_shift)
        seq = np.full(len(frame), np.nan)
        if len(logits.seq):
            seq = probabilities(logits.seq, card.temperature, card.logit_shift)
        fused = fuse(frame, seq, **card.fusion)
        return pd.DataFrame(
            {
                "file": list(night.files) or [""] * len(frame),
                "prob_bad": fused,
                "pred": is_bad(fused, card.threshold).astype(int),
                "prob_frame": frame,
                "prob_seq": seq,
            }
        )

    def on_train_epoch_start(self) -> None:
        """A new epoch: the last one's validation loss has been used."""
        self._pending_plateau = None

    def on_train_epoch_end(self) -> None:
        """Remember what a plateau scheduler will be stepped with.

        Lightning steps it after the checkpoint of the epoch is written and leaves that step out
        when it resumes; `on_train_start` makes up for it.
        """
        value = self.trainer.callback_metrics.get("val/loss")
        if value is not None and (self.current_epoch + 1) % self._epochs_per_validation == 0:
            self._pending_plateau = float(value)

    def on_train_start(self) -> None:
        """Take the step of a plateau scheduler that a checkpoint was written before."""
        if self._pending_plateau is None:
            return
        for scheduler in self._schedulers():
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(self._pending_plateau)

    def _schedulers(self) -> Iterator[Any]:
        found: Any = self.lr_schedulers()
        yield from found if isinstance(found, list) else [found] if found else []

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what calibration found, and the step that a plateau scheduler still lacks."""
        checkpoint[CALIBRATION_KEY] = dict(self.calibration)
        checkpoint["nightsift_pending_plateau"] = self._pending_plateau

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take both back."""
        self.calibration = dict(checkpoint.get(CALIBRATION_KEY, {}))
        self._pending_plateau = checkpoint.get("nightsift_pending_plateau")


def _is_arguments(loss: object) -> bool:
    return loss is None or isinstance(loss, Mapping)
