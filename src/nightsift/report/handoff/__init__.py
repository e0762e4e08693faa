"""What other programs read of a night, one file per program.

A file of this room adds its `Handoff` to `HANDOFFS`; one of another package does the same when
it is imported (`plugins=[package]`). They only make text: `write_lists` alone writes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from nightsift.files import replacing
from nightsift.registry import Registry
from nightsift.report.handoff.links import link_kept

__all__ = ["HANDOFFS", "Handoff", "link_kept", "write_lists"]

log = logging.getLogger(__name__)


class Handoff(Protocol):
    """Makes the files of one program."""

    def __call__(self, table: pd.DataFrame, features: pd.DataFrame, /) -> Mapping[str, str]:
        """Path of each file within the folder of lists, with `/`, to its text.

        Args:
            table: predictions with verdicts, one row per file; `verdict` is empty where the
                file holds no frame of the sky.
            features: what was measured, one row per judged file.
        """


HANDOFFS: Registry[Handoff] = Registry("hand-off", "nightsift.report.handoff")


def write_lists(folder: Path, table: pd.DataFrame, features: pd.DataFrame) -> list[Path]:
    """Write what every hand-off makes of a night into one folder, each file whole or not at all.

    A hand-off that fails, or names a file that is another's or lies outside `folder`, is left
    out with a warning; the others are written.

    Args:
        folder: made when needed.
        table: predictions with verdicts.
        features: of the same frames.

    Returns:
        What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, handoff in HANDOFFS.items():
        try:
            # Copies: whatever it does to them, the report goes on with its own.
            written += _write(folder, handoff(table.copy(), features.copy()), written)
        except Exception as error:
            log.warning("hand-off %r is left out: %s: %s", name, type(error).__name__, error)
    return written


def _write(folder: Path, files: Mapping[str, str], others: Sequence[Path]) -> list[Path]:
    contents = {_inside(folder, file): text.encode() for file, text in files.items()}
    if taken := contents.keys() & set(others):
        raise ValueError(f"{min(taken).relative_to(folder)} is another hand-off's")
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    return list(contents)


def _inside(folder: Path, file: str) -> Path:
    path = folder / file
    if path == folder or ".." in path.parts[len(folder.parts) :] or folder not in path.parents:
        raise ValueError(f"{file!r} is no path within the folder of lists")
    return path
