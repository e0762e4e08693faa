"""`python -m evaluate ckpt=...`: measure weights on labelled nights, both heads fused."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from nightsift.errors import NightsiftError
from nightsift.tasks.launch import launch
from nightsift.tasks.sources import ensure_data, load_for_use, read_catalogue, score

if TYPE_CHECKING:
    import pandas as pd

    from nightsift.data.catalogue import Catalogue
    from nightsift.models.card import ModelCard

log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> dict[str, Any]:
    """Score every frame and measure the labelled ones; returns the content of metrics.json.

    Writes predictions.csv, metrics.json and figures into `run_dir`.
    """
    from nightsift.report.run import report_run
    from nightsift.training.evaluation import apply_threshold, measure

    loaded = load_for_use(cfg)
    ensure_data(cfg)
    catalogue, cache = read_catalogue(cfg, loaded)
    mark_seen_nights(catalogue, loaded.card)
    mark_calibration_nights(catalogue, list(cfg.calibration.nights), calibrate=cfg.calibrate)
    table = score(cfg, loaded, catalogue, cache)
    threshold, choice = loaded.card.threshold, loaded.card.threshold_choice
    if cfg.calibrate:
        choice = _calibrate(cfg, table)
        threshold = choice["threshold"]
        table = apply_threshold(table, threshold)
    metrics = measure(table, threshold, resamples=cfg.resamples, seed=cfg.seed)
    metrics["threshold_choice"] = choice
    out_csv = Path(cfg.out_csv) if cfg.out_csv else None
    report_run(Path(cfg.run_dir), table, metrics, out_csv=out_csv)
    return metrics


def mark_seen_nights(catalogue: Catalogue, card: ModelCard) -> None:
    """Give each night the split that training had put it in; new nights are the test.

    A night that was cut into blocks counts as trained on.
    """
    by_print = {print_: name for name, print_ in card.fingerprints.items()}
    seen: dict[str, list[str]] = {}
    for night in catalogue.nights:
        name = by_print.get(night.fingerprint)
        parts = [part for part in ("train", "val", "test") if name in card.splits.get(part, ())]
        split = parts[0] if parts else "test"
        seen.setdefault(split, []).append(night.name)
        for record in night.records:
            record.split = split
    for split in ("train", "val"):
        if split in seen:
            log.warning(
                "%d night(s) were seen in training (%s) and are reported apart: %s",
                len(seen[split]),
                split,
                ", ".join(seen[split][:10]),
            )


def mark_calibration_nights(catalogue: Catalogue, names: list[str], *, calibrate: bool) -> None:
    """Set apart the nights that the threshold is tuned on; they are not reported on."""
    from nightsift.data.split import match_nights

    if calibrate and not names:
        raise NightsiftError(
            "calibrate=true needs calibration.nights=[..]: nights to tune the threshold on, "
            "which are then not reported on"
        )
    for name in names if calibrate else []:
        for night in match_nights(name, catalogue.nights):
            for record in night.records:
                record.split = "calibration"


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
