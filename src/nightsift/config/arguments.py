"""What a constructor takes, in terms of a configuration: names, types and defaults.

A type that YAML cannot hold as it is becomes the nearest one that it can: a path a string, a
tuple a list, a literal the type of its values. What is made by a `_target_` of its own (a
protocol, a class, a callable) may be anything.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import importlib
import inspect
import operator
import os
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

_PRIMITIVES = (bool, int, float, str)
_PATHS = (Path, os.PathLike)
_SEQUENCES = (
    list,
    tuple,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Collection,
    collections.abc.Iterable,
    collections.abc.Set,
)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Argument(NamedTuple):
    """One argument of a constructor.

    Attributes:
        kind: type that OmegaConf checks.
        default: MISSING where there is none, or none that YAML can hold.
        required: whether the constructor has no default.
    """

    kind: Any
    default: Any
    required: bool


class Arguments(NamedTuple):
    """What the constructor called `name` takes; `open` if also what is not named here."""

    name: str
    named: dict[str, Argument]
    open: bool


def locate(path: str) -> Any:
    """The class or function at a dotted path.

    Raises:
        ImportError: there is no such module, or it cannot be imported.
        AttributeError: nothing in it has that name.
    """
    place, _, name = path.rpartition(".")
    if not place:
        raise ImportError(f"expected a dotted path, got {path!r}")
    try:
        parent = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if "." not in place or error.name != place:
            raise
        parent = locate(place)  # a class, of which a method is named
    return getattr(parent, name)


@functools.cache
def arguments_of(path: str) -> Arguments:
    """What the class or function at a dotted path takes.

    `**` in a constructor stands for the arguments of the class that it inherits from; where
    that names none, everything is taken.

    Raises:
        ImportError: there is no such module, or it cannot be imported.
        AttributeError: nothing in it has that name.
    """
    target = locate(path)
    name = str(getattr(target, "__name__", path))
    named: dict[str, Argument] = {}
    for depth, function in enumerate(_constructors(target)):
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # not written in Python
            break
        if inspect.isclass(target) and function is not target:
            parameters = parameters[1:]  # self
        taken = [p for p in parameters if p.kind in _NAMED]
        for parameter in taken:
            argument = _argument(parameter, function, target)
            if depth:  # the constructor may pass it itself: only what is asked for is passed on
                argument = argument._replace(default=MISSING, required=False)
            named.setdefault(parameter.name, argument)
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            return Arguments(name, named, depth > 0 and not taken)
    return Arguments(name, named, True)


def _constructors(target: Any) -> list[Any]:
    """The constructor of a class and those that it inherits; a function is its own."""
    if not inspect.isclass(target):
        return [target]
    own = [vars(cls)["__init__"] for cls in target.__mro__[:-1] if "__init__" in vars(cls)]
    return own or [target]


def _argument(parameter: inspect.Parameter, function: Any, target: Any) -> Argument:
    value = parameter.default
    if dataclasses.is_dataclass(target):
        made = {field.name: field.default_factory for field in dataclasses.fields(target)}
        factory = made.get(parameter.name, dataclasses.MISSING)
        value = value if factory is dataclasses.MISSING else factory()
    if value is inspect.Parameter.empty:
        return Argument(plain_type(_annotation(parameter, function)), MISSING, True)
    kind, value = plain_type(_annotation(parameter, function)), plain_value(value)
    kind = kind | None if value is None and kind is not Any else kind
    return Argument(kind if _holds(kind, value) else Any, value, False)


def _annotation(parameter: inspect.Parameter, function: Any) -> Any:
    """The annotation of a parameter; Any where there is none, or one for type checkers alone."""
    if parameter.annotation is inspect.Parameter.empty:
        return Any
    noted = types.SimpleNamespace(__annotations__={"hint": parameter.annotation})
    names = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return typing.get_type_hints(noted, globalns=names)["hint"]
    except Exception:  # whatever an unresolvable string raises when it is evaluated
        return Any


def plain_type(hint: Any) -> Any:
    """The type that OmegaConf is to check for the annotation `hint`; Any for none."""
    origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin in (*_PRIMITIVES, types.NoneType) or (
        inspect.isclass(origin) and issubclass(origin, Enum)
    ):
        return origin
    if origin in _PATHS:
        return str
    if origin is typing.Annotated:
        return plain_type(inner[0])
    if origin is typing.Literal:
        return _either({type(value) for value in inner})
    if origin in (typing.Union, types.UnionType):
        return _either({plain_type(kind) for kind in inner})
    if origin in _SEQUENCES:
        kinds = {plain_type(kind) for kind in inner if kind is not Ellipsis}
        return types.GenericAlias(list, (kinds.pop() if len(kinds) == 1 else Any,))
    if origin in _MAPPINGS:
        key, kind = inner or (str, Any)
        held = types.GenericAlias(dict, (key, plain_type(kind)))
        return held if key in (str, int) else Any
    return Any


def _either(kinds: set[Any]) -> Any:
    """Any of several types; what only a `_target_` makes is no part of it."""
    optional = type(None) in kinds
    kinds = kinds - {type(None), Any}
    if not kinds or (len(kinds) > 1 and any(typing.get_origin(kind) for kind in kinds)):
        return Any
    kind = functools.reduce(operator.or_, sorted(kinds, key=str))
    return kind | None if optional else kind


def plain_value(value: Any) -> Any:
    """A default as YAML holds it; MISSING for what it cannot hold."""
    if value is None or isinstance(value, (*_PRIMITIVES, Enum)):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [plain_value(item) for item in value]
        return MISSING if MISSING in items else items
    if isinstance(value, collections.abc.Mapping):
        pairs = {key: plain_value(item) for key, item in value.items()}
        return MISSING if MISSING in pairs.values() else pairs
    return MISSING


def _holds(kind: Any, value: Any) -> bool:
    """Whether OmegaConf takes `value` for a key of the type `kind`."""
    field = dataclasses.field(default_factory=lambda: value)
    try:
        OmegaConf.structured(dataclasses.make_dataclass("Trial", [("key", kind, field)]))
    except (OmegaConfBaseException, TypeError, ValueError):
        return False
    return True
