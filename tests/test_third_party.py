"""Somebody's own module: its defect is simulated, measured, learnt and named, from Python too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
MODULE = """
import os

import torch
from torch import nn

from nightsift.heuristics.rules import Rule, add_rules
from nightsift.look.features import FEATURES, Feature
from nightsift.models.architectures import ARCHITECTURES
from nightsift.models.contract import JointModel
from nightsift.simulate.defects.catalogue import defect
from nightsift.simulate.effect import Effect


@defect("moths", "moth", unit="adu", faint=400, gross=4000, marginal=200, bad=300)
def moths(facts, strength, moment, rng):
    return Effect(readout=lambda adu, _: adu + strength), {}


def measure_darkest(scene):
    return {"darkest_adu": float(scene.pixels.min()), "process": float(os.getpid())}


FEATURES.add("darkest", Feature(measure_darkest))
add_rules(
    Rule(reason="moth", feature="darkest_adu", kind="slow", worse=1, limit=100, decisive=True,
         text="nowhere darker than {value:.0f} adu")
)


class Moth(JointModel):
    uses_inputs = True

    def __init__(self, *, features, causes):
        super().__init__()
        self.n_inputs = self.embedding_width = features + 2
        self.causes = tuple(causes)
        self.heads = nn.Linear(features + 2, 2 + len(causes))

    def encode(self, frames, inputs):
        return inputs.nan_to_num()

    def classify_frames(self, embedding):
        return self.heads(embedding)[:, 0]

    def classify_windows(self, embedding, windows):
        return self.heads(embedding)[windows][..., 1]

    def classify_causes(self, embedding):
        return self.heads(embedding)[:, 2:]


ARCHITECTURES.add("Moth", Moth)
"""
SCRIPT = """
import pandas as pd
import pytorch_lightning as pl

import moths
import nightsift as ns

if __name__ == "__main__":
    for seed in range(4):
        out = f"nights/{seed}"
        ns.simulate_night(out, frames=24, kinds=["moths"], max_side=96, seed=seed)
    data = ns.NightsDataModule(["nights"], img_size=32, measured=True, processes=True)
    module = ns.JointModule(
        "Moth", loss={"cause_weight": 1.0}, optimizer={"name": "Adam", "lr": 0.02}
    )
    callbacks = [ns.ThresholdCalibration(), ns.WeightsExport("moth.pt")]
    trainer = pl.Trainer(max_epochs=8, callbacks=callbacks, logger=False, accelerator="cpu")
    trainer.fit(module, data)
    pd.concat(night.features for night in data.nights.nights).to_csv("trained_on.csv")
    ns.judge("nights", ckpt="moth.safetensors").report("judged")
"""


class Ended(NamedTuple):
    process: int
    err: str


def start(folder: Path, *arguments: str) -> Ended:
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        ended = Ended(process.pid, process.communicate()[1])
    assert process.returncode == 0, ended.err[-3000:]
    return ended


def measured_in(table: Path) -> set[int]:
    """The processes that frames were measured in."""
    return set(pd.read_csv(table)["process"].astype(int))


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "moths.py").write_text(MODULE)
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


@pytest.mark.slow
def test_a_model_learns_a_defect_by_a_feature_of_the_same_module(folder):
    ended = start(folder, "script.py")
    assert "Warning: overflow" not in ended.err
    table = pd.read_csv(folder / "judged" / "predictions.csv")
    bad = table[table["label"] == 1]
    assert len(bad) >= 4 * 3
    assert (bad["verdict"] == "bad").mean() > 0.7
    assert (table.loc[table["label"] == 0, "verdict"] == "good").mean() > 0.9
    named = bad[bad["verdict"] != "good"]
    assert set(named["reason"]) == {"moth"}
    assert named["explanation"].str.startswith("moth: nowhere darker than").all()
    assert "moth: nowhere darker than" in (folder / "judged" / "report.html").read_text()
    # Torch was there: they were not forked.
    assert ended.process not in measured_in(folder / "trained_on.csv")
    command = ["-m", "heuristics", "nights", "plugins=[moths]", "hydra.run.dir=ranked"]
    ended = start(folder, *command)
    assert ended.process not in measured_in(folder / "ranked" / "features.csv")
