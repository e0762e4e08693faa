"""Starts a task as a Hydra application: plain paths, clear errors, exit statuses."""

from __future__ import annotations

import gc
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nightsift.config import conf_dir, register_schemas
from nightsift.errors import NightsiftError

log = logging.getLogger(__name__)

Run = Callable[[DictConfig], Any]
# Hydra's own options that take a value as the next argument.
_VALUE_OPTIONS = {"-cp", "-cn", "-cd", "-p", "--config-path", "--config-name", "--config-dir"}
_VALUE_OPTIONS |= {"--package", "-e", "--experimental-rerun"}
USER_ERRORS = (NightsiftError, HydraException, OmegaConfBaseException, OSError)


def launch(task: str, run: Run, *, path_override: str) -> None:
    """Run `run` as the Hydra application `task` and exit with the contract's status.

    Args:
        task: name of the primary configuration file.
        run: does the job.
        path_override: the override that plain arguments (paths) become, `ckpt={}` or, for a
            key that takes several, `data.seq_dirs=[{}]`.
    """
    register_schemas()
    # Hydra then hands exceptions on instead of printing and exiting by itself with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    application = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=task)
    with ending_on_user_errors(task):
        sys.argv[1:] = quote_plain_paths(sys.argv[1:], conf_dir(), task, template=path_override)
        application(_Job(run))()
    # Python would walk through all objects of torch once more before it ends.
    gc.freeze()


@contextmanager
def ending_on_user_errors(task: str) -> Iterator[None]:
    """Turn a user's error into one line on standard error and exit status 2."""
    try:
        yield
    except USER_ERRORS as error:
        print(f"{task}: {describe(error)}", file=sys.stderr)
        raise SystemExit(2) from None


class _Job:
    """One job of a run or a sweep; an object, so that parallel launchers can pickle it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        # hydra.main looks at the wrapped function's metadata.
        self.__name__ = run.__name__
        self.__module__ = run.__module__

    def __call__(self, cfg: DictConfig) -> Any:
        """Run; in a sweep a failure is recorded beside the job and the sweep goes on."""
        if HydraConfig.get().mode is not RunMode.MULTIRUN:
            with ending_on_user_errors(HydraConfig.get().job.name):
                check_missing(cfg)
                return self.run(cfg)
        try:
            check_missing(cfg)
            return self.run(cfg)
        except Exception as error:
            expected = isinstance(error, USER_ERRORS)
            log.error("this job failed: %s", describe(error), exc_info=not expected)
            Path(cfg.run_dir, "error.txt").write_text(describe(error) + "\n", encoding="utf-8")
            return None


def check_missing(cfg: DictConfig) -> None:
    """Raise NightsiftError naming the keys that have no value yet."""
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise NightsiftError(f"missing: {' '.join(f'{key}=...' for key in missing)}")


def describe(error: BaseException) -> str:
    """One line for a user: the innermost cause, and the key it came from."""
    key = getattr(error, "full_key", None)
    text = str(error)
    if isinstance(error, HydraException) and error.__cause__ is not None:
        place = re.search(r"full_key: (\S+)", text)
        prefix = f"{place[1]}: " if place else ""
        return prefix + describe(error.__cause__)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    line = " ".join(part.strip() for part in text.splitlines() if part.strip())
    line = line.split(" object_type=")[0].split(" full_key:")[0]
    if isinstance(error, OmegaConfBaseException) and key:
        return f"{key}: {line}"
    return line or type(error).__name__


def quote_plain_paths(
    arguments: Sequence[str], conf: Path, task: str, *, template: str
) -> list[str]:
    """Turn plain arguments into one quoted override, `template` with the paths filled in.

    An argument is a plain path if what stands before its `=` is no key or group of the task,
    or if it has no `=` at all and is no option and no deletion of a key. Spaces, commas,
    brackets, `=` and a leading `~` in it then never meet Hydra's grammar.

    Raises:
        NightsiftError: several paths for a task that takes one.
    """
    known = _known_keys(conf, task)
    out: list[str] = []
    paths: list[str] = []
    takes_value = False
    for argument in arguments:
        if takes_value or argument.startswith("-"):
            takes_value = argument in _VALUE_OPTIONS and not takes_value
            out.append(argument)
            continue
        key, equals, _ = argument.partition("=")
        root = key.lstrip("+~").replace("/", ".").replace("@", ".").split(".")[0]
        deletion = argument.startswith("~") and not equals and not Path(argument).exists()
        if root in known and (equals or deletion):
            out.append(argument)
        else:
            paths.append(_quote(argument))
    if len(paths) > 1 and "[{}]" not in template:
        raise NightsiftError(f"expected one path, got {len(paths)}: {' '.join(paths)}")
    return [*out, template.format(",".join(paths))] if paths else out


def _quote(path: str) -> str:
    """A single-quoted string of Hydra's grammar, where a backslash only escapes a quote."""
    head = path.rstrip("\\")
    tail = path[len(head) :]
    escaped = re.sub(r"(\\*)'", lambda match: match[1] * 2 + "\\'", head)
    # An interpolation is OmegaConf's business, a folder called ${x} is not.
    return f"'{escaped}{tail * 2}'".replace("${", "\\${")


def _known_keys(conf: Path, task: str) -> set[str]:
    primary = OmegaConf.load(conf / f"{task}.yaml")
    assert isinstance(primary, DictConfig)
    groups = {folder.name for folder in conf.iterdir() if folder.is_dir()}
    return {"hydra", *groups, *(str(key) for key in primary)}
