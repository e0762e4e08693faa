"""Tells paths from overrides on the command line, so that paths never meet Hydra's grammar."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from nightsift.config.keys import TASKS
from nightsift.errors import NightsiftError

# Hydra's own options that take a value as the next argument.
_CONFIG_DIR = ("-cd", "--config-dir")
_VALUE_OPTIONS = {*_CONFIG_DIR, "-cp", "-cn", "-p", "--config-path", "--config-name"}
_VALUE_OPTIONS |= {"--package", "-c", "--cfg", "-i", "--info", "-e", "--experimental-rerun"}
_SEARCHPATH = "hydra.searchpath="
# What Hydra's grammar takes for a key: `data.window`, `data/transform`, `group@package`.
_ID = r"[A-Za-z_$][\w$-]*"
_PACKAGE = rf"{_ID}(?:\.(?:{_ID}|\d+))*"
_OVERRIDE = re.compile(
    rf"(?P<sign>~|\+{{0,2}})(?P<key>{_ID}(?:/{_ID})+|{_PACKAGE})(?P<at>@(?:{_PACKAGE})?)?(?P<equals>=)?",
    re.ASCII,
)


def quote_plain_paths(
    arguments: Sequence[str], conf: Path, task: str, *, template: str
) -> list[str]:
    """Turn plain arguments into one quoted override, `template` with the paths filled in.

    An argument is an override if it has the form of one and

    - begins with a key of the task or with a group of `conf`, of `--config-dir` or of
      `hydra.searchpath`; or
    - adds something new (`+key=`, `group@package=`) and there is no file or folder of that name.

    Everything else is a plain path: spaces, commas, brackets, `=` and a leading `~` in it then
    never meet Hydra's grammar. Options may stand anywhere; Hydra gets them behind the overrides,
    for it knows none that stands between them.

    Args:
        arguments: without the name of the program.
        conf: the task's own folder of configuration files.
        task: name of the primary configuration file.
        template: such as `folder={}`, or `data.seq_dirs=[{}]` for a key that takes several.

    Raises:
        NightsiftError: several paths for a task that takes one.
    """
    folders = [conf, *_config_dirs(arguments)]
    known = {"hydra", *(field.name for field in dataclasses.fields(TASKS[task]))}
    known |= {group.name for folder in folders for group in folder.glob("*/")}
    options: list[str] = []
    overrides: list[str] = []
    paths: list[str] = []
    takes_value = False
    for argument in arguments:
        if takes_value or argument.startswith("-"):
            takes_value = argument in _VALUE_OPTIONS and not takes_value
            options.append(argument)
        elif _is_override(argument, known, folders):
            overrides.append(argument)
        else:
            paths.append(_quote(argument))
    if len(paths) > 1 and "[{}]" not in template:
        raise NightsiftError(f"expected one path, got {len(paths)}: {' '.join(paths)}")
    if paths:
        overrides.append(template.format(",".join(paths)))
    return [*overrides, *options]


def _is_override(argument: str, known: set[str], folders: Sequence[Path]) -> bool:
    form = _OVERRIDE.match(argument)
    if form is None:
        return False
    group, slash, _ = form["key"].partition("/")
    root = group.partition(".")[0]
    if form["equals"] is None:
        # `~key` deletes; everything else without a value is a path.
        whole = form["sign"] == "~" and form.end() == len(argument)
        return whole and root in known and not Path(argument).exists()
    if root in known:
        # A folder of the user may be called as a group is: data/night=3.
        there = root == "hydra" or any((folder / form["key"]).is_dir() for folder in folders)
        return not slash or there or not Path(argument).exists()
    new = form["sign"].startswith("+") or form["at"] is not None
    return new and not Path(argument).exists()


def _config_dirs(arguments: Sequence[str]) -> list[Path]:
    """Further folders of configuration files that the arguments name."""
    folders: list[Path] = []
    for before, argument in itertools.pairwise(["", *arguments]):
        if before in _CONFIG_DIR:
            folders.append(Path(argument))
        elif argument.startswith("--config-dir="):
            folders.append(Path(argument.partition("=")[2]))
        elif argument.startswith(_SEARCHPATH):
            listed = OverridesParser.create().parse_override(argument).value()
            for place in listed if isinstance(listed, list) else []:
                folders += _places(str(place))
    return folders


def _places(searched: str) -> list[Path]:
    scheme, found, place = searched.rpartition("://")
    if scheme != "pkg":
        return [Path(place if found else searched)]
    package = importlib.util.find_spec(place.replace("/", "."))
    return [Path(folder) for folder in (package and package.submodule_search_locations) or ()]


def _quote(path: str) -> str:
    """A single-quoted string of Hydra's grammar, where a backslash only escapes a quote."""
    head = path.rstrip("\\")
    tail = path[len(head) :]
    escaped = re.sub(r"(\\*)'", lambda match: match[1] * 2 + "\\'", head)
    # An interpolation is OmegaConf's business, a folder called ${x} is not.
    return f"'{escaped}{tail * 2}'".replace("${", "\\${")
