"""The table of models: each file of this room adds one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from nightsift.errors import NightsiftError
from nightsift.models.contract import JointModel, check_architecture, check_model
from nightsift.registry import Registry

# What a card may name; nothing else from a file chooses what is built.
ARCHITECTURES: Registry[type[JointModel]] = Registry("model", __name__)


def build_architecture(name: str, arguments: Mapping[str, Any]) -> JointModel:
    """Build the model called `name` with fresh weights.

    Args:
        name: an entry of `ARCHITECTURES`.
        arguments: of its constructor.

    Raises:
        NightsiftError: an unknown name, arguments that it does not take, or a class that does
            not keep to `JointModel`.
    """
    architecture = ARCHITECTURES.find(name)
    check_architecture(name, architecture)
    try:
        model = architecture(**arguments)
    except (TypeError, ValueError, OverflowError, MemoryError, RuntimeError) as error:
        # torch reports sizes that are negative or beyond memory as RuntimeError.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise NightsiftError(f"model {name} does not take these arguments: {reason}") from error
    check_model(name, model)
    return model


def arguments_from_data(
    name: str,
    *,
    features: int,
    causes: Sequence[str],
    changes: bool = False,
    anchored: bool = False,
) -> dict[str, Any]:
    """The constructor arguments of a model that the data decide, where it has them.

    Args:
        name: an entry of `ARCHITECTURES`.
        features: measured numbers per frame, without the gaps in time.
        causes: names that labels give causes.
        changes: whether frames come as the planes of `nightsift.night.changes`.
        anchored: whether the first number is all severities of the rules taken together.
    """
    asked = inspect.signature(ARCHITECTURES.find(name)).parameters
    known = {"features": features, "causes": list(causes), "changes": changes, "anchored": anchored}
    return {key: value for key, value in known.items() if key in asked}
