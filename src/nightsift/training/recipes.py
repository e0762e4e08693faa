"""Optimizers and schedulers as names and numbers, so that a checkpoint can tell what made it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nightsift.errors import NightsiftError

MakeOptimizer = Callable[..., Optimizer]
MakeScheduler = Callable[[Optimizer], LRScheduler]

DEFAULT_OPTIMIZER = {"name": "Adam", "lr": 1e-3, "weight_decay": 1e-4}


def as_recipe(make: object) -> dict[str, Any] | None:
    """Name and arguments of a partial of a class of `torch.optim`; None for anything else.

    What has none is not written into checkpoints: `load_from_checkpoint` needs it as argument.
    """
    if isinstance(make, Mapping):
        return dict(make)
    if not isinstance(make, functools.partial) or make.args or not isinstance(make.func, type):
        return None
    if not make.func.__module__.startswith("torch.optim"):
        return None
    return {"name": make.func.__name__, **make.keywords}


def make_optimizer(recipe: Mapping[str, Any] | MakeOptimizer) -> MakeOptimizer:
    """What is called with the parameters.

    Raises:
        NightsiftError: a name that is no optimizer of `torch.optim`.
    """
    made: MakeOptimizer = _resolved(recipe, torch.optim, Optimizer)
    return made


def make_scheduler(recipe: Mapping[str, Any] | MakeScheduler) -> MakeScheduler:
    """What is called with the optimizer.

    Raises:
        NightsiftError: a name that is no scheduler of `torch.optim.lr_scheduler`.
    """
    made: MakeScheduler = _resolved(recipe, torch.optim.lr_scheduler, LRScheduler)
    return made


def _resolved(recipe: Any, room: Any, kind: type) -> Any:
    if not isinstance(recipe, Mapping):
        return recipe
    arguments = dict(recipe)
    name = str(arguments.pop("name", ""))
    found = getattr(room, name, None)
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise NightsiftError(f"{name!r} is no {kind.__name__} of {room.__name__}")
    return functools.partial(found, **arguments)
