"""A small campaign on disk: nights in time order, a folder of mixed frames, labels, truth."""

from __future__ import annotations

import csv
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.simulate.defects import (
    CAUSES,
    MARGINAL_BELOW,
    SCENE_DEFECTS,
    SINGLES,
    SPELLS,
    Pixels,
    Truth,
    readout,
)
from nightsift.simulate.sky import Scene, StarField, Telescope, draw_field, draw_telescope, expose

FORMAT = 1
RECORD = "campaign.json"
_FIRST_NIGHT = datetime(2025, 1, 10, 20, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class CampaignSpec:
    """What a campaign consists of; the same spec gives the same bytes everywhere.

    Attributes:
        nights: nights in time order, >= 1.
        frames_per_night: >= 12.
        mixed_frames: loose frames, each of another telescope and field.
        height: of every frame, px, >= 64.
        width: likewise.
        bad_fraction: share of bad frames in a night, 0-0.6.
        seed: of everything.
    """

    nights: int = 3
    frames_per_night: int = 60
    mixed_frames: int = 90
    height: int = 256
    width: int = 320
    bad_fraction: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        if self.nights < 1 or self.frames_per_night < 12 or self.mixed_frames < 0:
            raise NightsiftError(
                "campaign: expected nights >= 1, frames_per_night >= 12, mixed_frames >= 0"
            )
        if min(self.height, self.width) < 64 or not 0 <= self.bad_fraction <= 0.6:
            raise NightsiftError("campaign: expected sides >= 64 px and bad_fraction in 0-0.6")


class Campaign(NamedTuple):
    """Folder of night folders, and folder of mixed frames."""

    seq_dir: Path
    mixed_dir: Path


class _Plan(NamedTuple):
    """One frame to be made."""

    name: str
    scene: Scene
    telescope: Telescope
    start: datetime
    target: str
    defects: list[tuple[str, float]]


def make_campaign(
    out: Path, spec: CampaignSpec, *, progress: Callable[[int, int], None] | None = None
) -> Campaign:
    """Write a campaign, or find it written.

    Everything is made in a temporary folder that is renamed to `out`; two processes may do
    so at once.

    Args:
        out: the campaign's folder.
        spec: what it consists of.
        progress: called with (frames done, frames to do).

    Raises:
        NightsiftError: `out` exists and is something else, or a campaign of another spec.
        OSError: it cannot be written; nothing of it is left.
    """
    if out.exists():
        return _existing(out, spec)
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    total = spec.nights * spec.frames_per_night + spec.mixed_frames
    done = 0
    try:
        for folder, plans, rng in _folders(temporary, spec):
            folder.mkdir(parents=True)
            truths = []
            for number, plan in enumerate(plans):
                truths.append(_write_frame(folder, plan, spec, rng[number]))
                done += 1
                if progress:
                    progress(done, total)
            _write_tables(folder, plans, truths)
        (temporary / RECORD).write_text(_record(spec), encoding="utf-8")
        try:
            temporary.rename(out)
        except OSError:
            if not out.exists():  # not another process that was faster
                raise
            return _existing(out, spec)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Campaign(out / "nights", out / "mixed")


def _record(spec: CampaignSpec) -> str:
    return json.dumps({"format": FORMAT, **asdict(spec)}, indent=2) + "\n"


def _existing(out: Path, spec: CampaignSpec) -> Campaign:
    record = out / RECORD
    if not record.is_file() or record.read_text("utf-8") != _record(spec):
        raise NightsiftError(f"{out} exists and is not this campaign: choose another folder")
    return Campaign(out / "nights", out / "mixed")


def _folders(
    root: Path, spec: CampaignSpec
) -> Iterator[tuple[Path, list[_Plan], list[np.random.Generator]]]:
    """Each folder with its frames and one generator per frame."""
    root.mkdir(parents=True)
    seeds = np.random.SeedSequence(spec.seed).spawn(spec.nights + 1)
    for number in range(spec.nights):
        plan_seed, *frame_seeds = seeds[number].spawn(spec.frames_per_night + 1)
        plans = _plan_night(number, spec, np.random.default_rng(plan_seed))
        rngs = [np.random.default_rng(seed) for seed in frame_seeds]
        yield root / "nights" / f"toi-{number + 1}", plans, rngs
    plan_seed, *frame_seeds = seeds[-1].spawn(spec.mixed_frames + 1)
    plans = _plan_mixed(spec, np.random.default_rng(plan_seed))
    yield root / "mixed", plans, [np.random.default_rng(seed) for seed in frame_seeds]


def _plan_night(number: int, spec: CampaignSpec, rng: np.random.Generator) -> list[_Plan]:
    telescope = draw_telescope(rng)
    stars = draw_field(rng, telescope, (spec.height, spec.width))
    defects = _plan_defects(spec.frames_per_night, spec.bad_fraction, rng)
    target = f"TOI-{1001 + number}.01"
    start = _FIRST_NIGHT + timedelta(days=3 * number)
    scenes = _benign_scenes(telescope, stars, spec.frames_per_night, number == 1, rng)
    return [
        _Plan(
            f"{target}_{i + 1:04d}.fits",
            scene,
            telescope,
            start + timedelta(seconds=telescope.cadence_s * i),
            target,
            defects[i],
        )
        for i, scene in enumerate(scenes)
    ]


def _benign_scenes(
    telescope: Telescope, stars: StarField, n: int, flips: bool, rng: np.random.Generator
) -> list[Scene]:
    """What a clear night does by itself: air mass, moon, seeing, drift, a transit, a flip."""
    phase = np.linspace(0, 1, n)
    air = 1 + 0.6 * (phase - rng.uniform(0.2, 0.8)) ** 2 * 4
    moon = 1 + rng.uniform(0, 1.0) * phase ** rng.uniform(1, 3)
    seeing = telescope.fwhm_px * (1 + 0.12 * np.cumsum(rng.normal(0, 1, n)) / np.sqrt(n))
    seeing = np.clip(seeing * air**0.6, 0.8 * telescope.fwhm_px, 1.6 * telescope.fwhm_px)
    drift = np.cumsum(rng.normal(0, 0.25, (n, 2)), axis=0) + np.outer(phase, rng.normal(0, 5, 2))
    dip = 1 - 0.012 * (np.abs(phase - 0.5) < 0.2)
    gradient = tuple(rng.normal(0, 0.04, 2))
    scenes = []
    for i in range(n):
        flux = stars.flux_e * 10 ** (-0.4 * 0.2 * (air[i] - 1))
        flux[0] *= dip[i]
        scenes.append(
            Scene(
                field=StarField(stars.x, stars.y, flux),
                shift_px=(float(drift[i, 0]), float(drift[i, 1])),
                flipped=flips and i >= n // 2,
                fwhm_px=float(seeing[i]),
                sky_e=float(telescope.sky_e * moon[i] * air[i]),
                gradient=(float(gradient[0]), float(gradient[1])),
            )
        )
    return scenes


def _plan_defects(
    n: int, bad_fraction: float, rng: np.random.Generator
) -> list[list[tuple[str, float]]]:
    """Spells of two thirds of the bad frames, singles for the rest, and a few faint ones."""
    plan: list[list[tuple[str, float]]] = [[] for _ in range(n)]
    wanted = round(n * bad_fraction)
    kinds = list(rng.permutation(SPELLS))
    while sum(map(bool, plan)) < round(wanted * 0.66) and kinds:
        length = int(rng.integers(3, max(4, wanted // 2 + 1)))
        start = int(rng.integers(0, n - length))
        if any(plan[max(0, start - 2) : start + length + 2]):
            kinds = [*kinds[1:], kinds[0]] if rng.random() < 0.9 else kinds[1:]
            continue
        # Onset and end are weaker than the middle, as clouds are.
        peak = rng.uniform(0.5, 1.0)
        shape = np.sin(np.pi * (np.arange(length) + 0.7) / (length + 0.4)) ** 0.5
        for i in range(length):
            plan[start + i] = [(kinds[0], float(peak * shape[i]))]
        kinds = kinds[1:]
    free = [i for i in rng.permutation(n) if not plan[i]]
    singles = list(rng.permutation(SINGLES))
    n_singles = wanted - sum(map(bool, plan))
    for number, i in enumerate(free[: max(0, n_singles)]):
        plan[i] = [(singles[number % len(singles)], float(rng.uniform(0.35, 1.0)))]
    faint = free[max(0, n_singles) : max(0, n_singles) + round(0.05 * n)]
    for i in faint:
        plan[i] = [(str(rng.choice(["cloud", "streak"])), float(rng.uniform(0, MARGINAL_BELOW)))]
    return plan


def _plan_mixed(spec: CampaignSpec, rng: np.random.Generator) -> list[_Plan]:
    """Loose frames: each its own telescope, field and night, four in ten of them bad."""
    plans = []
    for i in range(spec.mixed_frames):
        telescope = draw_telescope(rng)
        stars = draw_field(rng, telescope, (spec.height, spec.width))
        scene = _benign_scenes(telescope, stars, 8, False, rng)[int(rng.integers(8))]
        # A jump of the field cannot be seen on a loose frame.
        cause = str(rng.choice([cause for cause in CAUSES if cause != "pointing"]))
        defects = [(cause, float(rng.uniform(0.35, 1)))] if rng.random() < 0.4 else []
        start = _FIRST_NIGHT + timedelta(days=100 + i)
        target = f"FIELD-{i + 1:04d}"
        plans.append(_Plan(f"mixed_{i + 1:04d}.fits", scene, telescope, start, target, defects))
    return plans


def _write_frame(
    folder: Path, plan: _Plan, spec: CampaignSpec, rng: np.random.Generator
) -> list[Truth]:
    shape = (spec.height, spec.width)
    scene, truths = plan.scene, []
    for cause, strength in plan.defects:
        if cause in SCENE_DEFECTS:
            scene, truth = SCENE_DEFECTS[cause](scene, strength, shape, rng)
            truths.append(truth)
    pixels: Pixels = expose(scene, plan.telescope, shape, rng)
    for cause, strength in plan.defects:
        if cause == "readout":
            pixels, truth = readout(pixels, strength, rng)
            truths.append(truth)
    header = fits.Header()
    header["DATE-OBS"] = plan.start.replace(tzinfo=None).isoformat(timespec="milliseconds")
    header["EXPTIME"] = plan.telescope.exposure_s
    header["FILTER"] = "R"
    header["OBJECT"] = plan.target
    header["TELESCOP"] = plan.telescope.name
    header["INSTRUME"] = "simulated"
    header["GAIN"] = round(plan.telescope.gain, 3)
    header["IMAGETYP"] = "Light Frame"
    fits.writeto(folder / plan.name, pixels, header)
    return truths


def _write_tables(folder: Path, plans: Sequence[_Plan], truths: Sequence[list[Truth]]) -> None:
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", "label", "notes"])
        for plan, done in zip(plans, truths, strict=True):
            causes = " + ".join(truth.cause for truth in done)
            writer.writerow([plan.name, _label(plan), causes])
    with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", "cause", "strength", "unit"])
        for plan, done in zip(plans, truths, strict=True):
            for truth in done or [Truth("none", 0.0, "")]:
                writer.writerow([plan.name, truth.cause, f"{truth.strength:.4g}", truth.unit])


def _label(plan: _Plan) -> str:
    if not plan.defects:
        return "good"
    return "bad" if max(s for _, s in plan.defects) >= MARGINAL_BELOW else "marginal"
