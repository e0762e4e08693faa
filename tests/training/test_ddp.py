"""Two processes do what one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

SCRIPT = Path(__file__).with_name("ddp_script.py")
FEW_SCRIPT = Path(__file__).with_name("ddp_few_script.py")
SRC = Path(__file__).parents[2] / "src"


def run(nights: Path, work: Path, processes: int) -> tuple[dict, pd.DataFrame]:
    out = work / f"of_{processes}.json"
    command = [sys.executable, SCRIPT, nights, work / "cache", out, str(processes)]
    environment = {**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [str(part) for part in command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    logged = pd.read_csv(work / out.stem / "metrics.csv")
    return json.loads(out.read_text()), logged.groupby("epoch").first()


@pytest.mark.slow
def test_two_processes_train_and_score_as_one_does(make_night, tmp_path):
    root = tmp_path / "nights"
    # Lengths that neither batches nor processes divide.
    for seed, n in enumerate((23, 17, 14, 15)):
        spell = set(range(4 + seed, 9 + seed))
        make_night(f"night{seed}", n=n, bad=spell, seed=seed, root=root)
    (one, curve_of_one), (two, curve_of_two) = (run(root, tmp_path, n) for n in (1, 2))
    assert (one["world_size"], two["world_size"]) == (1, 2)
    names = [name for name in curve_of_one if name.startswith(("train/", "val/"))]
    assert {"train/loss", "train/seq_loss", "val/loss", "val/fused_ap"} <= set(names)
    for name in names:
        np.testing.assert_allclose(
            curve_of_two[name], curve_of_one[name], rtol=0, atol=1e-6, err_msg=name
        )
    losses = curve_of_one["train/loss"].dropna()
    assert losses.iloc[-1] < losses.iloc[0]
    assert two["threshold"] == pytest.approx(one["threshold"], abs=1e-6)
    assert two["test"] == pytest.approx(one["test"], abs=1e-6)
    weights = [torch.load(tmp_path / f"of_{n}.pt", weights_only=True) for n in (1, 2)]
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_more_processes_than_nights_and_batches_lose_and_double_nothing(nights, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, FEW_SCRIPT, nights, tmp_path / "cache", out, "4"]
    environment = {**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [str(part) for part in command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    facts = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("out_*.json"))]
    assert len(facts) == 4
    assert all(rank["steps"] == 2 for rank in facts)
    assert all(rank["test"] == pytest.approx(facts[0]["test"]) for rank in facts)
    predicted = [file for rank in facts for file in rank["predicted"]]
    assert sorted(predicted) == sorted(str(path) for path in nights.rglob("*.fits"))
