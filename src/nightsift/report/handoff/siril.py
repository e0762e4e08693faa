"""Siril: what takes the rejected frames out of a sequence of all files."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pandas as pd

from nightsift.files import file_name
from nightsift.fits.folders import natural_key
from nightsift.report.handoff import HANDOFFS

# What Siril's `link light` names its sequence.
_SEQUENCE = "light_"


def siril_sequences(table: pd.DataFrame, features: pd.DataFrame) -> dict[str, str]:
    """`siril_<folder>/` for each folder of frames, see `siril_files`.

    Args:
        table: predictions with verdicts.
        features: not needed.
    """
    texts: dict[str, str] = {}
    folders = table.groupby([Path(file).absolute().parent for file in table["file"]], sort=False)
    for number, (frames, part) in enumerate(folders, start=1):
        own = file_name(f"siril_{Path(str(frames)).name}")
        if f"{own}/unselect.ssf" in texts:
            own = f"{own}_{number}"
        texts |= {f"{own}/{name}": text for name, text in siril_files(part).items()}
    return texts


def siril_files(table: pd.DataFrame) -> dict[str, str]:
    """What takes the rejected frames of one folder out of a Siril sequence of all its files.

    - `light_.seq`, to be copied over the file of that name after `link light` or
      `convert light`, for Siril 1.0 and later;
    - `unselect.ssf`, a script that does the same, for Siril 1.2 and later.

    Siril numbers files from 1 in the natural order of their names. What is no frame of the sky
    is taken out too.

    Args:
        table: every file of one folder.

    Returns:
        File name to content.
    """
    verdicts = zip(table["file"].astype(str), table["verdict"].astype(str), strict=True)
    ordered = sorted(verdicts, key=lambda item: natural_key(Path(item[0]).name))
    kept = [verdict in ("good", "review") for _, verdict in ordered]
    selection = "".join(f"I {i} {int(keep)}\n" for i, keep in enumerate(kept, start=1))
    sequence = (
        "#Siril sequence file\n"
        # Name, first number, frames, selected ones, digits, reference (none), version.
        f"S '{_SEQUENCE}' 1 {len(kept)} {sum(kept)} 5 -1 3\nL 1\n{selection}"
    )
    rejected = [number for number, keep in enumerate(kept, start=1) if not keep]
    unselect = "requires 1.2.0\n" + "".join(
        f"unselect {_SEQUENCE} {first} {last}\n" for first, last in _runs(rejected)
    )
    return {f"{_SEQUENCE}.seq": sequence, "unselect.ssf": unselect}


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """First and last of each stretch of consecutive numbers."""
    stretches = [
        [number for _, number in group]
        for _, group in groupby(enumerate(numbers), key=lambda item: item[1] - item[0])
    ]
    return [(stretch[0], stretch[-1]) for stretch in stretches]


HANDOFFS.add("siril", siril_sequences)
