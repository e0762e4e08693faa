"""What simulated frames are known to show."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from nightsift.simulate.defects.catalogue import DEFECTS

_GROSS_FROM = 0.4


def single_truths(folders: Iterable[Path]) -> pd.DataFrame:
    """Frames that show at most one thing, from the `truth.csv` of those folders that have one.

    Returns:
        `path`, `label`, `kind` (NaN for a clean frame), `strength`, and `part`: `gross` in the
        upper 60 % between what is just bad and the grossest, on a log scale, else `faint`.
    """
    columns = ["path", "label", "kind", "strength"]
    tables = [pd.DataFrame(columns=columns)]
    for folder in dict.fromkeys(folders):
        if (folder / "truth.csv").is_file():
            table = pd.read_csv(folder / "truth.csv")
            tables.append(table.assign(path=[str(folder / name) for name in table["file"]]))
    table = pd.concat([own[columns] for own in tables if len(own)] or tables)
    table = table.drop_duplicates("path", keep=False)
    parts = [_part(k, s) for k, s in zip(table["kind"], table["strength"], strict=True)]
    return table.assign(part=parts)


def _part(kind: str, strength: float) -> str:
    defect = DEFECTS.get(kind)
    if defect is None:
        return ""
    level = np.log(strength / defect.bad) / max(np.log(defect.gross / defect.bad), 1e-9)
    return "gross" if level >= _GROSS_FROM else "faint"
