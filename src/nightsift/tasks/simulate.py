"""`python -m simulate out=...`: write a synthetic campaign with labels and truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from nightsift.tasks.launch import launch
from nightsift.tasks.sources import progress_bar

if TYPE_CHECKING:
    from nightsift.simulate.campaign import Campaign


def run(cfg: DictConfig) -> Campaign:
    """Make the campaign in the folder `out`."""
    from hydra.utils import instantiate

    from nightsift.simulate.campaign import make_campaign

    with progress_bar("simulating nights") as progress:
        campaign = make_campaign(Path(cfg.out), instantiate(cfg.campaign), progress=progress)
    print(f"written: {campaign.seq_dir} and {campaign.mixed_dir}")
    return campaign


def main() -> None:
    """The Hydra application."""
    launch("simulate", run, path_override="out={}")


if __name__ == "__main__":
    main()
