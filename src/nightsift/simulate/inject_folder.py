"""Somebody's own good frames with defects put into some of them, in a new folder."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.files import making_folder
from nightsift.fits.folders import find_files
from nightsift.fits.header import FrameInfo
from nightsift.fits.labels import find_label_csvs, match_labels, read_label_csv
from nightsift.fits.reader import PACKED_SUFFIXES, UnreadableFrame, read_frame
from nightsift.night.grouping import NightFiles, group_nights
from nightsift.simulate.inject import inject, take_apart
from nightsift.simulate.occurrences import Occurrence, apply
from nightsift.simulate.processes import Progress, make_all
from nightsift.simulate.spells import DefectSpec, plan_defects
from nightsift.simulate.tables import FrameTruth

log = logging.getLogger(__name__)

RECORD = "injection.json"
_FRAMES_PER_JOB = 6


class Job(NamedTuple):
    """Some frames of one night, made by one process.

    Attributes:
        folder: where they go.
        frames: (source, new name, defects, seed) of each.
    """

    folder: Path
    frames: list[tuple[Path, str, list[Occurrence], np.random.SeedSequence]]


def inject_folder(
    source: Path,
    out: Path,
    spec: DefectSpec,
    *,
    seed: int = 0,
    max_gap_h: float = 4.0,
    workers: int = 0,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the good frames of `source` to `out`, some of them with defects.

    Where label tables lie in `source` only frames labelled good are taken, otherwise all.
    Frames keep their header, data type and order in time; the source is only read.

    Args:
        source: folder of frames, or of night folders.
        out: a new folder; gets one folder per night with `labels.csv` and `truth.csv`.
        spec: how many defects, and how strong.
        seed: of everything.
        max_gap_h: a longer pause begins another night, hours.
        workers: processes; 0 for as many as there are cores, if the work is worth it.
        progress: called with (frames done, frames to do).

    Returns:
        The night folders.

    Raises:
        NightsiftError: there is no good frame.
        FileExistsError: `out` exists.
    """
    nights = group_nights(good_frames(source), max_gap_h=max_gap_h)
    with making_folder(out) as temporary:
        jobs = _plan(nights, temporary, spec, seed)
        pixels = sum(info.width * info.height for night in nights for info in night.infos)
        folders = make_all(
            make_frames, jobs, pixels=float(pixels), workers=workers, progress=progress
        )
        record = {"seed": seed, **asdict(spec)}
        (temporary / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return [out / folder.name for folder in folders]


def good_frames(source: Path) -> dict[Path, FrameInfo]:
    """The frames to use; those labelled otherwise, without label or unreadable are counted."""
    files = find_files(source)
    tables = [read_label_csv(path) for path in find_label_csvs(source)]
    labels = match_labels(tables, files).labels if tables else dict.fromkeys(files, 0)
    infos: dict[Path, FrameInfo] = {}
    unreadable: list[str] = []
    good = [path for path in files if labels.get(path) == 0]
    for path in good:
        try:
            infos[path] = read_frame(path).info
        except UnreadableFrame as error:
            unreadable.append(f"{path.name}: {error}")
    bad = sum(label == 1 for label in labels.values())
    log.info(
        "%s: %d files, %d good frames used; left out: %d bad, %d without label, %d unreadable%s",
        *(source, len(files), len(infos), bad, len(files) - bad - len(good), len(unreadable)),
        "" if tables else " (no label table: all are taken for good)",
    )
    for line in unreadable:
        log.warning("unreadable: %s", line)
    if not infos:
        raise NightsiftError(
            f"{source}: expected frames that are good, found {len(files)} files of which {bad} are "
            f"labelled bad and {len(unreadable)} are unreadable: give frames without defects"
        )
    return infos


def _plan(nights: Sequence[NightFiles], root: Path, spec: DefectSpec, seed: int) -> list[Job]:
    jobs: list[Job] = []
    seeds = np.random.SeedSequence(seed).spawn(len(nights))
    for number, (night, night_seed) in enumerate(zip(nights, seeds, strict=True), start=1):
        folder = root / f"night-{number:03d}"
        plan_seed, *frame_seeds = night_seed.spawn(len(night.files) + 1)
        plan = plan_defects(np.random.default_rng(plan_seed), _times(night), spec)
        names = unique_names(night.files)
        frames = list(zip(night.files, names, plan, frame_seeds, strict=True))
        for first in range(0, len(frames), _FRAMES_PER_JOB):
            jobs.append(Job(folder, frames[first : first + _FRAMES_PER_JOB]))
    return jobs


def _times(night: NightFiles) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(T,) seconds after the first frame; a minute apart where there are no times."""
    times = [info.time for info in night.infos]
    first = times[0]
    seconds = [
        (time - first).total_seconds() if time and first and night.timed else 60.0 * i
        for i, time in enumerate(times)
    ]
    return np.array(seconds)


def unique_names(files: Sequence[Path]) -> list[str]:
    """File names without packing suffixes; a name that came before gets a number."""
    names: list[str] = []
    for path in files:
        name = path.name
        while name.lower().endswith(PACKED_SUFFIXES):
            name = name[: name.rindex(".")]
        if name.lower() in (other.lower() for other in names):
            stem, dot, suffix = name.rpartition(".")
            name = f"{stem}_{len(names):04d}{dot}{suffix}"
        names.append(name)
    return names


def make_frames(job: Job) -> list[FrameTruth]:
    """Write the frames of a job and say what was done to them."""
    return [_make_frame(job.folder, *frame) for frame in job.frames]


def _make_frame(
    folder: Path,
    source: Path,
    name: str,
    occurrences: list[Occurrence],
    seed: np.random.SeedSequence,
) -> FrameTruth:
    frame, header = read_frame(source), header_of(source)
    rng = np.random.default_rng(seed)
    parts = take_apart(frame.pixels, header, frame.info.exposure_s)
    effect, truths = apply(occurrences, parts.facts, rng)
    pixels = inject(frame.pixels, parts, effect, rng) if occurrences else frame.pixels
    write_frame(folder / name, pixels, header)
    facts = parts.facts
    return FrameTruth(
        name,
        truths,
        {
            "fwhm_px": facts.fwhm_px,
            "noise_e": facts.noise_e,
            "gain_e_adu": facts.gain_e_adu,
            "gain_known": float(parts.gain_known),
        },
    )


def write_frame(path: Path, pixels: npt.NDArray[Any], header: fits.Header) -> None:
    """The header goes out as it came in, with its flaws."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits.writeto(path, pixels, header, output_verify="silentfix+ignore")


def header_of(path: Path) -> fits.Header:
    """The cards of the image that `read_frame` reads, less those that describe its storage."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, ignore_missing_end=True) as hdus:
            image = next(hdu for hdu in hdus if len(getattr(hdu, "shape", ())) >= 2)
            header = image.header.copy(strip=True)
            for card in hdus[0].header.copy(strip=True).cards if image is not hdus[0] else ():
                if card.keyword not in header and card.keyword not in ("COMMENT", "HISTORY", ""):
                    header.append(card)
    for key in ("BZERO", "BSCALE", "BLANK", "ZBLANK", "CHECKSUM", "DATASUM", "EXTNAME", "INHERIT"):
        header.remove(key, ignore_missing=True, remove_all=True)
    return header
