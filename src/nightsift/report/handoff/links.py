"""Links to the kept frames, for programs that take a folder: EXOTIC, HOPS."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.files import file_name, link_or_copy
from nightsift.report.groups import shown_as


def link_kept(folder: Path, table: pd.DataFrame) -> int:
    """Links to the kept frames, a folder per night; one for all lone frames of a series.

    Copies where the system has no links. The frames themselves are not touched. Beside each
    night `siril_<night>.ssf` makes a Siril sequence `light_` of it (Siril 1.0 and later).

    Args:
        folder: a new or an empty folder.
        table: predictions with verdicts.

    Returns:
        How many frames are there now.

    Raises:
        NightsiftError: the folder holds something already.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NightsiftError(f"kept_folder={folder} is not empty: give a new folder")
    kept = table[table["verdict"].isin(["good", "review"])]
    for night, part in kept.groupby(_folders(kept), sort=False):
        name = file_name(str(night))
        (folder / name).mkdir(parents=True)
        for file in part["file"]:
            source = Path(str(file)).absolute()
            link_or_copy(source, folder / name / source.name)
        if not any(char in str(folder) for char in '"\n\r'):  # it could end the command
            (folder / f"siril_{name}.ssf").write_text(
                f'requires 1.0.0\ncd "{folder / name}"\n'
                f'link light "-out={folder / f"siril_{name}"}"\ncd "{folder / f"siril_{name}"}"\n',
                encoding="utf-8",
                newline="\n",
            )
    return len(kept)


def _folders(kept: pd.DataFrame) -> pd.Series:
    """What each frame is put with; by night throughout where names would meet in one folder."""
    together = shown_as(kept)
    names = pd.DataFrame({"folder": together, "name": [Path(f).name for f in kept["file"]]})
    return kept["night"].astype(str) if names.duplicated().any() else together
