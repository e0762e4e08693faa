"""Copies of somebody's own good frames in which much changes and nothing is bad."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nightsift.errors import NightsiftError
from nightsift.files import making_folder
from nightsift.fits.reader import read_frame
from nightsift.night.grouping import NightFiles, group_nights
from nightsift.simulate.copies.catalogue import COPIES, ChangeOf, GivenNight, MakeCopy
from nightsift.simulate.inject import inject, take_apart
from nightsift.simulate.inject_folder import good_frames, header_of, unique_names, write_frame
from nightsift.simulate.moving import move_stars
from nightsift.simulate.processes import Progress, make_all
from nightsift.simulate.tables import FrameTruth

RECORD = "copies.json"
_FRAMES_PER_JOB = 6
_LOOKED_AT = 5


class Job(NamedTuple):
    """Some frames of one copy of a night, made by one process.

    Attributes:
        folder: where they go.
        frames: (source, new name, number in the night, seed) of each.
        kind: of the copy. make: its function. seed: of what its frames have in common.
        night: that it is a copy of.
    """

    folder: Path
    frames: list[tuple[Path, str, int, np.random.SeedSequence]]
    kind: str
    make: MakeCopy
    seed: np.random.SeedSequence
    night: GivenNight


def copy_folder(
    source: Path,
    out: Path,
    kinds: Sequence[str],
    *,
    seed: int = 0,
    max_gap_h: float = 4.0,
    workers: int = 0,
    progress: Progress | None = None,
) -> list[Path]:
    """Write copies of the good frames of `source` to `out`; every frame of them is good.

    Where label tables lie in `source` only frames labelled good are taken, otherwise all.
    Frames keep their header, data type and order in time; the source is only read.

    Args:
        source: folder of frames, or of night folders.
        out: a new folder; gets one folder per kind and night, with `labels.csv` whose notes
            name the kind and `truth.csv` with what was changed.
        kinds: of `COPIES`.
        seed: of everything.
        max_gap_h: a longer pause begins another night, hours.
        workers: processes; 0 for as many as there are cores, if the work is worth it.
        progress: called with (frames done, frames to do).

    Returns:
        The folders.

    Raises:
        NightsiftError: there is no good frame, or no such kind.
        FileExistsError: `out` exists.
    """
    for kind in kinds:
        COPIES.find(kind)
    nights = group_nights(good_frames(source), max_gap_h=max_gap_h)
    with making_folder(out) as temporary:
        jobs = _plan(nights, temporary, kinds, seed)
        pixels = sum(info.width * info.height for night in nights for info in night.infos)
        folders = make_all(
            make_frames,
            jobs,
            pixels=float(pixels * len(kinds)),
            workers=workers,
            progress=progress,
        )
        record = {"seed": seed, "copies": list(kinds)}
        (temporary / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return [out / folder.name for folder in folders]


def _plan(nights: Sequence[NightFiles], root: Path, kinds: Sequence[str], seed: int) -> list[Job]:
    jobs: list[Job] = []
    seeds = np.random.SeedSequence(seed).spawn(len(nights))
    for number, (night, night_seed) in enumerate(zip(nights, seeds, strict=True), start=1):
        described = _describe(night)
        names = unique_names(night.files)
        for kind, kind_seed in zip(kinds, night_seed.spawn(len(kinds)), strict=True):
            common, *own = kind_seed.spawn(len(night.files) + 1)
            frames = list(zip(night.files, names, range(len(names)), own, strict=True))
            folder = root / f"{kind}-{number:03d}"
            jobs += [
                Job(folder, frames[i : i + _FRAMES_PER_JOB], kind, COPIES[kind], common, described)
                for i in range(0, len(frames), _FRAMES_PER_JOB)
            ]
    return jobs


def _describe(night: NightFiles) -> GivenNight:
    """By some of its frames, spread over it."""
    picks = np.unique(np.linspace(0, len(night.files) - 1, _LOOKED_AT).round().astype(int))
    widths = []
    for path in (night.files[i] for i in picks):
        frame = read_frame(path)
        parts = take_apart(frame.pixels, header_of(path), frame.info.exposure_s)
        widths.append(parts.facts.fwhm_px)
    info = night.infos[0]
    return GivenNight(
        frames=len(night.files),
        shape=(info.height, info.width),
        fwhm_px=float(np.median(widths)),
    )


def make_frames(job: Job) -> list[FrameTruth]:
    """Write the frames of a job and say what was changed."""
    change_of = job.make(job.night, np.random.default_rng(job.seed))
    return [_make_frame(job, change_of, *frame) for frame in job.frames]


def _make_frame(
    job: Job,
    change_of: ChangeOf,
    source: Path,
    name: str,
    number: int,
    seed: np.random.SeedSequence,
) -> FrameTruth:
    frame, header = read_frame(source), header_of(source)
    if frame.pixels.shape != job.night.shape:
        raise NightsiftError(
            f"{source}: expected {job.night.shape} px like the rest of its night, found "
            f"{frame.pixels.shape}"
        )
    rng = np.random.default_rng(seed)
    change = change_of(number)
    parts = take_apart(frame.pixels, header, frame.info.exposure_s)
    parts = move_stars(
        parts,
        turn_deg=change.turn_deg,
        centre=change.centre,
        shift_px=change.shift_px,
        rng=rng,
    )
    pixels = inject(frame.pixels, parts, change.effect, rng)
    margin, (height, width) = change.crop_px, pixels.shape
    write_frame(
        job.folder / name, pixels[margin : height - margin, margin : width - margin], header
    )
    return FrameTruth(name, [], change.facts, note=f"copy: {job.kind}")
