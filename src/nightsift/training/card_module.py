"""The part of the LightningModule that knows what its model is, and what it is fed with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import nn

from nightsift.data.datamodule import NightsDataModule
from nightsift.errors import NightsiftError
from nightsift.look.transforms import build_transform
from nightsift.models.architectures import ARCHITECTURES, arguments_from_data
from nightsift.models.card import ModelCard
from nightsift.models.weights import CALIBRATION_KEY, build_model
from nightsift.training.card import input_spec
from nightsift.training.versions import versions

# What a model is fed with: it must not change once there are weights.
_INPUT_FACTS = ("transform", "img_size", "window", "inputs", "causes")


class CardModule(pl.LightningModule):
    """Holds a model and the card that describes it, in its checkpoints too.

    Attributes:
        model: the bare network; None until the data tell what it depends on.
        card: of the weights, without what calibration finds.
        calibration: entries of the card that calibration has found so far.
    """

    model: Any
    card: ModelCard
    calibration: dict[str, Any]

    def take_card(
        self,
        model: str | nn.Module,
        model_args: Mapping[str, Any] | None,
        fusion: Mapping[str, Any] | None,
        card: ModelCard | Mapping[str, Any] | None,
    ) -> None:
        """Begin with a card that exists or a new one; arguments as those of `JointModule`."""
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
        self.calibration = {}
        self.model = None if isinstance(model, str) else model
        if self.model is None and (self._input_is_fixed or not self._uses_inputs):
            self.model = build_model(card)

    def setup(self, stage: str) -> None:
        """Take over what the data module says of the input, and build what depends on it.

        Once it was trained with a data module it takes no other input.

        Raises:
            NightsiftError: the data module makes another input than the weights were made for.
        """
        datamodule = getattr(self.trainer, "datamodule", None)
        facts = self._facts_that_matter(getattr(datamodule, "card_facts", {}))
        if self._input_is_fixed:
            self._check_input(facts)
        else:
            self.card = dataclasses.replace(self.card, **facts)
        if stage == "fit":
            self._input_is_fixed |= bool(facts)
            split = dict(getattr(datamodule, "split_facts", {}))
            # Nights that the weights were trained on before are seen for ever.
            before = self.card.fingerprints
            split["fingerprints"] = {**before, **split.get("fingerprints", {})}
            self.card = dataclasses.replace(self.card, versions=versions(), **split)
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
                changes=bool(spec.changes),
                anchored=spec.anchored,
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

    def _facts_that_matter(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """What the data module says of the input, without what the model does not look at."""
        out = dict(facts)
        if facts and not self._uses_inputs:
            out["inputs"] = {}
        if facts and self.model is not None and not getattr(self.model, "causes", ()):
            out["causes"] = []
        return out

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

    @property
    def calibrated_card(self) -> ModelCard:
        """The card with what calibration has found so far."""
        return dataclasses.replace(self.card, **self.calibration)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what calibration found."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[CALIBRATION_KEY] = dict(self.calibration)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it back.

        Raises:
            NightsiftError: the model of the checkpoint was given other numbers or causes.
        """
        super().on_load_checkpoint(checkpoint)
        before = checkpoint.get("hyper_parameters", {}).get("card", {})
        for name in ("inputs", "causes"):
            if before.get(name, getattr(self.card, name)) != getattr(self.card, name):
                raise NightsiftError(
                    f"the checkpoint was made with other {name}: "
                    "give the same plugins and data keys as then"
                )
        self.calibration = dict(checkpoint.get(CALIBRATION_KEY, {}))
