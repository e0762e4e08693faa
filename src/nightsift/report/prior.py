"""A folder with the frames to look at first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nightsift.errors import NightsiftError
from nightsift.files import link_or_copy


def make_prior_folder(folder: Path, files: Sequence[str]) -> int:
    """Link the files into `folder` as `001_name`, `002_name`...; copy where links fail.

    The frames themselves are not touched.

    Args:
        folder: a new or an empty folder.
        files: paths, worst frame first.

    Returns:
        How many there are now.

    Raises:
        NightsiftError: the folder holds something, which would be mixed up with the new files.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NightsiftError(f"prior_folder={folder} is not empty: give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    digits = max(3, len(str(len(files))))
    for rank, file in enumerate(files, start=1):
        source = Path(file).absolute()
        target = folder / f"{rank:0{digits}d}_{source.name}"
        link_or_copy(source, target)
    return len(files)
