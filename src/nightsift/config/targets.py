"""Gives every node with a `_target_` the types and defaults of the constructor that it names."""

from __future__ import annotations

import copy
import dataclasses
import difflib
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from nightsift.config.arguments import Arguments, arguments_of
from nightsift.errors import NightsiftError

# Keys of a node that `instantiate` itself reads.
_HYDRA = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")
# Arguments of models that training fills in, because the data decide them.
DECIDED_BY_DATA = frozenset({"features", "causes"})


class Origin(NamedTuple):
    """Where the schema of a node comes from.

    Attributes:
        target: dotted path of the constructor.
        arguments: that it takes.
        asked: keys that the configuration gives as `???`: somebody has to fill them in.
    """

    target: str
    arguments: Arguments
    asked: frozenset[str]


class Typed:
    """Base of the schemas that are made here; the name keeps clear of any argument's."""

    _origin_: ClassVar[Origin]


def type_targets(cfg: DictConfig | ListConfig, *, place: str = "") -> None:
    """Check every node with a `_target_` below `cfg` against its constructor, and complete it.

    Such a node takes the arguments of its constructor, each with its type, and their defaults
    where nothing else is given; so it shows every value in use, and refuses what does not fit
    also later, when the command line is read. Nodes that have been completed are left alone.

    Args:
        cfg: changed in place; its own `_target_` is not looked at.
        place: dotted key of `cfg`, for messages.

    Raises:
        NightsiftError: no such constructor, no such argument, or a value of another type.
    """
    for key, node in _below(cfg):
        if not place and key == "hydra":
            continue
        where = f"{place}.{key}" if place else str(key)
        type_targets(node, place=where)
        target, schema = _target(node), _schema_of(node)
        if isinstance(node, DictConfig) and target is not None:
            arguments = _arguments(str(target), where)
            _refuse_unknown(node, arguments, where)
            if schema is None or schema._origin_.target != target:
                cfg[key] = _completed(node, arguments, where)


def drop_unset(cfg: DictConfig) -> None:
    """Remove arguments that got no value and that nobody asked for: the constructor has one."""
    for _, node, schema in list(_typed_nodes(cfg)):
        with flag_override(node, ["struct", "readonly"], False):
            for key in [str(key) for key in node if OmegaConf.is_missing(node, key)]:
                if key not in schema._origin_.asked:
                    del node[key]


def missing_arguments(cfg: DictConfig) -> list[str]:
    """Dotted keys of the arguments that a constructor needs and that are not there."""
    return [
        f"{where}.{key}"
        for where, node, schema in _typed_nodes(cfg)
        if not node.get("_partial_", False)
        for key, argument in schema._origin_.arguments.named.items()
        if argument.required and key not in node and key not in DECIDED_BY_DATA
    ]


def _refuse_unknown(node: DictConfig, arguments: Arguments, where: str) -> None:
    known = {*arguments.named, *_HYDRA}
    for key in [] if arguments.open else sorted({str(key) for key in node} - known):
        close = difflib.get_close_matches(key, arguments.named, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise NightsiftError(f"{where}.{key}: {arguments.name} takes no {key!r}{hint}")


def _completed(node: DictConfig, arguments: Arguments, where: str) -> DictConfig:
    typed: DictConfig = OmegaConf.structured(_schema(node, arguments))
    if arguments.open:
        OmegaConf.set_struct(typed, False)
    try:
        typed.merge_with(node)
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise NightsiftError(f"{where}.{error.full_key}: {reason}") from error
    for _, child in _below(typed):
        if isinstance(child, DictConfig) and not _holds_target(child):
            OmegaConf.set_struct(child, False)  # the constructor knows which names it takes
    return typed


def _arguments(target: str, where: str) -> Arguments:
    try:
        return arguments_of(target)
    except (ImportError, AttributeError) as error:
        raise NightsiftError(f"{where}._target_: cannot find {target} ({error})") from error


def _schema(node: DictConfig, arguments: Arguments) -> type[Typed]:
    """The dataclass of one node; an argument that is made by a `_target_` may be anything."""
    target = str(node["_target_"])
    made = {key for key, child in _below(node) if _holds_target(child)}
    # Nothing of OmegaConf reaches a constructor: what an optimizer keeps of it in its state
    # could not be read back from a checkpoint.
    values: dict[str, tuple[Any, Any]] = {"_target_": (str, target), "_convert_": (str, "all")}
    asked = frozenset(str(key) for key in node if OmegaConf.is_missing(node, key))
    for name, argument in arguments.named.items():
        default = MISSING if name in asked else argument.default
        values[name] = (Any if name in made else argument.kind, default)
    for key in node:
        values.setdefault(str(key), (Any, MISSING))
    order = sorted(values, key=lambda name: name not in _HYDRA)
    fields = [(name, values[name][0], _field(values[name][1])) for name in order]
    return dataclasses.make_dataclass(
        arguments.name if arguments.name.isidentifier() else "Arguments",
        fields,
        bases=(Typed,),
        namespace={"_origin_": Origin(target, arguments, asked)},
    )


def _field(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return dataclasses.field(default_factory=lambda: copy.deepcopy(value))
    return dataclasses.field(default=value)


def _below(cfg: DictConfig | ListConfig) -> Iterator[tuple[Any, DictConfig | ListConfig]]:
    """Nodes that `cfg` holds, with their keys; not what is missing, None or refers elsewhere."""
    keys: list[Any] = list(cfg.keys()) if isinstance(cfg, DictConfig) else list(range(len(cfg)))
    for key in keys:
        if OmegaConf.is_missing(cfg, key) or OmegaConf.is_interpolation(cfg, key):
            continue
        node = cfg[key]
        if isinstance(node, (DictConfig, ListConfig)):
            yield key, node


def _target(node: DictConfig | ListConfig) -> Any:
    """Its `_target_`, or None where it has none that is given as it stands."""
    if not isinstance(node, DictConfig) or "_target_" not in node:
        return None
    referring = OmegaConf.is_interpolation(node, "_target_")
    return None if referring or OmegaConf.is_missing(node, "_target_") else node["_target_"]


def _holds_target(node: DictConfig | ListConfig) -> bool:
    return _target(node) is not None or any(_holds_target(child) for _, child in _below(node))


def _schema_of(node: DictConfig | ListConfig) -> type[Typed] | None:
    """The schema that `node` got here; None for another node."""
    schema = OmegaConf.get_type(node)
    return schema if isinstance(schema, type) and issubclass(schema, Typed) else None


def _typed_nodes(
    cfg: DictConfig | ListConfig, place: str = ""
) -> Iterator[tuple[str, DictConfig, type[Typed]]]:
    for key, node in _below(cfg):
        where = f"{place}.{key}" if place else str(key)
        schema = _schema_of(node)
        if schema is not None and isinstance(node, DictConfig):
            yield where, node, schema
        yield from _typed_nodes(node, where)
