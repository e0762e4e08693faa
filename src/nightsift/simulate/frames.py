"""The frames of a campaign: who makes which, and how each comes to be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from nightsift.simulate.detector import FixedPattern, draw_pattern
from nightsift.simulate.exposure import Scene, expose
from nightsift.simulate.header import Shot, file_name, make_header
from nightsift.simulate.instrument import Instrument
from nightsift.simulate.night import NightPlan, draw_night
from nightsift.simulate.occurrences import Occurrence, apply
from nightsift.simulate.processes import Progress, make_all
from nightsift.simulate.spells import DefectSpec, plan_defects, plan_single
from nightsift.simulate.tables import FrameTruth

_FRAMES_PER_JOB = 12


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


def night_jobs(
    folder: Path,
    instrument: Instrument,
    seed: np.random.SeedSequence,
    *,
    number: int,
    frames: int,
    defects: DefectSpec | None,
) -> list[Job]:
    """The work of one night in parts of up to a dozen frames.

    Args:
        folder: where they go.
        instrument: that takes them.
        seed: of the night; every frame draws from a seed of its own.
        number: of the night, from 0; names its target and date.
        frames: how many.
        defects: what goes wrong; None for a night of benign changes only.
    """
    plan_seed, pattern_seed, frames_seed = seed.spawn(3)
    rng = np.random.default_rng(plan_seed)
    plan = draw_night(rng, instrument, n=frames, number=number)
    wrong = plan_defects(rng, plan.time_s, defects or DefectSpec(bad_fraction=0.0))
    seeds = frames_seed.spawn(frames)
    every = [(i, i + 1, wrong[i], seeds[i]) for i in range(frames)]
    # Equal parts, so that processes end together.
    parts = np.array_split(np.arange(frames), -(-frames // _FRAMES_PER_JOB))
    return [Job(folder, plan, pattern_seed, [every[i] for i in part]) for part in parts]


def loose_job(
    folder: Path,
    instrument: Instrument,
    seed: np.random.SeedSequence,
    *,
    number: int,
    defects: DefectSpec,
) -> Job:
    """The work of one frame from anywhere in a night."""
    plan_seed, pattern_seed, frame_seed = seed.spawn(3)
    rng = np.random.default_rng(plan_seed)
    plan, i = draw_night(rng, instrument, n=12, number=5000 + number), int(rng.integers(12))
    frame = (i, number + 1, plan_single(rng, defects), frame_seed)
    return Job(folder, plan, pattern_seed, [frame])


def make_jobs(jobs: Sequence[Job], *, workers: int, progress: Progress | None) -> list[Path]:
    """Make the frames of all jobs with their tables; as `nightsift.simulate.processes.make_all`."""
    pixels = sum(np.prod(job.plan.instrument.detector.shape) * len(job.frames) for job in jobs)
    return make_all(make_frames, jobs, pixels=float(pixels), workers=workers, progress=progress)


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
