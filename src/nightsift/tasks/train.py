"""`python -m train`: train the joint model, calibrate, export, and measure it."""

from __future__ import annotations

import logging
import math
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from nightsift.errors import NightsiftError
from nightsift.registry import load_plugins
from nightsift.tasks.launch import launch
from nightsift.tasks.optimize import check_optimize, score_to_optimize
from nightsift.tasks.progress import progress_bar
from nightsift.tasks.sources import add_real_nights, ensure_data

if TYPE_CHECKING:
    from nightsift.data.datamodule import NightsDataModule
    from nightsift.training.callbacks import ThresholdCalibration
    from nightsift.training.module import JointModule

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

    from nightsift.training.callbacks import WeightsExport

    checkpoint = checkpoint_to_resume(cfg.resume)
    if checkpoint and not Path(cfg.resume).is_file():
        cfg = resumed_config(cfg)
    _hush_lightning()
    ensure_data(cfg)
    add_real_nights(cfg)
    pl.seed_everything(cfg.seed, verbose=False)
    datamodule: NightsDataModule = instantiate(cfg.data, _convert_="all")
    datamodule.bar = progress_bar
    datamodule.setup("fit")
    log.info("%s", datamodule.nights.summary())
    module = make_module(cfg)
    callbacks: list[pl.Callback] = [make_calibration(cfg.calibration)]
    callbacks += [instantiate(callback) for callback in cfg.callbacks.values() if callback]
    callbacks += [WeightsExport(cfg.export.path, onnx=cfg.export.onnx)]
    loggers = [instantiate(logger) for logger in cfg.logger.values() if logger]
    trainer: pl.Trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers)
    for logger in trainer.loggers:
        logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
    with telling_how_to_resume(Path(cfg.run_dir)):
        trainer.fit(module, datamodule, ckpt_path=checkpoint, weights_only=True)
    return report(cfg, datamodule) if trainer.is_global_zero else {}


def make_module(cfg: DictConfig) -> JointModule:
    """The Lightning module that `model`, `loss`, `optim`, `scheduler` and `fusion` describe."""
    from hydra.utils import instantiate

    from nightsift.models.weights import load_weights
    from nightsift.training.module import JointModule

    arguments: dict[str, Any] = OmegaConf.to_container(cfg.model, resolve=True)  # type: ignore[assignment]
    begin = load_weights(cfg.start_from) if cfg.start_from else None
    module = JointModule(
        architecture_name(arguments["_target_"]),
        {key: value for key, value in arguments.items() if not key.startswith("_")},
        card=begin.card if begin else None,
        loss=instantiate(cfg.loss, _convert_="all"),
        optimizer=instantiate(cfg.optim),
        scheduler=None if cfg.scheduler is None else instantiate(cfg.scheduler),
        fusion={"policy": cfg.fusion.policy, "frame_weight": cfg.fusion.frame_weight},
        seed=cfg.seed,
        augmentation=cfg.augmentation,
    )
    if begin:
        module.model.load_state_dict(begin.model.state_dict())
    return module


def architecture_name(target: str) -> str:
    """The name under which the class `target` stands in the table of models.

    Raises:
        NightsiftError: it does not.
    """
    from hydra.utils import get_class

    from nightsift.models.architectures import ARCHITECTURES

    kind = get_class(target)
    names = [name for name, known in ARCHITECTURES.items() if known is kind]
    if not names:
        raise NightsiftError(f"model._target_={target}: add it, ARCHITECTURES.add(name, class)")
    return names[0]


def make_calibration(calibration: DictConfig) -> ThresholdCalibration:
    """The callback that tunes how the fused probability is read."""
    from nightsift.training.callbacks import ThresholdCalibration

    return ThresholdCalibration(
        objective(calibration),
        temperature=calibration.temperature,
        prior=calibration.prior,
        prior_strength=calibration.prior_strength,
        max_missed=calibration.max_missed,
        max_review=calibration.max_review,
    )


def report(cfg: DictConfig, datamodule: NightsDataModule) -> dict[str, Any]:
    """Measure the exported weights on every part; returns the content of metrics.json."""
    from nightsift.models.weights import load_weights
    from nightsift.report.run import report_run
    from nightsift.training.evaluation import measure, score_nights

    loaded = load_weights(cfg.export.path)
    table = score_nights(
        loaded, datamodule.nights, split=datamodule.split, changes=datamodule.changes
    )
    metrics = measure(table, loaded.card.threshold, resamples=cfg.resamples, seed=cfg.seed)
    metrics["threshold_choice"] = loaded.card.threshold_choice
    return report_run(Path(cfg.run_dir), table, metrics, mixed=datamodule.nights.mixed)


def objective(calibration: DictConfig) -> Any:
    """The objective that the threshold is tuned for."""
    from nightsift.metrics.threshold import Objective

    return Objective(
        name=calibration.objective,
        max_false_rejection=calibration.max_false_rejection,
        cost_ratio=calibration.cost_ratio,
    )


def checkpoint_to_resume(resume: str) -> str | None:
    """The checkpoint that `resume=` names: a file, or the last one of a run folder.

    Raises:
        NightsiftError: there is none.
    """
    if not resume:
        return None
    path = Path(resume)
    path = path / "checkpoints" / "last.ckpt" if path.is_dir() else path
    if not path.is_file():
        raise NightsiftError(f"resume={path}: no such checkpoint or run folder")
    return str(path)


def resumed_config(cfg: DictConfig) -> DictConfig:
    """The configuration of the run that goes on, with what this command line says otherwise.

    Raises:
        NightsiftError: the folder does not hold what Hydra writes into a run.
    """
    from hydra import compose
    from hydra.core.hydra_config import HydraConfig

    listed = Path(cfg.resume) / ".hydra" / "overrides.yaml"
    if not listed.is_file():
        raise NightsiftError(f"resume={cfg.resume}: {listed} is missing: is it a run of train?")
    before = [str(item) for item in OmegaConf.load(listed)]
    overrides = {_key(item): item for item in before}
    log.info("going on with %s: %s", cfg.resume, " ".join(before) or "no overrides")
    overrides |= {_key(item): item for item in HydraConfig.get().overrides.task}
    cfg = compose("train", overrides=list(overrides.values()))
    load_plugins(list(cfg.plugins))
    return cfg


def _key(override: str) -> str:
    """What an override is about, so that a later one takes its place."""
    return override.partition("=")[0].lstrip("+~")


@contextmanager
def telling_how_to_resume(run_dir: Path) -> Iterator[None]:
    """Say in one line how a run that was interrupted goes on."""
    try:
        yield
    except BaseException:
        if (run_dir / "checkpoints" / "last.ckpt").is_file():
            command = ["python", "-m", "train", f"resume={run_dir}", *_config_dirs()]
            print(f"interrupted; to go on: {shlex.join(command)}", file=sys.stderr)
        raise


def _config_dirs() -> list[str]:
    """The option that made Hydra look into a folder of the user's own, if there was one."""
    from hydra.core.hydra_config import HydraConfig

    sources = HydraConfig.get().runtime.config_sources
    folders = [source.path for source in sources if source.provider == "command-line"]
    return [f"--config-dir={folder}" for folder in folders]


def _hush_lightning() -> None:
    """Leave out remarks that no user can act on: hardware found, advertising, empty folders."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    for remark in _REMARKS:
        warnings.filterwarnings("ignore", message=remark)


def job(cfg: DictConfig) -> float:
    """One job of Hydra: trains, and tells a sweeper the number that `optimize` names."""
    check_optimize(cfg.optimize)
    metrics = run(cfg)
    # Of several processes, one measures.
    return score_to_optimize(metrics, cfg.optimize) if metrics else math.nan


def main() -> None:
    """The Hydra application."""
    launch("train", job, path_override="data.seq_dirs=[{}]")


if __name__ == "__main__":
    main()
