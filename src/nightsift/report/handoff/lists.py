"""Kept and rejected frames as plain lists, one absolute path per line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nightsift.report.handoff import HANDOFFS


def plain_lists(table: pd.DataFrame, features: pd.DataFrame) -> dict[str, str]:
    """`kept.txt` and `rejected.txt`.

    Doubtful frames are kept; files that hold no frame of the sky are in neither.

    Args:
        table: predictions with verdicts.
        features: not needed.
    """
    readable = table[table["verdict"] != ""]
    rejected = readable["verdict"] == "bad"
    return {"kept.txt": _paths(readable[~rejected]), "rejected.txt": _paths(readable[rejected])}


def _paths(table: pd.DataFrame) -> str:
    return "".join(f"{Path(file).absolute()}\n" for file in table["file"])


HANDOFFS.add("lists", plain_lists)
