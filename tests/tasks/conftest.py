"""Tasks started as their commands are, in this process, from an empty working directory."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

RunTask = Callable[..., "Ended"]


class Ended(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def run_task(tmp_path: Path, monkeypatch, capsys) -> Iterator[RunTask]:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(task: str, *arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", [task, *arguments])
        capsys.readouterr()
        status = 0
        try:
            importlib.import_module(task).main()
        except SystemExit as error:
            status = int(error.code or 0)
        captured = capsys.readouterr()
        return Ended(status, captured.out, captured.err)

    yield run
    # The workers of a sweep wait for more, with the paths of this test.
    if loky := sys.modules.get("joblib.externals.loky"):
        loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)


@pytest.fixture
def quick(nights: Path) -> list[str]:
    """Arguments of a training run that takes seconds."""
    return [
        "+experiment=joint",
        f"data.seq_dirs=[{nights}]",
        "data.img_size=32",
        "trainer.max_epochs=2",
        "model.channels=[4,4,8]",
        "resamples=20",
        "callbacks.progress=null",
    ]
