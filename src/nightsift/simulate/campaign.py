"""A small campaign on disk: nights in time order, a folder of mixed frames, labels, truth."""

from __future__ import annotations

import csv
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.simulate.defects import PIXEL_DEFECTS, SCENE_DEFECTS, Pixels, Truth
from nightsift.simulate.plan import Plan, plan_mixed, plan_night
from nightsift.simulate.sky import expose

# Raised when the same spec no longer gives the same pixels.
FORMAT = 2
RECORD = "campaign.json"


@dataclass(frozen=True, kw_only=True)
class CampaignSpec:
    """What a campaign consists of; the same spec gives the same frames everywhere.

    Attributes:
        nights: nights in time order, >= 1.
        frames_per_night: >= 12.
        mixed_frames: loose frames, each of another telescope and field.
        height: of every frame, px, >= 64.
        width: likewise.
        bad_fraction: share of bad frames in a night, 0-0.6; unless it is 0, a night has at
            least 3 of them, each of another cause.
        seed: of everything, >= 0.
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
                "campaign: expected nights >= 1, frames_per_night >= 12, mixed_frames >= 0; found "
                f"{self.nights}, {self.frames_per_night}, {self.mixed_frames}"
            )
        if min(self.height, self.width) < 64 or not 0 <= self.bad_fraction <= 0.6:
            raise NightsiftError(
                "campaign: expected height and width >= 64 px and bad_fraction in 0-0.6; found "
                f"{self.height}, {self.width}, {self.bad_fraction}"
            )
        if self.seed < 0:
            raise NightsiftError(f"campaign: expected seed >= 0, found {self.seed}")


class Campaign(NamedTuple):
    """Folder of night folders, and folder of mixed frames."""

    seq_dir: Path
    mixed_dir: Path


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
) -> Iterator[tuple[Path, list[Plan], list[np.random.Generator]]]:
    """Each folder with its frames and one generator per frame."""
    root.mkdir(parents=True)
    shape = (spec.height, spec.width)
    seeds = np.random.SeedSequence(spec.seed).spawn(spec.nights + 1)
    for number in range(spec.nights):
        plan_seed, *frame_seeds = seeds[number].spawn(spec.frames_per_night + 1)
        plans = plan_night(
            number,
            np.random.default_rng(plan_seed),
            n=spec.frames_per_night,
            shape=shape,
            bad_fraction=spec.bad_fraction,
        )
        rngs = [np.random.default_rng(seed) for seed in frame_seeds]
        yield root / "nights" / f"toi-{number + 1}", plans, rngs
    plan_seed, *frame_seeds = seeds[-1].spawn(spec.mixed_frames + 1)
    plans = plan_mixed(np.random.default_rng(plan_seed), n=spec.mixed_frames, shape=shape)
    yield root / "mixed", plans, [np.random.default_rng(seed) for seed in frame_seeds]


def _write_frame(folder: Path, plan: Plan, spec: CampaignSpec, rng: np.random.Generator) -> Truth:
    shape = (spec.height, spec.width)
    scene, truth = plan.scene, Truth("none", 0.0, "")
    defect = plan.defect
    if defect and defect.cause in SCENE_DEFECTS:
        # Its own seed: the frames of one spell share an angle, a donut or a gradient.
        shared = np.random.default_rng(defect.seed)
        scene, truth = SCENE_DEFECTS[defect.cause](scene, defect.strength, shape, shared)
    pixels: Pixels = expose(scene, plan.telescope, shape, rng)
    if defect and defect.cause in PIXEL_DEFECTS:
        pixels, truth = PIXEL_DEFECTS[defect.cause](pixels, defect.strength, rng)
    header = fits.Header()
    header["DATE-OBS"] = plan.start.replace(tzinfo=None).isoformat(timespec="milliseconds")
    header["EXPTIME"] = plan.telescope.exposure_s
    header["FILTER"] = "R"
    header["OBJECT"] = plan.target
    header["TELESCOP"] = plan.telescope.name
    header["INSTRUME"] = "simulated"
    header["GAIN"] = round(plan.telescope.gain, 3)
    header["AIRMASS"] = round(plan.scene.airmass, 4)
    header["IMAGETYP"] = "Light Frame"
    fits.writeto(folder / plan.name, pixels, header)
    return truth


def _write_tables(folder: Path, plans: Sequence[Plan], truths: Sequence[Truth]) -> None:
    labels = [("file", "label", "notes")]
    table = [("file", "cause", "strength", "unit")]
    for plan, truth in zip(plans, truths, strict=True):
        note = truth.cause if plan.defect else ""
        labels.append((plan.name, plan.label, note))
        table.append((plan.name, truth.cause, f"{truth.strength:.4g}", truth.unit))
    for name, rows in (("labels.csv", labels), ("truth.csv", table)):
        with (folder / name).open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)
