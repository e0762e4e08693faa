"""AstroImageJ: a measurement table with the verdict of each slice."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from nightsift.report.handoff import HANDOFFS

_COLUMNS = ("", "Label", "slice", "NSPROB", "NSBAD", "NSREASON")


def astroimagej_table(table: pd.DataFrame, features: pd.DataFrame) -> dict[str, str]:
    """`astroimagej.tbl`: tab-separated, one row per slice in the order of the stack.

    `Label` is the file name and `slice` counts from 1 within each folder, as in AstroImageJ's
    own measurement tables.

    Args:
        table: predictions with verdicts.
        features: not needed.
    """
    readable = table[table["verdict"] != ""]
    lines = ["\t".join(_COLUMNS)]
    files = readable.assign(folder=[str(Path(file).parent) for file in readable["file"]])
    for _, part in files.groupby("folder", sort=False):
        ordered = part.assign(name=[Path(file).name for file in part["file"]]).sort_values("name")
        for number, item in enumerate(ordered.itertuples(), start=1):
            bad = 1 if item.verdict == "bad" else 0
            row = (item.name, number, f"{item.prob_bad:.6f}", bad, item.reason or "none")
            lines.append("\t".join(_cell(str(value)) for value in (len(lines), *row)))
    return {"astroimagej.tbl": "\n".join(lines) + "\n"}


def _cell(text: str) -> str:
    """No cell may begin another one."""
    return re.sub(r"[\t\r\n]", " ", text)


HANDOFFS.add("astroimagej", astroimagej_table)
