"""Verdicts by the limits that an observer has set."""

from __future__ import annotations

import pandas as pd

from nightsift.heuristics.limits import Limits, header_scales


def limit_verdicts(table: pd.DataFrame, features: pd.DataFrame, limits: Limits) -> pd.DataFrame:
    """The table with `bad` for each frame beyond a limit, and an explanation that says so.

    The reason becomes that of the limit, unless the frame was bad before: it keeps its own, and
    the limit follows in its explanation. Probabilities and `pred` stay as they are, and so do
    files without a verdict.

    Args:
        table: predictions with verdicts.
        features: of the same files, from `nightsift.heuristics.table.feature_table`.
        limits: set by the observer.

    Raises:
        NightsiftError: the pixel scale that a limit needs is unknown for every frame.
    """
    judged = table["verdict"] != ""
    if not limits.set_keys or not judged.any():
        return table
    files = table.loc[judged, "file"]
    rows = features.set_index("file").loc[files]
    beyond = limits.judge(rows, header_scales(limits, files)).set_axis(files.index)
    beyond = beyond[beyond["excess"].notna()]
    out = table.copy()
    was_bad = out.loc[beyond.index, "verdict"] == "bad"
    before = out.loc[beyond.index, "explanation"].astype(str)
    limited = beyond["explanation"] + before.where(before == "", "; " + before)
    out.loc[beyond.index, "explanation"] = limited.where(
        ~was_bad, before + "; " + beyond["explanation"]
    )
    out.loc[beyond.index[~was_bad], "reason"] = beyond.loc[~was_bad, "reason"]
    out.loc[beyond.index, "verdict"] = "bad"
    return out
