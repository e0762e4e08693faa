"""What is measured on one frame alone, one file per kind of feature.

A file of this room adds its `Feature` to `FEATURES`; one of another package does the same when
it is imported (`plugins=[package]`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from nightsift.look.scene import Scene
from nightsift.registry import Registry


class Feature(NamedTuple):
    """A kind of feature.

    Attributes:
        measure: maps a scene to values by name, always the same names; NaN where there is
            nothing to measure it on. A function of a module, so that other processes find it.
        version: to be raised whenever the values change: kept measurements are made again.
    """

    measure: Callable[[Scene], dict[str, float]]
    version: int = 1


FEATURES: Registry[Feature] = Registry("feature", "nightsift.look.features")
