"""Nights as tables: features, deviations from the night, and what could not be measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from nightsift.heuristics.rules import compared_by_rules
from nightsift.look.look import Wanted
from nightsift.look.measure import AllFeatures
from nightsift.look.store import LookStore
from nightsift.night.night import Night, NightSet
from nightsift.night.reading import Bar, no_bar, read_nights
from nightsift.night.sources import Sources

PUBLISHED_COLUMNS = (
    "file",
    "index",
    "median",
    "mean",
    "std",
    "max",
    "xc",
    "yc",
    "disp",
    "fwhm_proxy",
    "streak",
    "flux_jump",
    "date_obs",
)


def measure_night(
    folders: str | Path | Sequence[str | Path],
    *,
    cache_dir: str | Path | None = None,
    workers: int = 0,
    processes: bool = False,
    max_gap_h: float = 4.0,
    bar: Bar = no_bar,
) -> pd.DataFrame:
    """Measure frames and compare those of each night: one row per file, nights in time order.

    Args:
        folders: a night, a folder of nights, a single file, or several of them.
        cache_dir: where to keep measurements, so that the next run makes only the missing
            ones; None keeps nothing.
        workers: files measured at the same time; 0 means one per core.
        processes: measure in processes instead of threads; twice as fast for small frames, but
            only for programs with an `if __name__ == "__main__"`.
        max_gap_h: a longer pause begins another night, hours.
        bar: makes a progress bar.

    Returns:
        The table of `feature_table`.

    Raises:
        NightsiftError: no such folder, or none of the files holds a frame.
    """
    listed = [folders] if isinstance(folders, str | Path) else list(folders)
    sources = Sources(seq_dirs=[Path(folder) for folder in listed], max_gap_h=max_gap_h)
    with cache_or_nothing(cache_dir) as cache:
        nights = read_nights(
            sources,
            Wanted(measure=AllFeatures()),
            LookStore(cache),
            workers=workers,
            processes=processes,
            bar=bar,
        )
    return feature_table(nights)


@contextmanager
def cache_or_nothing(cache_dir: str | Path | None) -> Iterator[Path]:
    """The cache folder, or one that is gone afterwards."""
    if cache_dir is not None:
        yield Path(cache_dir)
        return
    with tempfile.TemporaryDirectory(prefix="nightsift-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def night_table(night: Night) -> pd.DataFrame:
    """The features of a night, with the deviation and scatter of each that a rule looks at.

    `<kind>_<feature>` is the deviation, `<kind>_scale_<feature>` the scatter of the others; in
    natural logarithms where the rule is.
    """
    columns: dict[str, np.ndarray] = {}
    for item in compared_by_rules():
        columns[item.column], columns[item.scale_column] = night.deviation(item)
    return pd.concat([night.features, pd.DataFrame(columns, index=night.features.index)], axis=1)


def feature_table(nights: NightSet) -> pd.DataFrame:
    """One row per file: the published columns, every feature, and `error` where there is none.

    The published columns have a meaning: `xc`, `yc`: where the centre of the reference frame
    lies in this one; `disp`: distance from the smooth drift, px; `fwhm_proxy`: FWHM, px; `streak`:
    significance of the best line; `flux_jump`: share of the star light that is missing. The last
    columns are `compared_with`, how many frames each was compared with, and `series`.
    """
    table = pd.concat([*map(night_table, nights.nights), aside_rows(nights)], ignore_index=True)
    table["index"] = np.arange(len(table))
    table["error"] = table["error"].fillna("")
    table["disp"] = table["jump_px"]
    table["fwhm_proxy"] = table["fwhm_px"]
    table["streak"] = table["streak_significance"]
    table["flux_jump"] = 1 - np.exp(table["slow_transparency"].astype(float))
    table["series"] = table["series"].fillna("")
    first, last = PUBLISHED_COLUMNS, ("compared_with", "series")
    rest = [column for column in table if column not in (*first, *last)]
    return table[[*first, *rest, *last]].copy()


def aside_rows(nights: NightSet) -> pd.DataFrame:
    """Rows for files that are part of no night, with the reason in `error`."""
    columns = {
        "file": [str(item.path) for item in nights.aside],
        "night": "",
        "series": "",
        "date_obs": "",
        "error": [item.reason.removeprefix("unreadable: ") for item in nights.aside],
    }
    return pd.DataFrame(columns, dtype=object)
