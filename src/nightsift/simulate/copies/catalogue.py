"""The table of copies: what they are called, and what they do to each frame of a night.

A module of this room adds a kind by the decorator `copy_kind` of the function that makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from nightsift.registry import Registry
from nightsift.simulate.effect import Effect


@dataclass(frozen=True, kw_only=True)
class GivenNight:
    """What a copy must know of the night that it is made of.

    Attributes:
        frames: how many.
        shape: (H, W) px.
        fwhm_px: of its stars, the median over the night.
    """

    frames: int
    shape: tuple[int, int]
    fwhm_px: float

    def phase(self, frame: int) -> float:
        """Of the night that is over at `frame`: 0 at the first, 1 at the last."""
        return frame / max(1, self.frames - 1)


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one frame; the default changes nothing.

    Attributes:
        turn_deg: by which the stars turn about `centre`; the detector stays.
        centre: (x, y) of the rotation in units of the frame's width and height.
        shift_px: (dx, dy) whole px by which they move after that.
        effect: on the light.
        crop_px: cut off at each edge afterwards.
        facts: numbers for the truth, units in their names.
    """

    turn_deg: float = 0.0
    centre: tuple[float, float] = (0.5, 0.5)
    shift_px: tuple[int, int] = (0, 0)
    effect: Effect = field(default_factory=Effect)
    crop_px: int = 0
    facts: dict[str, float] = field(default_factory=dict)


ChangeOf = Callable[[int], Change]
MakeCopy = Callable[[GivenNight, np.random.Generator], ChangeOf]
# A kind takes a night and a generator, the same for all its frames, and gives the function
# from a frame's number to what happens to it.
COPIES: Registry[MakeCopy] = Registry("copy", room="nightsift.simulate.copies")


def copy_kind(name: str) -> Callable[[MakeCopy], MakeCopy]:
    """Add the function below as a copy called `name`; a function of a module, as processes do."""
    return lambda make: COPIES.add(name, make)
