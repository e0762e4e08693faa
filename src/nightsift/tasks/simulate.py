"""`python -m simulate out=...`: nights with known truth, synthetic or from one's own frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from nightsift.errors import NightsiftError
from nightsift.tasks.launch import launch
from nightsift.tasks.progress import progress_bar

if TYPE_CHECKING:
    from nightsift.simulate.campaign import CampaignSpec


def run(cfg: DictConfig) -> list[Path]:
    """Make the nights in the folder `out`; the folders that were written."""
    from hydra.utils import instantiate

    from nightsift.report.contact_sheet import draw_contact_sheets

    spec = instantiate(cfg.simulate, _convert_="all")
    if spec.copies and not cfg.source:
        raise NightsiftError("simulate.copies are made of frames that are given: add source=DIR")
    folders = _from_source(cfg, spec) if cfg.source else _synthesise(cfg, spec)
    if cfg.contact_sheets:
        with progress_bar("contact sheets") as progress:
            draw_contact_sheets(folders, progress=progress)
    print(f"written: {', '.join(str(folder) for folder in folders)}")
    return folders


def _synthesise(cfg: DictConfig, spec: CampaignSpec) -> list[Path]:
    from nightsift.simulate.campaign import make_campaign
    from nightsift.tasks.instruments import load_instruments

    instruments = load_instruments(spec.instruments)
    with progress_bar("simulating nights") as progress:
        made = make_campaign(
            Path(cfg.out), spec, instruments, workers=cfg.workers, progress=progress
        )
    mixed = [made.mixed_dir] if spec.mixed_frames else []
    return [*sorted(made.seq_dir.iterdir()), *mixed]


def _from_source(cfg: DictConfig, spec: CampaignSpec) -> list[Path]:
    from nightsift.simulate.copy_folder import copy_folder
    from nightsift.simulate.inject_folder import inject_folder

    source, out = Path(cfg.source), Path(cfg.out)
    if out.resolve().is_relative_to(source.resolve()):
        raise NightsiftError(f"{out} lies in {source}: choose a folder outside the frames")
    common = {"seed": spec.seed, "max_gap_h": cfg.max_gap_h, "workers": cfg.workers}
    if spec.copies:
        with progress_bar("copying frames") as progress:
            return copy_folder(source, out, spec.copies, **common, progress=progress)
    with progress_bar("injecting defects") as progress:
        return inject_folder(source, out, spec.defects, **common, progress=progress)


def main() -> None:
    """The Hydra application."""
    launch("simulate", run, path_override="out={}")


if __name__ == "__main__":
    main()
