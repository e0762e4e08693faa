"""Pixels to network input: one file per way of doing it.

A transform is a small object with its arguments in `spec()` (they name the cache and stand on the
card of the weights), and a call `(H, W) -> (S, S)` or `(C, S, S)` float32. The same pixels always
give the same tensor. A file of this room adds its class to `TRANSFORMS`; one of another package
does the same when it is imported (`plugins=[package]`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nightsift.errors import NightsiftError
from nightsift.registry import Registry

Pixels = npt.NDArray[Any]


class Transform(Protocol):
    """What the cache and the model card need of a transform.

    One that also has `render(prepared, img_size)` gets `nightsift.look.prepare.Prepared` pixels,
    which measuring a frame begins with too.
    """

    def spec(self) -> dict[str, Any]:
        """`{"name": ..., **arguments}`, JSON primitives; the name is that in `TRANSFORMS`."""
        ...

    def __call__(self, pixels: Pixels, img_size: int) -> npt.NDArray[np.float32]:
        """Map (H, W) pixels to (img_size, img_size) or (C, img_size, img_size) float32."""
        ...


TRANSFORMS: Registry[type[Transform]] = Registry("transform", __name__)


def build_transform(spec: Mapping[str, Any]) -> Transform:
    """Build a transform from its `spec()`.

    Raises:
        NightsiftError: unknown name, or arguments that it does not take.
    """
    arguments = dict(spec)
    name = str(arguments.pop("name", ""))
    kind = TRANSFORMS.find(name)
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise NightsiftError(f"transform {name}: {error}") from error
