"""What is shown together: a night, or the shortest nights of a series as one."""

from __future__ import annotations

import pandas as pd

# Fewer frames make no picture, no table and no folder of their own.
_FEWEST = 3


def shown_as(table: pd.DataFrame) -> pd.Series:
    """Name of what each row is shown with: its night, or its series.

    A night of fewer than three frames is shown with the others of its series that are as short,
    as long as there are any.

    Args:
        table: one row per file with `night`, and `series` where there is one.
    """
    night = table["night"].astype(str)
    if "series" not in table:
        return night
    series = table["series"].fillna("").astype(str)
    short = (night.groupby(night).transform("size") < _FEWEST) & (series != "")
    others = night[short].groupby(series[short]).transform("nunique")
    together = others[others > 1].index
    return night.where(~night.index.isin(together), series)
