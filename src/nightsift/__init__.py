"""nightsift: tells good from bad telescope frames, how sure it is, and why.

The names below are imported when they are first used: torch takes seconds.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightsift.api import Judged, judge, undo
    from nightsift.data.datamodule import NightsDataModule
    from nightsift.data.split import SplitSpec
    from nightsift.errors import NightsiftError
    from nightsift.heuristics.score import RobustScore, judge_features
    from nightsift.heuristics.table import measure_night
    from nightsift.models.weights import load_weights
    from nightsift.night.night import Night, NightSet
    from nightsift.simulate.one_night import simulate_night
    from nightsift.tasks.review import open_review
    from nightsift.training.callbacks import ThresholdCalibration, WeightsExport
    from nightsift.training.losses import JointLoss
    from nightsift.training.module import JointModule

__all__ = [
    "JointLoss",
    "JointModule",
    "Judged",
    "Night",
    "NightSet",
    "NightsDataModule",
    "NightsiftError",
    "RobustScore",
    "SplitSpec",
    "ThresholdCalibration",
    "WeightsExport",
    "__version__",
    "judge",
    "judge_features",
    "load_weights",
    "measure_night",
    "open_review",
    "simulate_night",
    "undo",
]

_HOMES = {
    "JointLoss": "training.losses",
    "JointModule": "training.module",
    "Judged": "api",
    "Night": "night.night",
    "NightSet": "night.night",
    "NightsDataModule": "data.datamodule",
    "NightsiftError": "errors",
    "RobustScore": "heuristics.score",
    "SplitSpec": "data.split",
    "ThresholdCalibration": "training.callbacks",
    "WeightsExport": "training.callbacks",
    "judge": "api",
    "judge_features": "heuristics.score",
    "load_weights": "models.weights",
    "measure_night": "heuristics.table",
    "open_review": "tasks.review",
    "simulate_night": "simulate.one_night",
    "undo": "api",
}

try:
    __version__ = version("nightsift")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"nightsift.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
