"""Every experiment that ships: put together, its parts made, and run for one step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig

from nightsift.config import register_schemas
from nightsift.shipped import conf_dir

EXPERIMENTS = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))
# An experiment that is made to go with another one, and the package that it needs.
WITH = {"search": ("joint,search", "hydra_plugins.hydra_optuna_sweeper")}
# What makes one step of it: frames and windows of 32 px, one batch of each.
ONE_STEP = [
    "data.img_size=32",
    "data.frame_batch=4",
    "data.seq_batch=4",
    "data.run_length=1",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=1",
    "resamples=5",
    "callbacks.progress=null",
]


def override(experiment: str) -> str:
    names, module = WITH.get(experiment, (experiment, "torch"))
    pytest.importorskip(module, reason=f"extra for {experiment}")
    return f"+experiment=[{names}]"


def composed(*overrides: str) -> DictConfig:
    register_schemas()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("train", overrides=["run_dir=run", *overrides])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_part_of_an_experiment_can_be_made(experiment, tmp_path):
    cfg = composed(override(experiment), f"cache_dir={tmp_path}")
    instantiate(cfg.data)
    instantiate(cfg.loss)
    instantiate(cfg.simulate)
    decided_by_data = {"features": 3, "causes": ["cloud"]} if cfg.data.measured else {}
    assert sum(p.numel() for p in instantiate(cfg.model, **decided_by_data).parameters()) > 10_000
    optimizer = instantiate(cfg.optim)([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimizer.param_groups[0]["betas"]) in (list, tuple)  # nothing of OmegaConf
    instantiate(cfg.scheduler)(optimizer)
    callbacks = [instantiate(callback) for callback in cfg.callbacks.values()]
    loggers = [instantiate(logger) for logger in cfg.logger.values()]
    trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers)
    assert trainer.max_epochs == cfg.trainer.max_epochs
    assert trainer.loggers == loggers


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_runs_for_one_step(experiment, run_task, nights):
    searching = ["-m", "hydra.sweeper.n_trials=1"] if experiment == "search" else []
    ended = run_task(
        "train", *searching, override(experiment), f"data.seq_dirs=[{nights}]", *ONE_STEP
    )
    assert ended.status == 0, ended.err
    (metrics,) = Path("outputs/train").rglob("metrics.json")
    assert set(json.loads(metrics.read_text())["splits"]) == {"train", "val", "test"}
