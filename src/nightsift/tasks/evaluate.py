"""`python -m evaluate ckpt=...`: measure weights on labelled nights, both heads fused."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from nightsift.errors import NightsiftError
from nightsift.tasks.launch import launch
from nightsift.tasks.progress import progress_bar
from nightsift.tasks.sources import ensure_data, load_for_use, make_sources

if TYPE_CHECKING:
    import pandas as pd

    from nightsift.data.split import Split
    from nightsift.models.card import ModelCard
    from nightsift.night.night import Night, NightSet

log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> dict[str, Any]:
    """Score every frame and measure the labelled ones; returns the content of metrics.json.

    Writes predictions.csv, metrics.json and figures into `run_dir`.
    """
    from nightsift.look.store import LookStore
    from nightsift.night.reading import read_nights
    from nightsift.report.run import report_run
    from nightsift.training.card import wanted_by
    from nightsift.training.evaluation import apply_threshold, measure, score_nights

    loaded = load_for_use(cfg)
    ensure_data(cfg)
    nights = read_nights(
        make_sources(cfg),
        wanted_by(loaded.card),
        LookStore(Path(cfg.cache_dir)),
        workers=cfg.data.workers,
        processes=True,
        bar=progress_bar,
    )
    log.info("%s", nights.summary())
    split = split_by_card(nights, loaded.card)
    if cfg.calibrate:
        split = with_calibration(split, nights, list(cfg.calibration.nights))
    with progress_bar("scoring") as progress:
        table = score_nights(
            loaded, nights, split=split, batch=cfg.data.frame_batch, progress=progress
        )
    threshold, choice = loaded.card.threshold, loaded.card.threshold_choice
    if cfg.calibrate:
        choice = _calibrate(cfg, table)
        threshold = choice["threshold"]
        table = apply_threshold(table, threshold)
    metrics = measure(table, threshold, resamples=cfg.resamples, seed=cfg.seed)
    metrics["threshold_choice"] = choice
    out_csv = Path(cfg.out_csv) if cfg.out_csv else None
    return report_run(Path(cfg.run_dir), table, metrics, out_csv=out_csv, mixed=nights.mixed)


def split_by_card(nights: NightSet, card: ModelCard) -> Split:
    """Each night in the part that training had put it in; new nights are the test.

    A night that was cut into blocks counts as trained on.
    """
    from nightsift.data.split import PARTS, Split

    names = {print_: name for name, print_ in card.fingerprints.items()}
    members: dict[str, list[Night]] = {}
    for night in nights.nights:
        name = names.get(night.fingerprint)
        parts = [part for part in PARTS if name in card.splits.get(part, ())]
        members.setdefault(parts[0] if parts else "test", []).append(night)
    split = Split()
    for part, own in members.items():
        split = split.moved(own, part)
        if part != "test":
            log.warning(
                "%d night(s) were seen in training (%s) and are reported apart: %s",
                len(own),
                part,
                ", ".join(night.name for night in own[:10]),
            )
    return split


def with_calibration(split: Split, nights: NightSet, names: list[str]) -> Split:
    """The split with the nights set apart that the threshold is tuned on."""
    from nightsift.night.night import match_nights

    if not names:
        raise NightsiftError(
            "calibrate=true needs calibration.nights=[..]: nights to tune the threshold on, "
            "which are then not reported on"
        )
    for name in names:
        split = split.moved(match_nights(name, nights.nights), "calibration")
    return split


def _calibrate(cfg: DictConfig, table: pd.DataFrame) -> dict[str, Any]:
    from nightsift.metrics.threshold import choose_threshold
    from nightsift.tasks.train import objective

    part = table[table["split"] == "calibration"]
    choice = choose_threshold(
        part["prob_bad"].to_numpy(),
        part["label"].astype("Float64").fillna(-1).to_numpy(dtype=float),
        objective(cfg.calibration),
    )
    log.info("threshold %.4f tuned on %s", choice.threshold, ", ".join(cfg.calibration.nights))
    return dataclasses.asdict(choice)


def main() -> None:
    """The Hydra application."""
    launch("evaluate", run, path_override="ckpt={}")


if __name__ == "__main__":
    main()
