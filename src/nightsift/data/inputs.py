"""The measured numbers of each frame, beside its tensor."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.data.catalogue import Catalogue, NightData, Record
from nightsift.data.relative import (
    INPUT_NAMES,
    loose_inputs,
    night_inputs,
    relative_inputs,
)
from nightsift.judge.rules import REASONS
from nightsift.judge.table import measure_files
from nightsift.look.measure import Measured
from nightsift.look.parallel import make_pool
from nightsift.night.grouping import Night

Floats = npt.NDArray[np.float32]
CAUSES = tuple(reason for reason in REASONS if reason != "unreadable")
_WORD = re.compile(r"[a-z_]+")


def attach_inputs(
    catalogue: Catalogue,
    store: Path,
    *,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Measure every frame and compare it with its night; fills `Record.inputs`.

    Frames of a night see the whole night, whatever split they are in: no label is involved.

    Args:
        catalogue: its records are changed in place.
        store: folder of measurements, as for `nightsift.judge.table.measure_night`.
        workers: processes; 0 means one per core.
        progress: called with (files measured, all files).
    """
    files = [record.path for night in catalogue.nights for record in night.records]
    measured = measure_files(files, store=store, workers=workers, processes=True, progress=progress)
    nights = [_as_night(night) for night in catalogue.nights]
    items = [[measured[path] for path in night.files] for night in nights]
    ordered = [night.ordered for night in catalogue.nights]
    with make_pool(workers or os.cpu_count() or 1, len(files), processes=True) as pool:
        values = pool.map(_inputs, nights, items, ordered)
        for night, rows in zip(catalogue.nights, values, strict=True):
            for record, row in zip(night.records, rows, strict=True):
                record.inputs = row


def attach_compared(catalogue: Catalogue, features: pd.DataFrame) -> None:
    """Fill `Record.inputs` of nights from a table of `measure_night` of the same files."""
    by_file = features.set_index("file", drop=False)
    for night in catalogue.nights:
        rows = by_file.loc[[str(record.path) for record in night.records]]
        for record, values in zip(night.records, relative_inputs(rows), strict=True):
            record.inputs = values


def _as_night(night: NightData) -> Night:
    files = tuple(record.path for record in night.records)
    infos = tuple(record.info for record in night.records if record.info is not None)
    return Night(night.name, files[0].parent, files, infos, night.timed)


def _inputs(night: Night, measured: list[Measured], ordered: bool) -> Floats:
    """(N, F); a file that could not be read this time has none of its numbers."""
    known = [i for i, item in enumerate(measured) if item.info is not None]
    items = [measured[i] for i in known]
    out = np.full((len(measured), len(INPUT_NAMES)), np.nan, dtype=np.float32)
    if ordered and known:
        files = tuple(night.files[i] for i in known)
        infos = tuple(night.infos[i] for i in known)
        out[known] = night_inputs(replace(night, files=files, infos=infos), items)
    elif known:
        out[known] = loose_inputs(items)
    return out


def cause_targets(record: Record) -> list[float]:
    """1, 0 or -1 (unknown) for each of `CAUSES`.

    A good frame has none. The causes of a bad one are the words of its notes that name one
    ("cloud: thin, later a streak" names two); without any they are unknown.
    """
    if record.label == 0:
        return [0.0] * len(CAUSES)
    words = set(_WORD.findall(record.extras.get("notes", "").casefold()))
    found = [float(cause in words) for cause in CAUSES]
    return found if record.label == 1 and any(found) else [-1.0] * len(CAUSES)
