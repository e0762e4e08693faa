"""Tables in the terminal: names as they are, mixed frames in one row."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
from rich.console import Console

from nightsift.report.groups import shown_as

MIXED = "mixed frames"


def console(width: int) -> Console:
    """Standard output, `width` characters wide; brackets and colons in names mean nothing."""
    return Console(width=width, markup=False, emoji=False)


def rows_by_night(
    table: pd.DataFrame, mixed: Collection[str], *, most: int
) -> tuple[list[tuple[str, pd.DataFrame]], str]:
    """What becomes a row of a table of nights.

    Args:
        table: one row per file, with `night`.
        mixed: names of the nights that are loose frames.
        most: nights that are shown.

    Returns:
        Name and files of the first nights (`nightsift.report.groups`), in the order of the table,
        then of all mixed frames together; and a caption that counts the other nights, "" where
        there are none.
    """
    loose = table["night"].isin(list(mixed))
    nights = list(table[~loose].groupby(shown_as(table[~loose]), sort=False))
    rows = [(str(night), part) for night, part in nights[:most]]
    if loose.any():
        rows.append((MIXED, table[loose]))
    return rows, f"and {len(nights) - most} more nights in the CSV" if len(nights) > most else ""
