"""`python -m predict folder=...`: a verdict and a reason for every frame, without labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from nightsift.tasks.launch import launch
from nightsift.tasks.sources import load_for_use, progress_bar, read_catalogue, score

if TYPE_CHECKING:
    import pandas as pd

    from nightsift.data.catalogue import Catalogue


def run(cfg: DictConfig) -> pd.DataFrame:
    """Judge every file below `folder`; returns and writes the table of predictions."""
    from nightsift.report.run import write_predictions
    from nightsift.report.verdicts import add_verdicts, print_sorted

    loaded = load_for_use(cfg)
    cfg.data.seq_dirs = [cfg.folder]
    catalogue, cache = read_catalogue(cfg, loaded)
    table = add_verdicts(score(cfg, loaded, catalogue, cache), measure(cfg, catalogue), loaded.card)
    out_csv = Path(cfg.out_csv) if cfg.out_csv else Path(cfg.run_dir) / "predictions.csv"
    write_predictions(out_csv, table)
    print_sorted(table)
    print(f"written: {out_csv}")
    return table


def measure(cfg: DictConfig, catalogue: Catalogue) -> pd.DataFrame:
    """The features of every file, measured once and kept in the cache."""
    from nightsift.heuristics.store import MEASURED
    from nightsift.heuristics.table import measure_night

    with progress_bar("measuring frames") as progress:
        return measure_night(
            [record.path for record in catalogue.records],
            store=Path(cfg.cache_dir) / MEASURED,
            workers=cfg.data.workers,
            processes=True,
            max_gap_h=cfg.data.max_gap_h,
            progress=progress,
        )


def main() -> None:
    """The Hydra application."""
    launch("predict", run, path_override="folder={}")


if __name__ == "__main__":
    main()
