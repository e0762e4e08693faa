"""One synthetic night, for scripts and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nightsift.simulate.campaign import CampaignSpec, campaign_record, make_once, plan_campaign
from nightsift.simulate.frames import make_jobs
from nightsift.simulate.instrument_files import read_instruments


def simulate_night(
    out: str | Path,
    *,
    instrument: str | Path = "sbig_0p30m",
    frames: int = 60,
    kinds: Sequence[str] = (),
    bad_fraction: float = 0.25,
    seed: int = 0,
    max_side: int = 0,
    workers: int = 1,
) -> Path:
    """Write a night whose every defect is known, or find it written by the same call before.

    Args:
        out: folder of the night; made with its parents.
        instrument: name of an instrument that ships, or path of a YAML file like theirs.
        frames: how many, >= 12.
        kinds: of defects, such as `thin_cloud`, `trail`, `satellite`; none for all there are.
        bad_fraction: share of frames that an observer would reject, 0-0.8; 0 for a clear night,
            else there are at least 3.
        seed: of everything, >= 0; the same seed gives the same frames.
        max_side: of the central subframe that is read, px, >= 64; 0 for the whole detector.
        workers: processes; 0 for one per core where the work is worth it. A script that asks
            for others than 1 needs `if __name__ == "__main__":` around what it does.

    Returns:
        The folder: FITS files, `labels.csv` (what an observer would say of each frame) and
        `truth.csv` (each defect with kind, strength, unit and parameters).

    Raises:
        NightsiftError: an argument is out of range, there is no such instrument or defect, or
            `out` exists and is something else.
    """
    spec = CampaignSpec(
        nights=1,
        frames_per_night=frames,
        mixed_frames=0,
        instruments=[str(instrument)],
        max_side=max_side,
        bad_fraction=bad_fraction,
        kinds=list(kinds),
        seed=seed,
    )
    instruments, folder = read_instruments(spec.instruments), Path(out)

    def make(temporary: Path) -> None:
        jobs = plan_campaign(temporary, spec, instruments)
        here = [job._replace(folder=temporary) for job in jobs]
        make_jobs(here, workers=workers, progress=None)

    make_once(folder, "night", campaign_record(spec, instruments), make)
    return folder
