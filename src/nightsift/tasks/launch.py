"""Starts a task as a Hydra application: plain paths, clear errors, exit statuses."""

from __future__ import annotations

import dataclasses
import gc
import logging
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nightsift.config import register_schemas
from nightsift.config.keys import TASKS
from nightsift.config.targets import missing_arguments
from nightsift.errors import NightsiftError
from nightsift.registry import load_plugins
from nightsift.shipped import conf_dir
from nightsift.tasks.command_line import quote_plain_paths

log = logging.getLogger(__name__)

Run = Callable[[DictConfig], Any]
# What Optuna raises at the end of a search in which every job failed.
_NO_TRIAL = "No trials are completed yet."
_HELP = {"-h", "--help", "--hydra-help"}
# Choices that another package brings, and the extra that installs it.
_PLUGIN = re.compile(r"Could not find 'hydra/(?:sweeper|launcher)/(\w+)'")
_EXTRAS = {"optuna": "optuna", "joblib": "joblib", "ray": "ray", "submitit_slurm": "slurm"}
USER_ERRORS = (NightsiftError, HydraException, OmegaConfBaseException, OSError)


def launch(task: str, run: Run, *, path_override: str) -> None:
    """Run `run` as the Hydra application `task` and exit with the contract's status.

    Args:
        task: name of the primary configuration file.
        run: does the job.
        path_override: the override that plain arguments (paths) become, `ckpt={}` or, for a
            key that takes several, `data.seq_dirs=[{}]`.
    """
    register_schemas(constructors=not _HELP.intersection(sys.argv[1:]))
    # Hydra then hands exceptions on instead of printing and exiting by itself with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    application = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=task)
    with ending_on_user_errors(task):
        sys.argv[1:] = quote_plain_paths(sys.argv[1:], conf_dir(), task, template=path_override)
        application(_Job(task, run))()
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
    except ValueError as error:
        if str(error) != _NO_TRIAL:
            raise
        print(f"{task}: no trial succeeded: see error.txt in their folders", file=sys.stderr)
        raise SystemExit(2) from None


class _Job:
    """One job of a run or a sweep; an object, so that parallel launchers can pickle it."""

    def __init__(self, task: str, run: Run) -> None:
        self.task = task
        self.run = run
        # hydra.main looks at the wrapped function's metadata.
        self.__name__ = run.__name__
        self.__module__ = run.__module__

    def __call__(self, cfg: DictConfig) -> Any:
        """Run; in a sweep a failure is recorded beside the job and the sweep goes on."""
        if HydraConfig.get().mode is not RunMode.MULTIRUN:
            with ending_on_user_errors(HydraConfig.get().job.name):
                return self._start(cfg)
        try:
            return self._start(cfg)
        except Exception as error:
            expected = isinstance(error, USER_ERRORS)
            log.error("this job failed: %s", describe(error), exc_info=not expected)
            Path(cfg.run_dir, "error.txt").write_text(describe(error) + "\n", encoding="utf-8")
            return None

    def _start(self, cfg: DictConfig) -> Any:
        # Here, because a launcher may have started this job in a process of its own.
        _use_known_start_method()
        load_plugins(list(cfg.plugins))
        check_added(self.task, cfg)
        check_missing(cfg)
        return self.run(cfg)


def _use_known_start_method() -> None:
    """Let this process start others: joblib's way is told to them as `loky`, and they know none."""
    known = multiprocessing.get_all_start_methods()
    if multiprocessing.get_start_method(allow_none=True) not in (None, *known):
        multiprocessing.set_start_method("spawn", force=True)


def check_added(task: str, cfg: DictConfig) -> None:
    """Raise NightsiftError for what `+name=` added without anything that reads it."""
    known = {field.name for field in dataclasses.fields(TASKS[task])}
    added = {item.lstrip("+").partition("=")[0] for item in HydraConfig.get().overrides.task}
    for name in sorted(added & set(cfg) - known):
        raise NightsiftError(
            f"+{name}=: no such key; a group of your own needs --config-dir=DIR, and "
            "`# @package _global_` in its files"
        )


def check_missing(cfg: DictConfig) -> None:
    """Raise NightsiftError naming the keys that have no value yet."""
    missing = sorted({*OmegaConf.missing_keys(cfg), *missing_arguments(cfg)})
    if missing:
        raise NightsiftError(f"missing: {' '.join(f'{key}=...' for key in missing)}")


def describe(error: BaseException) -> str:
    """One line for a user: the innermost cause, and the key it came from."""
    key = getattr(error, "full_key", None)
    text = str(error)
    place = re.search(r"full_key: (\S+)", text) if isinstance(error, HydraException) else None
    prefix = f"{place[1]}: " if place else ""
    if isinstance(error, HydraException) and error.__cause__ is not None:
        return prefix + describe(error.__cause__)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    line = " ".join(part.strip() for part in text.splitlines() if part.strip())
    missing = _PLUGIN.search(line)
    if missing and missing[1] in _EXTRAS:
        return f"{missing[0]}: pip install 'nightsift[{_EXTRAS[missing[1]]}]'"
    line = line.split(" object_type=")[0].split(" full_key:")[0]
    if isinstance(error, OmegaConfBaseException) and key:
        return f"{key}: {line}"
    return prefix + line or type(error).__name__
