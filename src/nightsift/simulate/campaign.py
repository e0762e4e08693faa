"""A campaign on disk: nights in time order, a folder of mixed frames, labels, truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.files import making_folder
from nightsift.simulate.defects.catalogue import Occurrence, apply
from nightsift.simulate.detector import FixedPattern, draw_pattern
from nightsift.simulate.exposure import Scene, expose
from nightsift.simulate.header import Shot, file_name, make_header
from nightsift.simulate.instrument import Instrument
from nightsift.simulate.night import NightPlan, draw_night
from nightsift.simulate.spells import DefectSpec, plan_defects, plan_single
from nightsift.simulate.tables import FrameTruth, write_tables
from nightsift.simulate.work import Progress, in_processes, process_count

# Raised when the same spec no longer gives the same pixels.
FORMAT = 3
RECORD = "campaign.json"
_MIXED_BAD_FRACTION = 0.45
_FRAMES_PER_JOB = 12


@dataclass(frozen=True, kw_only=True)
class CampaignSpec:
    """What a campaign consists of; the same spec gives the same frames everywhere.

    Attributes:
        nights: nights in time order, >= 1; the instruments take turns.
        frames_per_night: >= 12.
        mixed_frames: loose frames, each of another field.
        instruments: names or files; empty for all that ship.
        max_side: of the central subframe that is read, px, >= 64; 0 for whole detectors.
        bad_fraction: share of bad frames in a night, 0-0.8; unless it is 0, a night has at
            least 3 of them.
        benign_fraction: share of nights with nothing bad in them, 0-1.
        faintest: lowest level of a defect, 0 (faint) to 1 (gross).
        grossest: highest level.
        kinds: of defects; empty for all.
        seed: of everything, >= 0.

    Raises:
        NightsiftError: a value is out of range.
    """

    nights: int
    frames_per_night: int
    mixed_frames: int
    instruments: list[str] = field(default_factory=list)
    max_side: int = 0
    bad_fraction: float = 0.25
    benign_fraction: float = 0.0
    faintest: float = 0.0
    grossest: float = 1.0
    kinds: list[str] = field(default_factory=list)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.nights < 1 or self.frames_per_night < 12 or self.mixed_frames < 0:
            raise NightsiftError(
                "campaign: expected nights >= 1, frames_per_night >= 12, mixed_frames >= 0; found "
                f"{self.nights}, {self.frames_per_night}, {self.mixed_frames}"
            )
        if self.max_side and self.max_side < 64:
            raise NightsiftError(
                f"campaign: expected max_side 0 or >= 64 px, found {self.max_side}"
            )
        if not 0 <= self.benign_fraction <= 1 or self.seed < 0:
            raise NightsiftError(
                "campaign: expected benign_fraction in 0-1 and seed >= 0, found "
                f"{self.benign_fraction} and {self.seed}"
            )
        _ = self.defects

    @property
    def defects(self) -> DefectSpec:
        """How many and how strong the defects of a night are."""
        return DefectSpec(
            bad_fraction=self.bad_fraction,
            faintest=self.faintest,
            grossest=self.grossest,
            kinds=self.kinds,
        )


class Campaign(NamedTuple):
    """Folder of night folders, and folder of mixed frames."""

    seq_dir: Path
    mixed_dir: Path


def make_campaign(
    out: Path,
    spec: CampaignSpec,
    instruments: Sequence[Instrument],
    *,
    workers: int = 0,
    progress: Progress | None = None,
) -> Campaign:
    """Write a campaign, or find it written.

    Everything is made in a temporary folder that is renamed to `out`; two processes may do
    so at once.

    Args:
        out: the campaign's folder.
        spec: what it consists of.
        instruments: those that the spec names.
        workers: processes; 0 for as many as there are cores, if the work is worth it.
        progress: called with (frames done, frames to do).

    Raises:
        NightsiftError: `out` exists and is something else, or a campaign of another spec.
        OSError: it cannot be written; nothing of it is left.
    """
    record = campaign_record(spec, instruments)
    if out.exists():
        return existing(out, record)
    try:
        with making_folder(out) as temporary:
            cropped = [instrument.cropped(spec.max_side) for instrument in instruments]
            _make_all(plan_campaign(temporary, spec, cropped), workers, progress)
            (temporary / RECORD).write_text(record, encoding="utf-8")
    except FileExistsError:  # another process was faster
        return existing(out, record)
    return Campaign(out / "nights", out / "mixed")


def campaign_record(spec: CampaignSpec, instruments: Sequence[Instrument]) -> str:
    """All that decides the pixels of a campaign, as JSON."""
    content = {"format": FORMAT, **asdict(spec), "telescopes": [asdict(i) for i in instruments]}
    return json.dumps(content, indent=2) + "\n"


def _make_all(jobs: Sequence[Job], workers: int, progress: Progress | None) -> None:
    folders = list(dict.fromkeys(job.folder for job in jobs))
    for folder in folders:
        folder.mkdir(parents=True)
    pixels = sum(np.prod(job.plan.instrument.detector.shape) * len(job.frames) for job in jobs)
    made = in_processes(
        make_frames,
        jobs,
        processes=process_count(workers, float(pixels)),
        weigh=lambda job: len(job.frames),
        progress=progress,
    )
    for folder in folders:
        parts = [part for job, part in zip(jobs, made, strict=True) if job.folder == folder]
        write_tables(folder, [row for part in parts for row in part])


def existing(out: Path, record: str) -> Campaign:
    """The campaign in `out`, if it is the one that `record` describes."""
    file = out / RECORD
    if not file.is_file() or file.read_text("utf-8") != record:
        raise NightsiftError(f"{out} exists and is not this campaign: choose another folder")
    return Campaign(out / "nights", out / "mixed")


class Job(NamedTuple):
    """Some frames of one night, made by one process.

    Attributes:
        folder: where they go.
        plan: the night.
        pattern_seed: of the camera's fixed pattern.
        frames: (index in the night, number in the name, defects, seed) of each.
    """

    folder: Path
    plan: NightPlan
    pattern_seed: np.random.SeedSequence
    frames: list[tuple[int, int, list[Occurrence], np.random.SeedSequence]]


def plan_campaign(root: Path, spec: CampaignSpec, instruments: Sequence[Instrument]) -> list[Job]:
    """All work of a campaign; each night and frame has its own seed."""
    seeds = np.random.SeedSequence(spec.seed).spawn(spec.nights + spec.mixed_frames)
    jobs: list[Job] = []
    for number, seed in enumerate(seeds):
        plan_seed, pattern_seed, frames_seed = seed.spawn(3)
        rng = np.random.default_rng(plan_seed)
        if number >= spec.nights:
            mixed = number - spec.nights
            instrument = instruments[int(rng.integers(len(instruments)))]
            # A loose frame comes from anywhere in its night.
            plan, i = draw_night(rng, instrument, n=12, number=5000 + mixed), int(rng.integers(12))
            single = plan_single(rng, mixed_defects(spec))
            frame = (i, mixed + 1, single, frames_seed)
            jobs.append(Job(root / "mixed", plan, pattern_seed, [frame]))
            continue
        instrument = instruments[number % len(instruments)]
        plan = draw_night(rng, instrument, n=spec.frames_per_night, number=number)
        benign = number < round(spec.benign_fraction * spec.nights)
        empty: list[list[Occurrence]] = [[] for _ in range(len(plan))]
        defects = empty if benign else plan_defects(rng, plan.time_s, spec.defects)
        frame_seeds = frames_seed.spawn(len(plan))
        frames = [(i, i + 1, defects[i], frame_seeds[i]) for i in range(len(plan))]
        folder = root / "nights" / f"toi-{number + 1:03d}"
        # Equal parts, so that processes end together.
        for part in np.array_split(np.arange(len(frames)), -(-len(frames) // _FRAMES_PER_JOB)):
            some = [frames[i] for i in part]
            jobs.append(Job(folder, plan, pattern_seed, some))
    return jobs


def mixed_defects(spec: CampaignSpec) -> DefectSpec:
    """Of the loose frames: more of them, and none that an observer would hesitate about."""
    return DefectSpec(
        bad_fraction=_MIXED_BAD_FRACTION if spec.bad_fraction else 0.0,
        faintest=min(max(spec.faintest, 0.3), spec.grossest),
        grossest=spec.grossest,
        kinds=spec.kinds,
    )


def make_frames(job: Job) -> list[FrameTruth]:
    """Write the frames of a job and say what is in them."""
    pattern = draw_pattern(job.plan.instrument, np.random.default_rng(job.pattern_seed))
    return [_make_frame(job, pattern, *frame) for frame in job.frames]


def _make_frame(
    job: Job,
    pattern: FixedPattern,
    i: int,
    number: int,
    occurrences: list[Occurrence],
    seed: np.random.SeedSequence,
) -> FrameTruth:
    plan, rng = job.plan, np.random.default_rng(seed)
    effect, truths = apply(occurrences, plan.scene(i).facts, rng)
    scene = plan.scene(i, effect)
    pixels = expose(scene, pattern, rng)
    shot = Shot(
        instrument=plan.instrument,
        target=plan.target,
        band=plan.bands[i],
        start=plan.start + timedelta(seconds=float(plan.time_s[i])),
        exposure_s=plan.exposure_s,
        number=number,
        altitude_deg=float(plan.altitude_deg[i]),
        airmass=float(plan.airmass[i]),
        declination_deg=plan.declination_deg,
    )
    name = file_name(shot)
    fits.writeto(job.folder / name, pixels, make_header(shot))
    return FrameTruth(name, truths, _facts(plan, i, scene))


def _facts(plan: NightPlan, i: int, scene: Scene) -> dict[str, float]:
    return {
        "fwhm_px": float(plan.fwhm_px[i]),
        "sky_e": float(plan.sky_e[i]),
        "noise_e": scene.facts.noise_e,
        "airmass": float(plan.airmass[i]),
        "shift_x_px": float(plan.shift_px[i, 0]),
        "shift_y_px": float(plan.shift_px[i, 1]),
        "flipped": float(plan.flipped[i]),
        "target_dip": float(1 - plan.dip[i]),
    }
