"""`python -m predict folder=...`: a verdict and a reason for every frame, without labels."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from nightsift.errors import NightsiftError
from nightsift.tasks.launch import launch
from nightsift.tasks.progress import progress_bar
from nightsift.tasks.sources import card_for_use, load_for_use

if TYPE_CHECKING:
    import pandas as pd

    from nightsift.models.card import ModelCard
    from nightsift.models.weights import LoadedModel
    from nightsift.sorting.night import Verdicts


ACTIONS = ("report", "link", "move")


def run(cfg: DictConfig) -> pd.DataFrame | None:
    """Judge every file below `folder`; returns and writes the table of predictions.

    With `undo` nothing is judged: the moves of that record are taken back.
    """
    if cfg.action not in ACTIONS:
        raise NightsiftError(f"action must be one of {', '.join(ACTIONS)}, got {cfg.action!r}")
    if cfg.undo:
        put_back(Path(cfg.undo))
        return None
    if not cfg.folder:
        raise NightsiftError("missing: folder=...")
    card = card_for_use(cfg)
    check_wishes(cfg, card)
    if cfg.watch:
        watch(cfg, card)
        return None
    verdicts = judge(cfg, card, lambda: load_everything(cfg))

    from nightsift.report.lightcurves import measure_lightcurves
    from nightsift.report.night import print_sorted, write_night

    curves = []
    if cfg.lightcurve:
        curves = measure_lightcurves(verdicts, list(cfg.target), list(cfg.transit))
    written = write_night(
        Path(cfg.run_dir), str(cfg.folder), verdicts, out_csv=csv_of(cfg), curves=curves
    )
    print_sorted(verdicts.table)
    for name, curve in curves:
        print(f"{name}: {curve.summary()}")
    if cfg.write_header:
        write_headers(cfg, verdicts.table)
    act(cfg, verdicts.table)
    print(f"written: {', '.join(str(path) for path in written)}")
    return verdicts.table


def check_wishes(cfg: DictConfig, card: ModelCard) -> None:
    """Raise NightsiftError for reasons or limits that make no sense, before anything is read."""
    from nightsift.heuristics.limits import Limits
    from nightsift.sorting.ignore import check_ignored

    check_ignored(ignored(cfg), card.causes)
    Limits(**cfg.limits)


def ignored(cfg: DictConfig) -> list[str]:
    """The reasons that are not to reject."""
    return [cfg.ignore] if isinstance(cfg.ignore, str) else [str(item) for item in cfg.ignore]


def csv_of(cfg: DictConfig) -> Path:
    """Where the predictions go."""
    return Path(cfg.out_csv) if cfg.out_csv else Path(cfg.run_dir) / "predictions.csv"


def load_everything(cfg: DictConfig) -> LoadedModel:
    """The weights; and what the report needs is imported too, while there is time for it."""
    import nightsift.report.lightcurves
    import nightsift.report.night  # noqa: F401

    return load_for_use(cfg)


def judge(
    cfg: DictConfig,
    card: ModelCard,
    load: Callable[[], LoadedModel],
    *,
    passed_over: frozenset[Path] = frozenset(),
) -> Verdicts:
    """Verdicts of everything in `folder`, under progress bars."""
    from nightsift.heuristics.limits import Limits
    from nightsift.look.store import LookStore
    from nightsift.report.pictures import PICTURE_PX
    from nightsift.sorting.night import judge_folders

    return judge_folders(
        [Path(cfg.folder)],
        card,
        load,
        LookStore(Path(cfg.cache_dir)),
        ignore=ignored(cfg),
        limits=Limits(**cfg.limits),
        max_gap_h=cfg.data.max_gap_h,
        passed_over=passed_over,
        workers=cfg.data.workers,
        processes=True,
        batch=cfg.data.frame_batch,
        picture_px=PICTURE_PX,
        bar=progress_bar,
    )


def watch(cfg: DictConfig, card: ModelCard) -> None:
    """Judge frames as they arrive, until interrupted."""
    from nightsift.report.night import print_sorted
    from nightsift.report.run import write_predictions
    from nightsift.sorting.watching import Watch

    loaded = load_for_use(cfg)
    # What is new is told in lines of its own; of the rest only what is wrong.
    logging.getLogger("nightsift").setLevel(logging.WARNING)

    def judge_all(unfinished: frozenset[Path]) -> pd.DataFrame:
        table = judge(cfg, card, lambda: loaded, passed_over=unfinished).table
        write_predictions(csv_of(cfg), table)
        return table

    digest = hashlib.sha256(str(Path(cfg.folder).resolve()).encode()).hexdigest()[:20]
    watching = Watch(
        Path(cfg.folder),
        judge_all,
        Path(cfg.cache_dir) / "watch" / f"{digest}.json",
        window=card.window,
        quiet_s=cfg.quiet_s,
        on_spell=cfg.on_spell,
        spell=cfg.spell,
    )
    table = watching.run(cfg.poll_s)
    if table is not None:
        print_sorted(table)
        print(f"written: {csv_of(cfg)}")


def act(cfg: DictConfig, table: pd.DataFrame) -> None:
    """Do with the frames what `action` says; moves are only shown unless `yes` is true."""
    from nightsift.report.handoff import link_kept
    from nightsift.sorting.moving import move_files, plan_moves

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


def write_headers(cfg: DictConfig, table: pd.DataFrame) -> None:
    """Verdicts into the headers; only said unless `yes` is true."""
    from nightsift.sorting.cards import Verdict, write_cards

    judged = table[table["verdict"] != ""]
    if not cfg.yes:
        print(f"{len(judged)} headers would be written; none was: add yes=true")
        return
    verdicts = [
        Verdict(Path(row["file"]), row["verdict"] == "bad", row["prob_bad"], row["reason"])
        for row in judged.to_dict("records")
    ]
    record = Path(cfg.run_dir) / "cards.jsonl"
    count = write_cards(verdicts, record)
    print(f"{count} headers written; python -m predict undo={record} takes them back")


def put_back(record: Path) -> None:
    """Undo what a record tells of: moves, or cards in headers."""
    from nightsift.sorting.cards import is_record_of_cards, undo_cards
    from nightsift.sorting.moving import undo_moves

    if is_record_of_cards(record):
        print(f"{undo_cards(record)} headers are again what they were")
        return
    undone = undo_moves(record)
    print(f"{undone.back} files put back, {undone.untouched} had not been moved")


def main() -> None:
    """The Hydra application."""
    launch("predict", run, path_override="folder={}")


if __name__ == "__main__":
    main()
