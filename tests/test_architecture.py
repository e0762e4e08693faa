"""The arrows between the rooms of `src/nightsift`: who may import whom, and what stays out."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
PACKAGE = SRC / "nightsift"
# Single files that every room may use.
GROUND = {"errors", "files", "registry", "seeds", "shipped"}
# Each room with those that it may import; whatever they may import, it may too.
ARROWS = {
    "fits": set(),
    "metrics": set(),
    "config": set(),
    "look": {"fits"},
    "night": {"look"},
    "heuristics": {"night"},
    "photometry": {"night"},
    "simulate": {"night"},
    "review": {"night"},
    "data": {"heuristics"},
    "models": {"metrics"},
    "training": {"data", "models"},
    "sorting": {"training"},
    "report": {"sorting", "photometry"},
    "api": {"report"},
    "tasks": {"report", "review", "simulate", "config"},
    "cli": {"tasks"},
}
# They are for programs of any kind; OmegaConf alone, to read typed YAML, is no Hydra.
LOW = ("models", "metrics", "heuristics", "night", "look", "fits", "simulate", "photometry")
NEVER_LOW = {"pytorch_lightning", "lightning", "lightning_fabric", "torchmetrics", "hydra"}
# Rooms of which nothing may wait for torch when it is imported.
WITHOUT_TORCH = {*ARROWS} - {"models", "data", "training"}


def modules() -> dict[str, Path]:
    """Dotted name to file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(tree: ast.AST, *, at_once: bool) -> Iterator[str]:
    """Modules that a file imports, ours to the file; with `at_once` only on being imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)
        later = isinstance(node, ast.FunctionDef | ast.Lambda) or is_for_types(node)
        if not (at_once and later):
            yield from imports(node, at_once=at_once)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imported(*, at_once: bool) -> Mapping[str, set[str]]:
    return {
        name: set(imports(ast.parse(path.read_text(encoding="utf-8")), at_once=at_once))
        for name, path in MODULES.items()
    }


def reachable(room: str) -> set[str]:
    allowed = set(ARROWS[room])
    return allowed.union(*(reachable(other) for other in allowed))


def test_every_room_has_its_place():
    rooms = {room_of(name) for name in MODULES} - GROUND - {""}
    assert rooms == set(ARROWS)
    list(TopologicalSorter(ARROWS).static_order())


def test_arrows_between_rooms_go_one_way():
    wrong = defaultdict(set)
    for name, targets in imported(at_once=False).items():
        room = room_of(name)
        allowed = {"", room, *GROUND, *(reachable(room) if room in ARROWS else ())}
        for target in targets & MODULES.keys():
            if room and room_of(target) not in allowed:
                wrong[name].add(target)
    assert not wrong


def test_files_import_each_other_in_no_circle():
    graph = {
        name: (targets & MODULES.keys()) - {name}
        for name, targets in imported(at_once=False).items()
        if name != "nightsift"  # its public names are imported when they are asked for
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_low_rooms_know_neither_lightning_nor_hydra():
    for name, targets in imported(at_once=False).items():
        if room_of(name) in LOW:
            assert not {target.partition(".")[0] for target in targets} & NEVER_LOW, name


def test_hydra_is_known_to_tasks_and_config_alone():
    knowing = {
        room_of(name)
        for name, targets in imported(at_once=False).items()
        if any(target.partition(".")[0] == "hydra" for target in targets)
    }
    assert knowing == {"tasks", "config"}


def test_nothing_below_training_waits_for_torch():
    """Reading, rules, sorting and reports start at once, in each of their processes."""
    names = [name for name in MODULES if room_of(name) in WITHOUT_TORCH]
    code = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    code += "print('torch' in sys.modules, 'pytorch_lightning' in sys.modules)"
    command = [sys.executable, "-c", code, *names]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(SRC)}
    )
    assert ended.stdout.split() == ["False", "False"]
