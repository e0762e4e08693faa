"""`python -m predict folder=...`: score a folder of frames without labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from nightsift.tasks.launch import launch
from nightsift.tasks.sources import load_for_use, read_catalogue, score

if TYPE_CHECKING:
    import pandas as pd


def run(cfg: DictConfig) -> pd.DataFrame:
    """Score every file below `folder`; returns and writes the table of predictions."""
    from nightsift.report.run import print_verdicts, write_predictions

    loaded = load_for_use(cfg)
    cfg.data.seq_dirs = [cfg.folder]
    catalogue, cache = read_catalogue(cfg, loaded)
    table = score(cfg, loaded, catalogue, cache)
    out_csv = Path(cfg.out_csv) if cfg.out_csv else Path(cfg.run_dir) / "predictions.csv"
    write_predictions(out_csv, table)
    print_verdicts(table)
    print(f"written: {out_csv}")
    return table


def main() -> None:
    """The Hydra application."""
    launch("predict", run, path_override="folder={}")


if __name__ == "__main__":
    main()
