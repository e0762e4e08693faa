"""The part of the LightningModule that makes and steps optimizer and scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytorch_lightning as pl
from torch.optim.lr_scheduler import ReduceLROnPlateau

from nightsift.training.recipes import (
    DEFAULT_OPTIMIZER,
    MakeOptimizer,
    MakeScheduler,
    as_recipe,
    make_optimizer,
    make_scheduler,
)

_PENDING_KEY = "nightsift_pending_plateau"


class OptimizerHooks(pl.LightningModule):
    """Makes what recipes describe; a resumed plateau scheduler loses no step.

    Attributes:
        recipes: of `optimizer` and `scheduler`, as JSON primitives; None for what has none.
    """

    recipes: dict[str, dict[str, Any] | None]
    _pending_plateau: float | None = None

    def take_recipes(
        self,
        optimizer: MakeOptimizer | Mapping[str, Any] | None,
        scheduler: MakeScheduler | Mapping[str, Any] | None,
    ) -> None:
        """Keep what makes them; arguments as those of `JointModule`."""
        optimizer = DEFAULT_OPTIMIZER if optimizer is None else optimizer
        self.recipes = {"optimizer": as_recipe(optimizer), "scheduler": as_recipe(scheduler)}
        self._optimizer = make_optimizer(optimizer)
        self._scheduler = None if scheduler is None else make_scheduler(scheduler)

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
        """Add the step that a plateau scheduler still lacks."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[_PENDING_KEY] = self._pending_plateau

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it back."""
        super().on_load_checkpoint(checkpoint)
        self._pending_plateau = checkpoint.get(_PENDING_KEY)
