"""A folder of frames to verdicts: measured, cleared of calibration frames, judged, explained."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from nightsift.data.cache import TensorCache
from nightsift.data.catalogue import Catalogue, Sources, build_catalogue
from nightsift.data.inputs import attach_compared
from nightsift.data.joint_reading import fill_caches
from nightsift.data.windows import check_window
from nightsift.errors import NightsiftError
from nightsift.fits.calibration import calibration_kind
from nightsift.fits.folders import find_files
from nightsift.fits.header import FrameInfo
from nightsift.judge.table import compare_files, measure_files
from nightsift.look.measure import Measured
from nightsift.models.card import ModelCard
from nightsift.sorting.moving import REJECTED
from nightsift.sorting.verdicts import add_verdicts

if TYPE_CHECKING:
    from nightsift.models.weights import LoadedModel

log = logging.getLogger(__name__)

Bar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


class Sorted(NamedTuple):
    """Verdicts of one run, and what they rest on.

    Attributes:
        table: one row per file: the contract's columns, `verdict`, `explanation`.
        features: what was measured, one row per judged file.
        catalogue: the frames.
        measured: what was measured on each file, stars included.
        card: of the weights.
    """

    table: pd.DataFrame
    features: pd.DataFrame
    catalogue: Catalogue
    measured: dict[Path, Measured]
    card: ModelCard


def sort_frames(
    sources: Sources,
    cache: TensorCache,
    load: Callable[[], LoadedModel],
    store: Path,
    *,
    bar: Bar,
    workers: int = 0,
    processes: bool = True,
    batch: int = 32,
) -> Sorted:
    """Judge every frame of `sources`.

    Frames in folders called `rejected` were judged before and are passed over; bias, dark and
    flat frames get a row that says so and no verdict.

    Args:
        sources: folders of frames.
        cache: tensors of the weights' transform.
        load: gives the weights; called while files are read, for torch takes seconds to import.
        store: folder of measurements.
        bar: makes a progress bar from what it is for.
        workers: files read at the same time; 0 means one per core.
        processes: measure in processes instead of threads, as for `measure_night`.
        batch: frames encoded at once.

    Raises:
        NightsiftError: there is nothing to judge, or a label table is wrong.
    """
    load = functools.cache(load)
    files, passed_over = _files_to_judge(sources)
    with bar("reading frames") as progress:
        fill_caches(
            files,
            cache,
            store,
            workers=workers,
            processes=processes,
            progress=progress,
            meanwhile=load,
        )
    with bar("measuring frames") as progress:
        measured = measure_files(
            files, store=store, workers=workers, processes=processes, progress=progress
        )
    loaded = load()
    check_window(loaded.card.window)
    left_out = _calibration_frames(measured)
    if len(left_out) == len(measured):
        raise NightsiftError(f"no frames of the sky among {len(files)} files")
    sources = replace(sources, passed_over=passed_over, left_out=left_out)
    with bar("making tensors") as progress:
        catalogue = build_catalogue(sources, cache, progress=progress)
    features = compare_files(
        {path: item for path, item in measured.items() if path not in left_out},
        max_gap_h=sources.max_gap_h,
    )
    if loaded.model.uses_inputs:
        attach_compared(catalogue, features)
    _tell_mixtures(catalogue)
    from nightsift.training.evaluation import predict_catalogue

    with bar("judging frames") as progress:
        table = predict_catalogue(
            loaded.model, loaded.card, cache, catalogue, batch=batch, progress=progress
        )
    log.info("%s", catalogue.summary())
    table = add_verdicts(table, features, loaded.card)
    return Sorted(table, features, catalogue, measured, loaded.card)


def _files_to_judge(sources: Sources) -> tuple[list[Path], frozenset[Path]]:
    """The files of the folders, and those that are passed over."""
    files = [path for folder in sources.seq_dirs for path in find_files(folder)]
    old = {path for path in files if path.parent.name == REJECTED}
    if old:
        log.info("%d frames in folders called %s are passed over", len(old), REJECTED)
    old |= sources.passed_over
    if old.issuperset(files):
        raise NightsiftError("no frames to judge")
    return [path for path in files if path not in old], frozenset(old)


def _calibration_frames(measured: dict[Path, Measured]) -> dict[Path, str]:
    """Why each calibration frame is left out."""
    reasons: dict[Path, str] = {}
    kinds: Counter[str] = Counter()
    for path, item in measured.items():
        if item.info is None:
            continue
        kind = calibration_kind(path, item.info, item.features.get("n_stars", 0.0))
        if kind:
            kinds[kind] += 1
            reasons[path] = f"a {kind} frame"
    if kinds:
        found = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        log.warning("%d calibration frames are left out: %s", len(reasons), found)
    return reasons


def _tell_mixtures(catalogue: Catalogue) -> None:
    """A line for each folder with frames that were not taken alike."""
    by_folder: dict[Path, list[FrameInfo]] = {}
    for record in catalogue.records:
        if record.info is not None:
            by_folder.setdefault(record.path.parent, []).append(record.info)
    for folder, infos in by_folder.items():
        for what, values in (
            ("image sizes", [f"{info.width}x{info.height}" for info in infos]),
            ("filters", [info.filter or "none" for info in infos]),
            ("telescopes", [info.telescope or "none" for info in infos]),
        ):
            found = Counter(values)
            if len(found) > 1:
                listed = ", ".join(f"{count} of {value}" for value, count in found.most_common(4))
                log.warning("%s: %d %s, judged apart: %s", folder, len(found), what, listed)
