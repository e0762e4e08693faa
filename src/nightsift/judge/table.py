"""Folders of frames to the table of features: in parallel, resumable, one row per file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.look.measure import Measured, measure_file
from nightsift.look.parallel import make_pool
from nightsift.look.store import MeasuredStore, stamp_of
from nightsift.night.comparison import compare_night, night_features
from nightsift.night.grouping import Night, group_nights

Progress = Callable[[int, int], None]
Measure = Callable[[Path], Measured]
Result = TypeVar("Result")

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
    files: Sequence[Path],
    *,
    store: Path | None = None,
    workers: int = 0,
    processes: bool = False,
    max_gap_h: float = 4.0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Measure files and compare those of each night: one row per file, nights in time order.

    Args:
        files: FITS files of one or many nights.
        store: folder to keep measurements in, so that the next run makes only the missing
            ones; None keeps nothing.
        workers: files measured at the same time; 0 means one per core.
        processes: measure in processes instead of threads; twice as fast for small frames, but
            only for programs with an `if __name__ == "__main__"`.
        max_gap_h: a longer pause begins another night, hours.
        progress: called with (files done, all files).

    Returns:
        The published columns with a meaning (`xc`, `yc`: where the centre of the reference
        frame lies in this one; `disp`: distance from the smooth drift, px; `fwhm_proxy`: FWHM,
        px; `streak`: significance of the best line; `flux_jump`: share of the star light that
        is missing), then every feature, and `error` for files that hold no frame.

    Raises:
        NightsiftError: none of the files holds a frame.
    """
    measured = measure_files(
        files, store=store, workers=workers, processes=processes, progress=progress
    )
    return compare_files(measured, max_gap_h=max_gap_h)


def compare_files(measured: Mapping[Path, Measured], *, max_gap_h: float = 4.0) -> pd.DataFrame:
    """The table of `measure_night` from what `measure_files` found."""
    parts = [
        compare_night(night_features(night, [measured[path] for path in night.files]))
        for night in nights_of(measured, max_gap_h=max_gap_h)
    ]
    return _ordered(parts, unreadable_rows(measured))


def measure_files(
    files: Sequence[Path],
    *,
    store: Path | None = None,
    workers: int = 0,
    processes: bool = False,
    measure: Measure = measure_file,
    progress: Progress | None = None,
) -> dict[Path, Measured]:
    """Measure each file once, several at a time, and keep the results on disk as they come.

    Args:
        files: FITS files.
        store: as for `measure_night`, likewise the others.
        workers: how many at the same time.
        processes: in processes instead of threads.
        measure: one file to its features; never raises because of what the file holds. The
            store knows only one way of measuring.
        progress: called with (files done, all files).
    """
    stores = {folder: MeasuredStore(store, folder) for folder in _folders(files)} if store else {}
    done = {path: stores[path.parent].get(path) for path in files} if store else {}
    results = {path: item for path, item in done.items() if item is not None}
    workers = workers or os.cpu_count() or 1
    missing = [path for path in dict.fromkeys(files) if path not in results]
    with make_pool(workers, len(missing), processes=processes) as pool:
        for path, stamp, item in in_parallel(pool, missing, 2 * workers, measure):
            results[path] = item
            if store:
                stores[path.parent].put(path, stamp, item)
            if progress:
                progress(len(results), len(files))
    return {path: results[path] for path in files}


def _folders(files: Sequence[Path]) -> list[Path]:
    return list(dict.fromkeys(path.parent for path in files))


def in_parallel(
    pool: Executor,
    files: Sequence[Path],
    ahead: int,
    measure: Callable[[Path], Result],
    meanwhile: Callable[[], object] = lambda: None,
) -> Iterator[tuple[Path, list[int], Result]]:
    """Path, stamp before reading, and result, as they become ready.

    Only `ahead` files and their results are in memory at any time. `meanwhile` is called when
    the first of them are on their way.
    """
    waiting = iter(files)
    running = {pool.submit(_stamped, path, measure) for path in islice(waiting, ahead)}
    meanwhile()
    while running:
        finished, running = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            yield future.result()
        running |= {pool.submit(_stamped, path, measure) for path in islice(waiting, len(finished))}


def _stamped(path: Path, measure: Callable[[Path], Result]) -> tuple[Path, list[int], Result]:
    # Before reading: a file that grows meanwhile is measured again.
    stamp = stamp_of(path)
    return path, stamp, measure(path)


def nights_of(measured: Mapping[Path, Measured], *, max_gap_h: float) -> list[Night]:
    """Nights of the files that hold a frame.

    Raises:
        NightsiftError: none does.
    """
    infos = {path: item.info for path, item in measured.items() if item.info is not None}
    if not infos:
        path, item = next(iter(measured.items()))
        raise NightsiftError(
            f"none of {len(measured)} files holds a frame to measure, e.g. {path}: {item.error}"
        )
    return group_nights(infos, max_gap_h=max_gap_h)


def unreadable_rows(measured: Mapping[Path, Measured]) -> pd.DataFrame:
    """Rows for files that hold no frame, with the reason in `error`."""
    errors = {str(path): item.error for path, item in measured.items() if item.info is None}
    columns = {"file": list(errors), "night": "", "date_obs": "", "error": list(errors.values())}
    return pd.DataFrame(columns, dtype=object)


def _ordered(parts: Sequence[pd.DataFrame], failed: pd.DataFrame) -> pd.DataFrame:
    table = pd.concat([*parts, failed], ignore_index=True)
    told = table["error"].fillna("") if "error" in table else ""
    meaning = {
        "index": np.arange(len(table)),
        "disp": table["jump_px"],
        "fwhm_proxy": table["fwhm_px"],
        "streak": table["streak_significance"],
        "flux_jump": 1 - np.exp(table["slow_transparency"].astype(float)),
    }
    meaning["error"] = told
    table = pd.concat([table.drop(columns="error", errors="ignore"), pd.DataFrame(meaning)], axis=1)
    rest = [column for column in table if column not in PUBLISHED_COLUMNS]
    return table[[*PUBLISHED_COLUMNS, *rest]].copy()
