"""`python -m predict folder=...`: a verdict and a reason for every frame, without labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from nightsift.errors import NightsiftError
from nightsift.tasks.launch import launch
from nightsift.tasks.sources import load_for_use, make_sources, progress_bar

if TYPE_CHECKING:
    import pandas as pd


ACTIONS = ("report", "link", "move")


def run(cfg: DictConfig) -> pd.DataFrame | None:
    """Judge every file below `folder`; returns and writes the table of predictions.

    With `undo` nothing is judged: the moves of that record are taken back.
    """
    from nightsift.heuristics.store import MEASURED
    from nightsift.report.lightcurves import measure_lightcurves
    from nightsift.report.night import write_night
    from nightsift.report.verdicts import print_sorted
    from nightsift.sorting import sort_frames

    if cfg.action not in ACTIONS:
        raise NightsiftError(f"action must be one of {', '.join(ACTIONS)}, got {cfg.action!r}")
    if cfg.undo:
        put_back(Path(cfg.undo))
        return None
    if not cfg.folder:
        raise NightsiftError("missing: folder=...")
    loaded = load_for_use(cfg)
    cfg.data.seq_dirs = [cfg.folder]
    sources, cache = make_sources(cfg, loaded)
    night = sort_frames(
        sources,
        cache,
        loaded,
        Path(cfg.cache_dir) / MEASURED,
        bar=progress_bar,
        workers=cfg.data.workers,
        batch=cfg.data.frame_batch,
    )
    curves = []
    if cfg.lightcurve:
        curves = measure_lightcurves(night, list(cfg.target), list(cfg.transit))
    written = write_night(
        Path(cfg.run_dir),
        str(cfg.folder),
        night,
        cache,
        loaded.card,
        out_csv=Path(cfg.out_csv) if cfg.out_csv else None,
        curves=curves,
    )
    print_sorted(night.table)
    for name, curve in curves:
        print(f"{name}: {curve.told()}")
    act(cfg, night.table)
    print(f"written: {', '.join(str(path) for path in written)}")
    return night.table


def act(cfg: DictConfig, table: pd.DataFrame) -> None:
    """Do with the frames what `action` says; moves are only shown unless `yes` is true."""
    from nightsift.report.handoff import link_kept
    from nightsift.report.moving import move_files, plan_moves

    if cfg.action == "link":
        folder = Path(cfg.kept_folder or Path(cfg.run_dir) / "kept")
        print(f"linked or copied: {link_kept(folder, table)} kept frames in {folder}")
    if cfg.action != "move":
        return
    moves = plan_moves([Path(file) for file in table.loc[table["verdict"] == "bad", "file"]])
    if not cfg.yes:
        for move in moves:
            print(f"would move {move.source} to {move.target}")
        print(f"{len(moves)} files would be moved; nothing was: add yes=true")
        return
    record = Path(cfg.run_dir) / "moves.jsonl"
    move_files(moves, record)
    print(f"{len(moves)} files moved; python -m predict undo={record} puts them back")


def put_back(record: Path) -> None:
    """Undo the moves of a record."""
    from nightsift.report.moving import undo_moves

    undone = undo_moves(record)
    print(f"{undone.back} files put back, {undone.untouched} had not been moved")


def main() -> None:
    """The Hydra application."""
    launch("predict", run, path_override="folder={}")


if __name__ == "__main__":
    main()
