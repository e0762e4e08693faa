"""The one reader: folders of frames to nights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from nightsift.errors import NightsiftError
from nightsift.look.look import Look, Wanted
from nightsift.look.reading import Progress, look_at
from nightsift.look.store import LookStore
from nightsift.night.grouping import group_nights
from nightsift.night.making import NightPlan, make_nights
from nightsift.night.night import Aside, Label, NightSet
from nightsift.night.sources import Sources, find_sources, read_labels, warn_listed

# Makes a progress bar of what it is for.
Bar = Callable[[str], AbstractContextManager[Progress]]


@contextmanager
def no_bar(what: str) -> Iterator[Progress]:
    """A progress bar that shows nothing."""
    del what
    yield lambda done, total: None


def read_nights(
    sources: Sources,
    wanted: Wanted,
    store: LookStore,
    *,
    leave_out: Callable[[Look], str] = lambda look: "",
    workers: int = 0,
    processes: bool = False,
    bar: Bar = no_bar,
    once_reading: Callable[[], object] = lambda: None,
) -> NightSet:
    """Find, read, label, group and compare all frames of `sources`; each file is decoded once.

    Args:
        sources: folders and label tables.
        wanted: what to bring back of each file.
        store: where looks are kept.
        leave_out: why a frame is to be no part of a night ("a dark frame"), or "".
        workers: files read at the same time; 0 means one per core.
        processes: in processes instead of threads, as for `nightsift.look.reading.look_at`.
        bar: makes a progress bar.
        once_reading: called once while the first files are being read.

    Raises:
        NightsiftError: a folder is missing or empty, a label table is wrong or ambiguous, or
            not one file could be read.
    """
    files = find_sources(sources)
    everything = [*files.sequence, *files.mixed]
    with bar("reading frames") as progress:
        looks = look_at(
            everything,
            wanted,
            store,
            workers=workers,
            processes=processes,
            progress=progress,
            once_reading=once_reading,
        )
    labels = read_labels(sources, everything)
    aside = _aside(looks, labels, leave_out)
    kept = {look.path: look for look in looks if look.path not in aside}
    plans = _plans(kept, labels, files.sequence, sources.max_gap_h, ordered=True)
    plans += _plans(kept, labels, files.mixed, sources.max_gap_h, ordered=False)
    compared = wanted.measure is not None and wanted.measure.compared
    nights = make_nights(plans, compared=compared, workers=workers, processes=processes)
    return NightSet(tuple(nights), tuple(aside.values()))


def _aside(
    looks: Sequence[Look], labels: Mapping[Path, Label], leave_out: Callable[[Look], str]
) -> dict[Path, Aside]:
    """Files that belong to no night, unreadable ones first.

    Raises:
        NightsiftError: that is all of them.
    """
    unreadable = [look for look in looks if look.info is None]
    if len(unreadable) == len(looks):
        first = looks[0]
        raise NightsiftError(
            f"none of {len(looks)} files could be read; {first.path}: {first.error}"
        )
    warn_listed("unreadable files", [f"{look.path}: {look.error}" for look in unreadable])
    reasons = {look.path: f"unreadable: {look.error}" for look in unreadable}
    for look in looks:
        if look.info is not None and (why := leave_out(look)):
            reasons[look.path] = f"left out: {why}"
    if len(reasons) == len(looks):
        raise NightsiftError(f"no frames of the sky among {len(looks)} files")
    return {path: Aside(path, why, labels.get(path, Label())) for path, why in reasons.items()}


def _plans(
    looks: Mapping[Path, Look],
    labels: Mapping[Path, Label],
    files: Sequence[Path],
    max_gap_h: float,
    *,
    ordered: bool,
) -> list[NightPlan]:
    infos = {path: look.info for path in files if (look := looks.get(path)) and look.info}
    plans: list[NightPlan] = []
    for night in group_nights(infos, max_gap_h=max_gap_h):
        # Loose frames without a time share nothing: each is a unit of its own.
        whole = ordered or night.timed
        units = [night.files] if whole else [(path,) for path in night.files]
        for number, unit in enumerate(units, start=1):
            name = night.name if len(units) == 1 else f"{night.name}.{number}"
            members = tuple(looks[path] for path in unit)
            own = tuple(labels.get(path, Label()) for path in unit)
            facts = (night.folder_name, night.series)
            plans.append(NightPlan(name, members, own, ordered, night.timed, *facts))
    return plans
