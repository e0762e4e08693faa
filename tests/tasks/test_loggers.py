"""Each logger that ships is started, where its package is installed, and calls nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from nightsift.shipped import conf_dir

SRC = Path(__file__).parents[2] / "src"
# What a logger leaves, and the module that it needs.
LEFT = {
    "csv": ("run/metrics.csv", "pytorch_lightning"),
    "tensorboard": ("run/tensorboard/events.out.*", "tensorboard"),
    "wandb": ("run/wandb/offline-run-*/*.wandb", "wandb"),
    "mlflow": ("outputs/mlflow/mlflow.db", "mlflow"),
}
# In a process of its own: what these packages warn of, and start, is their business.
SCRIPT = """
import os, socket, sys
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from nightsift.config import register_schemas
from nightsift.shipped import conf_dir

register_schemas()
with initialize_config_dir(str(conf_dir()), version_base="1.3"):
    cfg = compose(
        "train", overrides=["run_dir=run", f"logger={sys.argv[1]}"], return_hydra_config=True
    )
os.environ.update(cfg.hydra.job.env_set)

def only_here(self, address, connect=socket.socket.connect):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        print("called", address)
        os._exit(3)
    return connect(self, address)

def no_names(host, *args, lookup=socket.getaddrinfo, **options):
    if host not in (None, "127.0.0.1", "::1", "localhost"):
        print("looked up", host)
        os._exit(3)
    return lookup(host, *args, **options)

socket.socket.connect = only_here
socket.getaddrinfo = no_names
for logger in [instantiate(node) for node in cfg.logger.values()]:
    logger.log_hyperparams(OmegaConf.to_container(cfg.optim))
    logger.log_metrics({"val/loss": 0.5}, step=1)
    logger.save()
    logger.finalize("success")
"""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "mlflow")) for name in LEFT]
)
def test_a_logger_writes_here_and_calls_nobody(name, tmp_path):
    left, module = LEFT[name]
    pytest.importorskip(module, reason=f"extra {name}")
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    assert list(tmp_path.glob(left))
    assert (tmp_path / "run" / "metrics.csv").is_file()  # of every run, whatever else it tells
    inside = {path.name for path in tmp_path.iterdir()}
    assert inside <= {"run", "outputs"}


def test_every_logger_that_ships_is_tested_and_the_default_writes_files_only():
    assert {path.stem for path in (conf_dir() / "logger").glob("*.yaml")} == set(LEFT)
    assert {"logger": "csv"} in OmegaConf.load(conf_dir() / "train.yaml").defaults
