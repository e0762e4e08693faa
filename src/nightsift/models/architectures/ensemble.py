"""Several models as one: their probabilities are averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from nightsift.models.architectures import ARCHITECTURES, build_architecture
from nightsift.models.contract import JointModel


class Reading(NamedTuple):
    """How the logits of *bad* of a member become probabilities: sigmoid(logit / T + shift)."""

    temperature: float
    shift: float


class Ensemble(JointModel):
    """Members over the same frames and inputs; its logits are those of their mean probability.

    Each head's probability of each member is taken with that member's own temperature and shift
    before the mean (deep ensembles, Lakshminarayanan et al. 2017, arXiv:1612.01474), so that the
    ensemble itself is read with temperature 1 and shift 0. Causes have neither. A frame's
    embedding is the members' side by side: it is read and encoded once, like that of any model.

    Args:
        members: one or more of `{"architecture": ..., "model_args": {...}, "temperature": ...,
            "logit_shift": ...}`, as on a model card; the last two may be left out.
    """

    def __init__(self, *, members: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        if not members or not all(isinstance(member, Mapping) for member in members):
            raise ValueError("members must be a list of one or more models")
        built = [
            build_architecture(str(member.get("architecture")), member.get("model_args", {}))
            for member in members
        ]
        first = built[0]
        for model in built:
            if (model.planes, model.causes) != (first.planes, first.causes):
                raise ValueError("members must take the same frames and name the same causes")
        self.members = nn.ModuleList(built)
        self.readings = [
            Reading(float(member.get("temperature", 1.0)), float(member.get("logit_shift", 0.0)))
            for member in members
        ]
        if not all(0 < t < math.inf and math.isfinite(shift) for t, shift in self.readings):
            raise ValueError("members' temperature must be > 0, their logit_shift finite")
        self.planes, self.transform, self.causes = first.planes, first.transform, first.causes
        self.n_inputs = max(model.n_inputs for model in built)
        if not {model.n_inputs for model in built} <= {0, self.n_inputs}:
            raise ValueError("members must take the same number of inputs")
        self.uses_inputs = self.n_inputs > 0
        self.embedding_width = sum(model.embedding_width for model in built)

    def encode(self, frames: Tensor, inputs: Tensor) -> Tensor:
        """The members' embeddings side by side, (B, sum of E); arguments as of theirs."""
        return torch.cat([model.encode(frames, inputs) for model in self._models], dim=1)

    def classify_frames(self, embedding: Tensor) -> Tensor:
        """Logits of the mean probability of *bad*, (B,)."""
        parts = self._parts(embedding)
        logits = [m.classify_frames(part) for m, part in zip(self._models, parts, strict=True)]
        return _logit_of_mean(self._read(logits))

    def classify_windows(self, embedding: Tensor, windows: Tensor) -> Tensor:
        """Logits of the mean probability at every step, (W, T), of windows, (W, T)."""
        parts = self._parts(embedding)
        logits = [
            m.classify_windows(part, windows) for m, part in zip(self._models, parts, strict=True)
        ]
        return _logit_of_mean(self._read(logits))

    def classify_causes(self, embedding: Tensor) -> Tensor:
        """Logits of the mean probability of each cause, (B, C)."""
        parts = self._parts(embedding)
        logits = [m.classify_causes(part) for m, part in zip(self._models, parts, strict=True)]
        return _logit_of_mean(logits)

    @property
    def _models(self) -> list[JointModel]:
        return [model for model in self.members if isinstance(model, JointModel)]

    def _parts(self, embedding: Tensor) -> tuple[Tensor, ...]:
        return torch.split(embedding, [model.embedding_width for model in self._models], dim=1)

    def _read(self, logits: list[Tensor]) -> list[Tensor]:
        return [
            logit / reading.temperature + reading.shift
            for logit, reading in zip(logits, self.readings, strict=True)
        ]


def _logit_of_mean(logits: list[Tensor]) -> Tensor:
    """log(mean p / mean (1 - p)) of p = sigmoid(logits), without rounding p to 0 or 1."""
    stacked = torch.stack(logits)
    # log p = -softplus(-logit); torch's logsigmoid would be taken apart into log and sigmoid by
    # the export to ONNX, and lose what is far from 0.
    bad, good = -softplus(-stacked), -softplus(stacked)
    return torch.logsumexp(bad, dim=0) - torch.logsumexp(good, dim=0)


ARCHITECTURES.add("Ensemble", Ensemble)
