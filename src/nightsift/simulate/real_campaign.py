"""Labelled real nights as training data: as they are, with defects put in, and benign copies."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from nightsift.errors import NightsiftError
from nightsift.simulate.copies.catalogue import COPIES
from nightsift.simulate.copy_folder import copy_folder
from nightsift.simulate.inject_folder import good_frames, inject_folder
from nightsift.simulate.processes import Progress
from nightsift.simulate.spells import DefectSpec

log = logging.getLogger(__name__)

# A folder is one unit, also a series of one frame a night.
_MAX_GAP_H = 1e6
# Fewer good frames are no night to put defects into.
FEWEST_GOOD = 6


@dataclass(frozen=True, kw_only=True)
class RealSpec:
    """Which real nights are trained on, and how many nights are made of each.

    Attributes:
        nights: folders of labelled nights, each a folder of frames.
        leave_out: beginnings of the names of nights that are not taken: those of a telescope.
        injected_frames: about so many frames with and without defects are made of each night.
        copies: kinds of benign copies of each; none of them for all.
        injected_copies: kinds of copies that defects are put into.
        defects: that are put in.
        seed: of everything.

    Raises:
        NightsiftError: a kind is unknown.
    """

    nights: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    injected_frames: int = 360
    copies: Sequence[str] = ()
    injected_copies: Sequence[str] = ("defocus", "rotation")
    defects: DefectSpec = field(default_factory=lambda: DefectSpec(bad_fraction=0.3, singles=0.5))
    seed: int = 0

    def __post_init__(self) -> None:
        for kind in (*self.copies, *self.injected_copies):
            COPIES.find(kind)


def make_real_campaign(
    out: Path, spec: RealSpec, *, workers: int = 0, progress: Progress | None = None
) -> list[Path]:
    """The nights of `spec`, their injected versions and copies; what was made before is taken.

    Args:
        out: where they are kept, one folder per night and recipe.
        spec: what to make.
        workers: processes; 0 for as many as there are cores.
        progress: called with (nights done, nights to do).

    Returns:
        Folders for training: labelled ones of `spec.nights` themselves come first.

    Raises:
        NightsiftError: there is no such night, or all are left out.
    """
    sources = _sources(spec)
    made: list[Path] = list(sources)
    for number, source in enumerate(sources):
        if progress:
            progress(number, len(sources))
        made += _made_of(source, out / f"{source.name}-{_recipe(spec)}", spec, workers)
    return made


def _sources(spec: RealSpec) -> list[Path]:
    found = [
        night
        for root in map(Path, spec.nights)
        for night in sorted(root.iterdir() if root.is_dir() else ())
        if night.is_dir()
    ]
    kept = [night for night in found if not night.name.startswith(tuple(spec.leave_out) or ("\0",))]
    if not kept:
        raise NightsiftError(
            f"real.nights={list(spec.nights)}: expected folders of labelled nights, found "
            f"{len(found)}, all of which are left out"
        )
    return kept


def _recipe(spec: RealSpec) -> str:
    """Eight hex digits of what is made of a night, whichever nights there are."""
    facts = {
        key: value for key, value in asdict(spec).items() if key not in ("nights", "leave_out")
    }
    text = json.dumps(facts, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _made_of(source: Path, out: Path, spec: RealSpec, workers: int) -> list[Path]:
    try:
        good = len(good_frames(source))
    except NightsiftError as error:
        log.info("%s: labels alone are trained on (%s)", source.name, error)
        return []
    folders = []
    if good >= FEWEST_GOOD:
        for turn in range(int(np.clip(np.ceil(spec.injected_frames / good), 1, 12))):
            folder, seed = out / f"injected-{turn}", spec.seed + turn
            folders.append(injected(source, folder, spec.defects, seed=seed, workers=workers))
    for kind in spec.copies or tuple(COPIES):
        folder = out / f"copy-{kind}"
        folders.append(copied(source, folder, kind, seed=spec.seed, workers=workers))
        if kind in spec.injected_copies and good >= FEWEST_GOOD:
            within = out / f"copy-{kind}-injected"
            folders.append(injected(folder, within, spec.defects, seed=spec.seed, workers=workers))
    return folders


def injected(source: Path, out: Path, defects: DefectSpec, *, seed: int, workers: int = 0) -> Path:
    """`inject_folder` for a folder that is one unit; `out` as it is where it was made before."""
    if not out.exists():
        inject_folder(source, out, defects, seed=seed, max_gap_h=_MAX_GAP_H, workers=workers)
    return out


def copied(source: Path, out: Path, kind: str, *, seed: int, workers: int = 0) -> Path:
    """`copy_folder` for a folder that is one unit; `out` as it is where it was made before."""
    if not out.exists():
        copy_folder(source, out, [kind], seed=seed, max_gap_h=_MAX_GAP_H, workers=workers)
    return out
