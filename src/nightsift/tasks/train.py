"""`python -m train`: train the joint model, calibrate, export, and measure it."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from nightsift.errors import NightsiftError
from nightsift.tasks.launch import launch
from nightsift.tasks.optimize import check_optimize, score_to_optimize

if TYPE_CHECKING:
    from nightsift.data.datamodule import NightsDataModule
    from nightsift.models.card import ModelCard

log = logging.getLogger(__name__)

# Remarks of Lightning that no user can act on: the run folder always holds Hydra's files,
# loaders read from memory maps without workers, and `last` starts afresh in a new folder.
_REMARKS = (
    "Experiment logs directory",
    ".*LeafSpec",
    ".*does not have many workers",
    "The dirpath has changed",
)


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train as `cfg` says; returns the content of metrics.json.

    Writes checkpoints, exported weights, metrics, predictions and figures into `run_dir`.
    """
    # torch and Lightning take seconds to import: only a run needs them, `--help` does not.
    import pytorch_lightning as pl
    from hydra.utils import instantiate

    from nightsift.models.weights import build_model, load_weights
    from nightsift.report.run import report_run
    from nightsift.tasks.sources import ensure_data, progress_bar
    from nightsift.training.callbacks import ThresholdCalibration, WeightsExport
    from nightsift.training.evaluation import measure, predict_catalogue
    from nightsift.training.module import JointModule

    run_dir = Path(cfg.run_dir)
    _hush_lightning()
    ensure_data(cfg)
    pl.seed_everything(cfg.seed, verbose=False)
    datamodule: NightsDataModule = instantiate(cfg.data, _convert_="all")
    with progress_bar("reading frames") as datamodule.progress:
        datamodule.setup("fit")
    log.info("%s", datamodule.catalogue.summary())

    card = make_card(cfg, datamodule)
    scheduler = cfg.scheduler
    module = JointModule(
        model=build_model(card),
        loss=instantiate(cfg.loss),
        optimizer=instantiate(cfg.optim),
        scheduler=None if scheduler is None else instantiate(scheduler),
        card=card,
        seed=cfg.seed,
        augmentation=cfg.augmentation,
    )
    callbacks = [instantiate(callback) for callback in cfg.callbacks.values() if callback]
    callbacks.insert(
        0,
        ThresholdCalibration(
            objective(cfg.calibration),
            temperature=cfg.calibration.temperature,
            prior=cfg.calibration.prior,
            max_missed=cfg.calibration.max_missed,
            max_review=cfg.calibration.max_review,
        ),
    )
    callbacks.append(WeightsExport(cfg.export.path))
    loggers = [instantiate(logger) for logger in cfg.logger.values() if logger]
    trainer: pl.Trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers)
    for logger in trainer.loggers:
        logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
    trainer.fit(module, datamodule, ckpt_path=checkpoint_to_resume(cfg), weights_only=True)

    model, card, _ = load_weights(cfg.export.path)
    table = predict_catalogue(model, card, datamodule.cache, datamodule.catalogue)
    metrics = measure(table, card.threshold, resamples=cfg.resamples, seed=cfg.seed)
    metrics["threshold_choice"] = card.threshold_choice
    report_run(run_dir, table, metrics)
    return metrics


def make_card(cfg: DictConfig, datamodule: NightsDataModule) -> ModelCard:
    """What the weights will say about themselves."""
    from nightsift.data.inputs import CAUSES
    from nightsift.data.relative import GAPS, INPUT_NAMES
    from nightsift.models.card import ModelCard
    from nightsift.training.versions import versions

    nights = datamodule.catalogue.nights
    target = str(cfg.model._target_)
    # A model of ours goes by its name, another one by where it is.
    architecture = target.rpartition(".")[2] if target.startswith("nightsift.") else target
    keys: dict[str, Any] = OmegaConf.to_container(cfg.model, resolve=True)  # type: ignore[assignment]
    model_args = {key: value for key, value in keys.items() if not key.startswith("_")}
    causes: list[str] = []
    if architecture == "TwoScaleModel":
        if not cfg.data.measured:
            raise NightsiftError("model=two_scale needs data.measured=true")
        causes = list(CAUSES)
        model_args |= {"features": len(INPUT_NAMES) - len(GAPS), "causes": causes}
    splits = {
        part: sorted({r.night for night in nights for r in night.records if r.split == part})
        for part in ("train", "val", "test")
    }
    return ModelCard(
        architecture=architecture,
        model_args=model_args,
        causes=causes,
        transform=datamodule.cache.transform.spec(),
        img_size=cfg.data.img_size,
        window=cfg.data.window,
        fusion={"policy": cfg.fusion.policy, "frame_weight": cfg.fusion.frame_weight},
        splits=splits,
        fingerprints={night.name: night.fingerprint for night in nights},
        versions=versions(),
    )


def objective(calibration: DictConfig) -> Any:
    """The objective that the threshold is tuned for."""
    from nightsift.metrics.threshold import Objective

    return Objective(
        name=calibration.objective,
        max_false_rejection=calibration.max_false_rejection,
        cost_ratio=calibration.cost_ratio,
    )


def checkpoint_to_resume(cfg: DictConfig) -> str | None:
    """The checkpoint that `resume=` names: a file, or the last one of a run folder."""
    if not cfg.resume:
        return None
    path = Path(cfg.resume)
    path = path / "checkpoints" / "last.ckpt" if path.is_dir() else path
    if not path.is_file():
        raise NightsiftError(f"resume={path}: no such checkpoint or run folder")
    return str(path)


def _hush_lightning() -> None:
    """Leave out remarks that no user can act on: hardware found, advertising, empty folders."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    for remark in _REMARKS:
        warnings.filterwarnings("ignore", message=remark)


def job(cfg: DictConfig) -> float:
    """One job of Hydra: trains, and tells a sweeper the number that `optimize` names."""
    check_optimize(cfg.optimize)
    return score_to_optimize(run(cfg), cfg.optimize)


def main() -> None:
    """The Hydra application."""
    launch("train", job, path_override="data.seq_dirs=[{}]")


if __name__ == "__main__":
    main()
