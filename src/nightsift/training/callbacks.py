"""Callbacks: calibrate the threshold of the fused probability, export the weights."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from nightsift.errors import NightsiftError
from nightsift.metrics.threshold import Objective, choose_threshold
from nightsift.models.weights import load_weights, save_weights
from nightsift.training.module import JointModule

log = logging.getLogger(__name__)

CHOICE_KEY = "threshold_choice"


class ThresholdCalibration(pl.Callback):
    """After each validation, tunes the threshold of the fused probability on its frames.

    The threshold is set before the checkpoint of the epoch is written and so is part of it;
    the choice (objective, value reached, frames counted) goes beside it.

    Args:
        objective: what the threshold is tuned for.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.choice: dict[str, Any] = {}

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Choose the threshold from the module's validation scores."""
        if not isinstance(pl_module, JointModule) or pl_module.validation is None:
            return
        scores = pl_module.validation
        choice = choose_threshold(scores.prob_bad, scores.label, self.objective)
        pl_module.threshold.fill_(choice.threshold)
        self.choice = dataclasses.asdict(choice)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write the choice into the checkpoint."""
        checkpoint[CHOICE_KEY] = dict(self.choice)


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best epoch of the later part, also when a run is resumed in another folder.

    Lightning forgets the best score when the folder changes, so that the first epoch after
    resuming would replace a better one. Here the best checkpoint comes along.

    Args:
        first_share: epochs before this share of `max_epochs` do not compete, 0-1: while the
            learning rate is high, a good score on a few validation nights is mostly luck.
        arguments: of Lightning's ModelCheckpoint.
    """

    def __init__(self, *, first_share: float = 0.0, **arguments: Any) -> None:
        if not 0 <= first_share <= 1:
            raise ValueError(f"callbacks.best.first_share must lie in 0-1, got {first_share}")
        super().__init__(save_on_train_epoch_end=False, **arguments)
        self.first_share = first_share

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare this epoch with the best one so far, once epochs compete."""
        if trainer.current_epoch >= int(self.first_share * (trainer.max_epochs or 0)):
            super().on_validation_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best score, and a copy of its checkpoint."""
        best = Path(state_dict["best_model_path"])
        if self.dirpath is not None and best.is_file():
            here = Path(self.dirpath) / best.name
            if best != here:
                here.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(best, here)
            moved = {str(best): str(here)}
            models = state_dict["best_k_models"]
            state_dict = {
                **state_dict,
                "dirpath": self.dirpath,
                "best_model_path": str(here),
                "kth_best_model_path": str(here),
                "best_k_models": {moved.get(path, path): score for path, score in models.items()},
            }
        super().load_state_dict(state_dict)


class WeightsExport(pl.Callback):
    """At the end, exports the best checkpoint and reads the export back.

    Args:
        path: the plain state_dict, `.pt`; the safetensors file and the card lie beside it.
    """

    def __init__(self, path: str) -> None:
        if Path(path).suffix != ".pt":
            raise NightsiftError(f"export.path must end in .pt, got {path}")
        self.path = Path(path)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Export what was best on validation.

        Raises:
            NightsiftError: there is no checkpoint to export.
            OSError: the files cannot be written or do not read back as they were.
        """
        callback = trainer.checkpoint_callback
        best = getattr(callback, "best_model_path", "")
        if not best:
            raise NightsiftError("no best checkpoint to export: did validation run?")
        loaded = load_weights(best)
        paths = save_weights(self.path, loaded.model, loaded.card)
        for path in paths[:2]:
            again = load_weights(path)
            same = all(
                torch.equal(value, again.model.state_dict()[key])
                for key, value in loaded.model.state_dict().items()
            )
            if not same or again.card != loaded.card:
                raise OSError(f"{path} does not read back as it was written")
        log.info("weights of %s exported to %s", best, self.path)
