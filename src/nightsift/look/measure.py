"""Ways to measure one frame: all features of the room, or somebody else's few."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from nightsift.errors import NightsiftError
from nightsift.look.features import FEATURES, Feature
from nightsift.look.lines import Cells, line_cells
from nightsift.look.prepare import Prepared, prepare
from nightsift.look.reduction import Pixels
from nightsift.look.scene import NO_STARS, Scene, StarList, make_scene

# To be raised when preparing, finding or matching stars changes what the features are made of.
VERSION = 5


class Measurements(NamedTuple):
    """What was measured on one frame.

    Attributes:
        features: by name, NaN where there is nothing to measure them on.
        stars: for matching with other frames.
        lines: (GRID, GRID) of `nightsift.look.lines.line_cells`; None where not made.
    """

    features: Mapping[str, float]
    stars: StarList = NO_STARS
    lines: Cells | None = None


class Decoded:
    """Pixels of one frame; what several users of them need is made once.

    Args:
        pixels: (H, W), any real type, finite.
    """

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels

    @cached_property
    def prepared(self) -> Prepared:
        """Pixels fit to be measured, reduced, with their sky."""
        return prepare(self.pixels)

    @cached_property
    def scene(self) -> Scene:
        """The frame with its stars."""
        return make_scene(self.prepared)


class Measure(Protocol):
    """A way to measure frames; other processes get it pickled."""

    @property
    def compared(self) -> bool:
        """Whether it finds the stars and features that frames of a night are compared by."""
        ...

    @property
    def key(self) -> str:
        """Changes whenever the values change: kept measurements are then made again."""
        ...

    def __call__(self, frame: Decoded) -> Measurements:
        """Measure one frame; always the same names."""
        ...


def _known_features() -> tuple[tuple[str, Feature], ...]:
    # By name: what is kept of a frame must not depend on which package was imported first.
    return tuple(sorted(FEATURES.items()))


@dataclass(frozen=True)
class AllFeatures:
    """Everything that the features of `nightsift.look.features` and of plug-ins measure."""

    features: tuple[tuple[str, Feature], ...] = field(default_factory=_known_features)
    compared: bool = True

    @property
    def key(self) -> str:
        """Name and version of each feature, as a digest."""
        names = [f"{name} {feature.version}" for name, feature in self.features]
        return f"features-{hashlib.sha256(f'{VERSION} {names}'.encode()).hexdigest()[:12]}"

    def __call__(self, frame: Decoded) -> Measurements:
        """Measure one frame.

        Raises:
            NightsiftError: two features give the same name.
        """
        scene = frame.scene
        values: dict[str, float] = {}
        for kind, feature in self.features:
            own = feature.measure(scene)
            if taken := values.keys() & own.keys():
                raise NightsiftError(
                    f"feature {kind!r}: {min(taken)!r} is measured already: choose another name"
                )
            values |= own
        return Measurements(values, scene.star_list, line_cells(scene))
