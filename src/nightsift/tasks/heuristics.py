"""`python -m heuristics folder=...`: measure frames, rank the likely bad ones, say why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from nightsift.errors import NightsiftError
from nightsift.tasks.launch import launch
from nightsift.tasks.progress import progress_bar

if TYPE_CHECKING:
    import pandas as pd


def run(cfg: DictConfig) -> pd.DataFrame:
    """Measure and rank every file below `folder`; returns and writes the candidates."""
    from hydra.utils import instantiate

    from nightsift.heuristics.limits import Limits
    from nightsift.heuristics.score import judge_features
    from nightsift.look.look import Wanted
    from nightsift.look.store import LookStore
    from nightsift.night.reading import read_nights
    from nightsift.night.sources import Sources
    from nightsift.report.candidates import print_candidates, write_candidates
    from nightsift.report.pictures import PICTURE_PX, FramePictures
    from nightsift.report.prior import make_prior_folder

    if cfg.top_n < 1:
        raise NightsiftError(f"top_n must be at least 1, got {cfg.top_n}")
    limits = Limits(**cfg.limits)
    method = instantiate(cfg.heuristics, _convert_="all")
    nights = read_nights(
        Sources(seq_dirs=[Path(cfg.folder)], max_gap_h=cfg.max_gap_h),
        Wanted(measure=method.measure, picture_px=PICTURE_PX),
        LookStore(Path(cfg.cache_dir)),
        workers=cfg.workers,
        processes=True,
        bar=progress_bar,
    )
    features = method.table(nights)
    candidates = judge_features(features, method, limits=limits)
    written = write_candidates(
        Path(cfg.run_dir),
        features,
        candidates,
        top_n=cfg.top_n,
        out_features=Path(cfg.out_features) if cfg.out_features else None,
        out_candidates=Path(cfg.out_candidates) if cfg.out_candidates else None,
        parquet=cfg.parquet,
        frames=FramePictures(nights),
    )
    print_candidates(candidates)
    if cfg.prior_folder:
        readable = candidates.loc[candidates["error"] == "", "file"]
        count = make_prior_folder(Path(cfg.prior_folder), list(readable.head(cfg.top_n)))
        print(f"linked or copied: {count} frames in {cfg.prior_folder}")
    print(f"written: {', '.join(str(path) for path in written)}")
    return candidates


def main() -> None:
    """The Hydra application."""
    launch("heuristics", run, path_override="folder={}")


if __name__ == "__main__":
    main()
