"""What the benchmark on real telescopes judges: real nights, defects put into them, copies."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nightsift.errors import NightsiftError
from nightsift.files import link_or_copy, making_folder
from nightsift.fits.folders import find_files
from nightsift.simulate.copies.catalogue import COPIES
from nightsift.simulate.inject_folder import good_frames
from nightsift.simulate.real_campaign import FEWEST_GOOD, copied, injected
from nightsift.simulate.spells import DefectSpec

SPEC = DefectSpec(bad_fraction=0.25, singles=0.5)
REAL, INJECTED, LONE, SHORT = "real", "injected", "lone", "short"
# About as many frames of a folder are to be injected, or be copies of a kind, with so many
# seeds at most.
_WANTED, _WANTED_COPIED, _MOST_SEEDS = 90, 30, 6
_TOGETHER = 3


class Part(NamedTuple):
    """A folder that is judged by itself.

    Attributes:
        telescope: that took the frames.
        group: `real`, `injected`, `lone`, `short` or the kind of a copy.
        folder: of nights.
    """

    telescope: str
    group: str
    folder: Path


def telescope_of(name: str, table: dict[str, str]) -> str:
    """By the longest prefix of a folder's name in `table`, else what stands before the first _."""
    known = [prefix for prefix in table if name.startswith(prefix)]
    return table[max(known, key=len)] if known else name.partition("_")[0]


def make_parts(
    nights: Path,
    work: Path,
    table: dict[str, str],
    *,
    only: Sequence[str] = (),
    kinds: Sequence[str] = (),
    seeds: int = 0,
    alone: int = 24,
) -> list[Part]:
    """Everything there is to judge; what was made before is taken as it is.

    Args:
        nights: a folder of labelled folders of frames.
        work: where injected frames and copies are kept.
        table: prefix of a folder's name to the name of its telescope.
        only: these telescopes; empty for all.
        kinds: of copies; empty for all.
        seeds: sets of injected defects, and copies of a kind, per folder; 0 for as many as make
            about 90 frames, and 30.
        alone: frames of a folder that are judged alone, and in threes.
    """
    parts: list[Part] = []
    for folder in sorted(path for path in nights.iterdir() if path.is_dir()):
        telescope = telescope_of(folder.name, table)
        if only and telescope not in only:
            continue
        parts.append(Part(telescope, REAL, folder))
        try:
            good = len(good_frames(folder))
        except NightsiftError:
            continue
        own = work / folder.name
        if good >= FEWEST_GOOD:
            for seed in range(seeds or _seeds(_WANTED, good, 2)):
                out = injected(folder, own / f"injected-{seed}", SPEC, seed=seed, workers=1)
                parts.append(Part(telescope, INJECTED, out))
            parts += _few(telescope, own, alone)
        for kind in kinds or COPIES:
            for seed in range(seeds or _seeds(_WANTED_COPIED, good, 1)):
                out = copied(folder, own / f"{kind}-{seed}", kind, seed=seed, workers=1)
                parts.append(Part(telescope, kind, out))
    return parts


def _seeds(wanted: int, good: int, fewest: int) -> int:
    return int(np.clip(np.ceil(wanted / good), fewest, _MOST_SEEDS))


def _few(telescope: str, own: Path, alone: int) -> list[Part]:
    """Frames of the first injected set alone, and three in a row."""
    parts = []
    for group, size in ((LONE, 1), (SHORT, _TOGETHER)):
        out = own / group
        if not out.exists():
            with making_folder(out) as temporary:
                for night in sorted(path for path in (own / "injected-0").iterdir()):
                    if night.is_dir():
                        _link(night, temporary, size, alone // size)
        parts += [Part(telescope, group, folder) for folder in sorted(out.iterdir())]
    return parts


def _link(night: Path, out: Path, size: int, runs: int) -> None:
    """Some evenly spread runs of `size` frames, each in a folder with its rows of the tables."""
    files = find_files(night)
    starts = np.arange(0, len(files) - size + 1, size)
    picks = starts[np.linspace(0, len(starts) - 1, min(len(starts), runs)).astype(int)]
    for start in picks:
        folder = out / f"{night.name}-{start:04d}"
        folder.mkdir()
        chosen = files[start : start + size]
        for path in chosen:
            link_or_copy(path, folder / path.name)
        for name in ("labels.csv", "truth.csv"):
            with (night / name).open(newline="", encoding="utf-8") as stream:
                header, *rows = csv.reader(stream)
            names = {path.name for path in chosen}
            with (folder / name).open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerows([header, *(row for row in rows if row[0] in names)])
