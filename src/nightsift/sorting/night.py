"""A folder of frames to verdicts: looked at, cleared of calibration frames, judged, explained."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.fits.calibration import calibration_kind
from nightsift.fits.folders import find_files
from nightsift.fits.header import FrameInfo
from nightsift.heuristics.limits import Limits
from nightsift.heuristics.table import feature_table
from nightsift.look.look import Look
from nightsift.look.store import LookStore
from nightsift.models.card import ModelCard
from nightsift.night.night import NightSet
from nightsift.night.reading import Bar, no_bar, read_nights
from nightsift.night.sources import Sources
from nightsift.sorting.ignore import check_ignored, ignore_reasons
from nightsift.sorting.limits import limit_verdicts
from nightsift.sorting.moving import REJECTED
from nightsift.sorting.verdicts import add_verdicts
from nightsift.training.card import wanted_by

if TYPE_CHECKING:
    from nightsift.models.weights import LoadedModel

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Verdicts of one run, and what they rest on.

    Attributes:
        table: one row per file: the contract's columns, `verdict`, `explanation`.
        features: what was measured, one row per file.
        nights: the frames.
        card: of the weights.
        ignored: reasons for which no frame was rejected.
        limits: that the observer has set.
    """

    table: pd.DataFrame
    features: pd.DataFrame
    nights: NightSet
    card: ModelCard
    ignored: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


def judge_folders(
    folders: list[Path],
    card: ModelCard,
    load: Callable[[], LoadedModel],
    store: LookStore,
    *,
    ignore: Sequence[str] = (),
    limits: Limits | None = None,
    max_gap_h: float = 4.0,
    passed_over: frozenset[Path] = frozenset(),
    workers: int = 0,
    processes: bool = False,
    batch: int = 32,
    picture_px: int = 0,
    bar: Bar = no_bar,
) -> Verdicts:
    """Judge every frame of some folders.

    Frames in folders called `rejected` were judged before and are passed over; bias, dark and
    flat frames get a row that says so and no verdict.

    Args:
        folders: nights, folders of nights, or single files.
        card: of the weights, which can be had before they are.
        load: gives the weights; called while files are read, for torch takes seconds to import.
        store: where looks are kept.
        ignore: reasons that are not to reject (`nightsift.sorting.ignore`).
        limits: beyond which a frame is bad, also where its reason is ignored; None for none.
        max_gap_h: a longer pause begins another night, hours.
        passed_over: files that are treated as if they were not there.
        workers: files read at the same time; 0 means one per core.
        processes: read in processes instead of threads, as for
            `nightsift.look.reading.look_at`.
        batch: frames encoded at once.
        picture_px: longer side of small pictures to keep for a report; 0 for none.
        bar: makes a progress bar.

    Raises:
        NightsiftError: there is nothing to judge, a label table is wrong, `ignore` names no
            reason, or the pixel scale that a limit needs is unknown.
    """
    ignored, limits = check_ignored(ignore, card.causes), limits or Limits()
    load = functools.cache(load)
    sources = Sources(
        seq_dirs=folders,
        max_gap_h=max_gap_h,
        passed_over=_rejected_before(folders) | passed_over,
    )
    nights = read_nights(
        sources,
        wanted_by(card, measured=True, picture_px=picture_px),
        store,
        leave_out=_calibration_frame,
        workers=workers,
        processes=processes,
        bar=bar,
        once_reading=load,
    )
    _warn_of_calibration_frames(nights)
    _warn_of_mixtures(nights)
    log.info("%s", nights.summary())
    features = feature_table(nights)
    # It imports torch, which is not to be waited for while files could be read.
    from nightsift.training.evaluation import score_with_causes

    with bar("judging frames") as progress:
        scored = score_with_causes(load(), nights, batch=batch, progress=progress)
    table = add_verdicts(scored.table, features, card)
    table = ignore_reasons(table, features, scored.causes, ignored)
    table = limit_verdicts(table, features, limits)
    return Verdicts(table, features, nights, card, ignored, limits)


def _rejected_before(folders: list[Path]) -> frozenset[Path]:
    files = [path for folder in folders for path in find_files(folder)]
    old = frozenset(path for path in files if path.parent.name == REJECTED)
    if old:
        log.info("%d frames in folders called %s are passed over", len(old), REJECTED)
    if old.issuperset(files):
        raise NightsiftError("no frames to judge")
    return old


def _calibration_frame(look: Look) -> str:
    assert look.info is not None
    kind = calibration_kind(look.path, look.info, look.features.get("n_stars", 0.0))
    return f"a {kind} frame" if kind else ""


def _warn_of_calibration_frames(nights: NightSet) -> None:
    kinds = Counter(item.reason for item in nights.aside if not item.unreadable)
    if kinds:
        found = ", ".join(f"{count} {why}" for why, count in kinds.items())
        log.warning("%d calibration frames: %s", kinds.total(), found)


def _warn_of_mixtures(nights: NightSet) -> None:
    """A line for each folder with frames that were not taken alike."""
    by_folder: dict[Path, list[FrameInfo]] = {}
    for night in nights.nights:
        for look in night.looks:
            if look.info is not None:
                by_folder.setdefault(look.path.parent, []).append(look.info)
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
