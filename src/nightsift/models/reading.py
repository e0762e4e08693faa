"""How logits are read: temperature, share of bad frames, doubt, and the fused probability."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from nightsift.metrics.prior import night_shifts
from nightsift.models.fusion import fuse

if TYPE_CHECKING:
    from nightsift.models.card import ModelCard

Floats = npt.NDArray[np.float64]

# A frame compared with fewer others is judged alone.
LEAST_COMPARED = 5


class Probabilities(NamedTuple):
    """Of *bad*, (N,) each: of the frame head, of the sequence head (NaN without), and fused."""

    frame: Floats
    seq: Floats
    fused: Floats


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """What turns the logits of both heads into probabilities.

    Attributes:
        fusion: arguments of `nightsift.models.fusion.fuse`.
        temperature: every logit is divided by it.
        temperature_alone: further divides those of frames with fewer than `LEAST_COMPARED`
            others to be compared with.
        shift: is added then.
        prior: share of bad frames that the probabilities are then meant for.
        prior_strength: frames that `prior` counts as beside those of a night, whose own share of
            bad frames shifts its logits once more, but for frames judged alone; None for one
            share everywhere.
    """

    fusion: Mapping[str, Any]
    temperature: float = 1.0
    temperature_alone: float = 1.0
    shift: float = 0.0
    prior: float | None = None
    prior_strength: float | None = None

    @classmethod
    def of(cls, card: ModelCard) -> Reading:
        """What the card of weights says."""
        return cls(
            fusion=card.fusion,
            temperature=card.temperature,
            temperature_alone=card.temperature_alone,
            shift=card.logit_shift,
            prior=card.prior,
            prior_strength=card.prior_strength,
        )

    def read(
        self,
        frame: npt.ArrayLike,
        seq: npt.ArrayLike,
        compared: npt.ArrayLike,
        night: npt.ArrayLike,
    ) -> Probabilities:
        """Probabilities of N frames.

        Args:
            frame: (N,) logits of the frame head.
            seq: (N,) logits of the sequence head; NaN without a window.
            compared: (N,) number of frames that each was compared with.
            night: (N,) name or number of each frame's night.
        """
        alone = np.asarray(compared) < LEAST_COMPARED
        scale = self.temperature * np.where(alone, self.temperature_alone, 1.0)
        logits = [np.asarray(part, dtype=np.float64) / scale + self.shift for part in (frame, seq)]
        if self.prior_strength is not None and self.prior is not None:
            prob = fuse(*map(expit, logits), **self.fusion)
            own = night_shifts(prob, night, prior=self.prior, strength=self.prior_strength)
            # Others that a frame was not compared with say nothing of its night.
            logits = [part + np.where(alone, 0.0, own) for part in logits]
        in_frame, in_seq = (np.asarray(expit(part)) for part in logits)
        return Probabilities(in_frame, in_seq, fuse(in_frame, in_seq, **self.fusion))
