"""A campaign on disk: nights in time order, a folder of mixed frames, labels, truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nightsift.errors import NightsiftError
from nightsift.files import making_folder
from nightsift.simulate.defects import SHIPPED
from nightsift.simulate.defects.catalogue import DEFECTS, kinds_in_order
from nightsift.simulate.frames import Job, loose_job, make_jobs, night_jobs
from nightsift.simulate.instrument import Instrument
from nightsift.simulate.processes import Progress
from nightsift.simulate.spells import DefectSpec
from nightsift.simulate.variety import vary

# Raised when the same spec no longer gives the same pixels.
FORMAT = 7
_MIXED_BAD_FRACTION = 0.45
# A loose frame has no neighbours to tell a faint defect by.
_MIXED_FAINTEST = 0.3
# Chance of a narrow window round the target, at a variety of 1.
_WINDOW = 0.05


@dataclass(frozen=True, kw_only=True)
class CampaignSpec:
    """What a campaign consists of; the same spec gives the same frames everywhere.

    Attributes:
        nights: nights in time order, >= 1; the instruments take turns.
        frames_per_night: >= 12.
        mixed_frames: loose frames, each of another field.
        instruments: names or files; empty for all that ship.
        max_side: of the central subframe that is read, px, >= 64; 0 for whole detectors.
        variety: how much every night's telescope differs from the one that its file describes,
            its subframe, number of frames and share of bad ones from what is asked for; 0 not
            at all, 1 as much as telescopes differ (`nightsift.simulate.variety`).
        bad_fraction: share of bad frames in a night, 0-0.8; unless it is 0, a night has at
            least 3 of them.
        benign_fraction: share of nights with nothing bad in them, 0-1.
        lasting_fraction: share of the other nights in which one defect lasts all night, 0-1.
        singles_share: of the bad frames of the rest, those whose defect comes on one frame
            alone, 0-1.
        faintest: lowest level of a defect, 0 (faint) to 1 (gross).
        grossest: highest level.
        kinds: of defects; empty for all.
        copies: of frames that are given: kinds of copies in which nothing is bad, made in place
            of defects; no part of a campaign.
        seed: of everything, >= 0.

    Raises:
        NightsiftError: a value is out of range.
    """

    nights: int
    frames_per_night: int
    mixed_frames: int
    instruments: list[str] = field(default_factory=list)
    max_side: int = 0
    variety: float = 0.0
    bad_fraction: float = 0.25
    benign_fraction: float = 0.0
    lasting_fraction: float = 0.0
    singles_share: float = 0.35
    faintest: float = 0.0
    grossest: float = 1.0
    kinds: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
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
        if not 0 <= self.benign_fraction <= 1 or not 0 <= self.variety <= 1 or self.seed < 0:
            raise NightsiftError(
                "campaign: expected benign_fraction and variety in 0-1 and seed >= 0, found "
                f"{self.benign_fraction}, {self.variety} and {self.seed}"
            )
        _ = self.defects  # its constructor checks the rest

    @property
    def defects(self) -> DefectSpec:
        """How many and how strong the defects of a night are."""
        return DefectSpec(
            bad_fraction=self.bad_fraction,
            faintest=self.faintest,
            grossest=self.grossest,
            kinds=self.kinds,
            lasting=self.lasting_fraction,
            singles=self.singles_share,
        )

    @property
    def mixed_defects(self) -> DefectSpec:
        """Those of the loose frames."""
        return replace(
            self.defects,
            bad_fraction=_MIXED_BAD_FRACTION if self.bad_fraction else 0.0,
            faintest=min(max(self.faintest, _MIXED_FAINTEST), self.grossest),
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

    def make(folder: Path) -> None:
        jobs = plan_campaign(folder, spec, instruments)
        make_jobs(jobs, workers=workers, progress=progress)

    make_once(out, "campaign", campaign_record(spec, instruments), make)
    return Campaign(out / "nights", out / "mixed")


def make_once(out: Path, what: str, record: str, make: Callable[[Path], None]) -> None:
    """Let `make` fill the new folder `out`, unless it was filled for the same record before.

    Args:
        out: the folder; it appears whole or not at all.
        what: it is to hold; `<what>.json` in it keeps the record.
        record: all that decides its content.
        make: called with the temporary folder that becomes `out`.

    Raises:
        NightsiftError: `out` exists and is something else.
    """
    if not out.exists():
        try:
            with making_folder(out) as temporary:
                make(temporary)
                (temporary / f"{what}.json").write_text(record, encoding="utf-8")
        except FileExistsError:  # another process was faster
            pass
    file = out / f"{what}.json"
    if not file.is_file() or file.read_text("utf-8") != record:
        raise NightsiftError(f"{out} exists and is not this {what}: choose another folder")


def campaign_record(spec: CampaignSpec, instruments: Sequence[Instrument]) -> str:
    """All that decides the pixels of a campaign, as JSON."""
    values = {key: value for key, value in asdict(spec).items() if key != "copies"}
    content = {"format": FORMAT, **values, "telescopes": [asdict(i) for i in instruments]}
    others = [kind for kind in spec.kinds or kinds_in_order() if kind not in SHIPPED]
    if others:
        content["defects"] = {kind: DEFECTS[kind].numbers for kind in others}
    return json.dumps(content, indent=2) + "\n"


def plan_campaign(root: Path, spec: CampaignSpec, instruments: Sequence[Instrument]) -> list[Job]:
    """All work of a campaign; each night and each loose frame has a seed of its own.

    Seeds are spawned from each other as the work is divided (campaign, night, frame), so that
    the noise of a frame depends neither on its neighbours nor on the process that makes it.
    """
    seeds = np.random.SeedSequence(spec.seed).spawn(spec.nights + spec.mixed_frames)
    order = _draws(spec, spec.nights).permutation(spec.nights)
    benign = set(order[: round(spec.benign_fraction * spec.nights)].tolist())
    jobs: list[Job] = []
    for number, seed in enumerate(seeds[: spec.nights]):
        rng = _draws(spec, number, 1)
        instrument = _varied(instruments[number % len(instruments)], spec, rng)
        frames, defects = _varied_night(spec, rng)
        jobs += night_jobs(
            root / "nights" / f"toi-{number + 1:03d}",
            instrument,
            seed,
            number=number,
            frames=frames,
            defects=None if number in benign else defects,
        )
    for number, seed in enumerate(seeds[spec.nights :], start=spec.nights):
        kind = instruments[int(np.random.default_rng(seed).integers(len(instruments)))]
        instrument = _varied(kind, spec, _draws(spec, number, 1))
        jobs.append(
            loose_job(
                root / "mixed",
                instrument,
                seed,
                number=number - spec.nights,
                defects=spec.mixed_defects,
            )
        )
    return jobs


def _draws(spec: CampaignSpec, *about: int) -> np.random.Generator:
    """For what is decided about the campaign as a whole, or about one of its nights."""
    return np.random.default_rng([spec.seed, *about])


def _varied(instrument: Instrument, spec: CampaignSpec, rng: np.random.Generator) -> Instrument:
    """The telescope of one night, with its subframe."""
    if not spec.variety:
        return instrument.cropped(spec.max_side)
    # Mostly small subframes, which are quick to make and to measure, and a few large ones.
    side = max(64, round(spec.max_side * np.exp(-1.6 * spec.variety * rng.random() ** 0.35)))
    if rng.random() < _WINDOW * spec.variety:
        side = min(side, int(rng.choice([192, 256, 300])))
    return vary(instrument, rng, spec.variety).cropped(side if spec.max_side else 0)


def _varied_night(spec: CampaignSpec, rng: np.random.Generator) -> tuple[int, DefectSpec]:
    """The number of frames of one night, and how much goes wrong in it."""
    frames, bad = (
        value * float(np.exp(spec.variety * rng.uniform(low, high)))
        for value, low, high in ((spec.frames_per_night, -0.8, 0.6), (spec.bad_fraction, -1, 1.1))
    )
    return max(12, round(frames)), replace(spec.defects, bad_fraction=min(bad, 0.8))
