"""Files and folders written whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def file_name(text: str) -> str:
    """`text` as one part of a path: whatever is no letter, digit, `_`, `.` or `-` becomes `_`.

    A stretch of such characters becomes a single `_`, so that `n 1 & 2` is `n_1_2`.
    """
    return re.sub(r"[^\w.-]+", "_", text)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` and rename it to `path` when the block succeeds.

    The temporary file is removed when the block fails, so that a full disk or an interruption
    leaves the old file, or none, and never a part.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside `path` and rename it when the block succeeds.

    Raises:
        FileExistsError: `path` exists, or came to exist meanwhile; nothing is overwritten.
    """
    if path.exists():
        raise FileExistsError(17, "exists already", str(path))
    temporary = _temporary(path)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        try:
            temporary.rename(path)
        except OSError as error:
            if not path.exists():
                raise
            raise FileExistsError(17, "came to exist meanwhile", str(path)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def link_or_copy(source: Path, target: Path) -> None:
    """A relative link at `target`, or a copy where links cannot be made."""
    try:
        target.symlink_to(os.path.relpath(source, target.parent.resolve()))
    except (OSError, NotImplementedError, ValueError):
        # Windows without the right to link, another drive, a memory card.
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
