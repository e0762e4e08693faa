"""Callbacks: calibrate the threshold of the fused probability, export the weights."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from nightsift.errors import NightsiftError
from nightsift.metrics.calibration import fit_temperature, prior_shift, review_bound
from nightsift.metrics.threshold import Objective, choose_threshold
from nightsift.models.card import ModelCard
from nightsift.models.fusion import fuse
from nightsift.models.reading import LEAST_COMPARED, Reading
from nightsift.models.weights import load_weights, save_weights
from nightsift.training.module import JointModule
from nightsift.training.scores import PartScores

Floats = npt.NDArray[np.float64]

log = logging.getLogger(__name__)


class ThresholdCalibration(pl.Callback):
    """After each validation, tunes how the fused probability is read on its frames.

    First the temperature and the prior, then the threshold, then the bound from which on a
    frame is to be looked at. All of it is set before the checkpoint of the epoch is written
    and so is part of it.

    Args:
        objective: what the threshold is tuned for; None for the best F1.
        temperature: whether to fit one; otherwise it is 1.
        prior: share of bad frames that the probabilities are meant for; None as in training.
        prior_strength: frames that it counts as beside those of a night, whose own share of bad
            frames moves its probabilities; None for one share everywhere.
        max_missed: share of the bad frames that may lie below the range to be looked at;
            None for no such range.
        max_review: share of the good frames that may lie in it or above.
    """

    def __init__(
        self,
        objective: Objective | None = None,
        *,
        temperature: bool = False,
        prior: float | None = None,
        prior_strength: float | None = None,
        max_missed: float | None = None,
        max_review: float = 1.0,
    ) -> None:
        self.objective = objective or Objective()
        self.temperature = temperature
        self.prior = prior
        self.prior_strength = prior_strength
        self.max_missed = max_missed
        self.max_review = max_review

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget what the last epoch's scores gave; the new ones are not complete yet."""
        if isinstance(pl_module, JointModule) and not trainer.sanity_checking:
            pl_module.calibration = {}

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Calibrate on the module's validation scores, before the epoch's checkpoint."""
        if not isinstance(pl_module, JointModule) or trainer.sanity_checking:
            return
        scores = pl_module.validation
        if scores is not None and len(scores.label):
            pl_module.calibration = self.calibrate(pl_module, scores)

    def calibrate(self, module: JointModule, scores: PartScores) -> dict[str, Any]:
        """Temperature, shift, threshold and range to be looked at, as entries of the card."""
        fusion = module.card.fusion
        temperature, alone = self._temperatures(scores, partial(fuse, **fusion))
        shift = 0.0 if self.prior is None else prior_shift(self.prior, _bad_share(module))
        reading = Reading(
            fusion=fusion,
            temperature=temperature,
            temperature_alone=alone,
            shift=shift,
            prior=self.prior,
            prior_strength=self.prior_strength,
        )
        prob = scores.fused(reading)
        choice = choose_threshold(prob, scores.label, self.objective)
        low = None
        if self.max_missed is not None:
            low = review_bound(
                prob,
                scores.label,
                scores.night,
                missed=self.max_missed,
                looked_at=self.max_review,
            )
        return {
            "temperature": temperature,
            "temperature_alone": alone,
            "logit_shift": shift,
            "prior": self.prior,
            "prior_strength": self.prior_strength,
            "threshold": choice.threshold,
            "review_low": None if low is None else min(low, choice.threshold),
            "threshold_choice": dataclasses.asdict(choice),
        }

    def _temperatures(
        self, scores: PartScores, fused: Callable[[Floats, Floats], Floats]
    ) -> tuple[float, float]:
        """Of frames that are compared with others, and the factor for those that are not."""
        if not self.temperature:
            return 1.0, 1.0

        def fitted(own: npt.NDArray[np.bool_]) -> float:
            logits = scores.frame_logit[own], scores.seq_logit[own]
            return fit_temperature(*logits, scores.label[own], fused)

        alone = scores.compared < LEAST_COMPARED
        temperature = fitted(~alone)
        # One that knows less is never to sound surer.
        return temperature, max(fitted(alone) / temperature, 1.0) if alone.any() else 1.0


def _bad_share(module: JointModule) -> float:
    """Share of bad frames among those trained on, of nights where there are any; 0 if unknown."""
    counts = getattr(getattr(module.trainer, "datamodule", None), "class_counts", None)
    if counts is None:
        return 0.0
    good, bad = counts[2:] if counts.seq_bad else counts[:2]
    return float(bad / (bad + good))


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
    """At the end, exports the best checkpoint, or the weights at hand, and reads them back.

    Args:
        path: the plain state_dict, `.pt`; the safetensors file and the card lie beside it.
        onnx: also write `.onnx`, checked against torch (needs the extra `onnx`).
    """

    def __init__(self, path: str = "joint_frame_seq.pt", *, onnx: bool = False) -> None:
        if Path(path).suffix != ".pt":
            raise NightsiftError(f"export.path must end in .pt, got {path}")
        self.path = Path(path)
        self.onnx = onnx

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Export what was best on validation; the last weights where nothing was compared.

        Raises:
            OSError: the files cannot be written or do not read back as they were.
        """
        if not trainer.is_global_zero or getattr(trainer, "fast_dev_run", False):
            return
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        if best:
            loaded = load_weights(best)
            model, card = loaded.model, loaded.card
        elif isinstance(pl_module, JointModule):
            # A copy: the module may be trained further.
            model, card = deepcopy(pl_module.model).cpu().eval(), pl_module.calibrated_card
        else:
            return
        for path in save_weights(self.path, model, card)[:2]:
            _check_read_back(path, model, card)
        if self.onnx:
            from nightsift.models.onnx import export_onnx

            export_onnx(model, card, self.path.with_suffix(".onnx"))
        log.info("weights of %s exported to %s", best or "the last epoch", self.path)


def _check_read_back(path: Path, model: torch.nn.Module, card: ModelCard) -> None:
    again = load_weights(path)
    state = again.model.state_dict()
    same = all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    if not same or again.card != card:
        raise OSError(f"{path} does not read back as it was written")
