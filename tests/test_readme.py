from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from nightsift.config import register_schemas
from nightsift.shipped import conf_dir
from nightsift.tasks.launch import quote_plain_paths

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEMPLATES = {
    "train": "data.seq_dirs=[{}]",
    "evaluate": "ckpt={}",
    "predict": "folder={}",
    "review": "folder={}",
    "simulate": "out={}",
    "heuristics": "folder={}",
}
COMMANDS = sorted(
    set(
        re.findall(
            r"^python -m ((?:train|evaluate|predict|heuristics|review|simulate) .*)$", README, re.M
        )
    )
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_composes(command):
    task, *arguments = shlex.split(command)
    overrides = quote_plain_paths(arguments, conf_dir(), task, template=TEMPLATES[task])
    # A sweep's first job stands for all of them.
    overrides = [re.sub(r"=([^\[\],']+),.*", r"=\1", item) for item in overrides if item != "-m"]
    register_schemas()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        compose(task, overrides=["run_dir=run", *overrides])


def test_keys_of_the_readme_exist():
    register_schemas()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        tasks = [compose(task, overrides=["run_dir=run"]) for task in ("train", "evaluate")]
    for key in re.findall(
        r"`((?:data|loss|optim|trainer|fusion|export|calibration)\.[a-z_.]+)=", README
    ):
        parent, _, leaf = key.rpartition(".")
        assert any(leaf in (OmegaConf.select(cfg, parent) or ()) for cfg in tasks), key


def test_the_script_of_the_readme_runs_in_at_most_ten_lines(nights, make_night, tmp_path):
    (script,) = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)
    assert len([line for line in script.splitlines() if line]) <= 10
    make_night("new_night", n=7, seed=9)
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    for name in ("frame_ap", "seq_ap", "fused_ap", "f1", "recall"):
        assert f"test/{name}" in ended.stdout
    table = ended.stdout[ended.stdout.rindex("file") :].splitlines()
    assert table[0].split() == ["file", "prob_bad", "pred", "prob_frame", "prob_seq"]
    assert [row.split()[1] for row in table[1:]] == [f"new_night/f{i}.fits" for i in range(1, 8)]
    assert list((tmp_path / "outputs" / "cache" / "looks").glob("*.sqlite"))


def test_pages_that_the_readme_links_are_there():
    for name in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / name).is_file(), name


def test_pictures_of_the_readme_are_there():
    for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).stat().st_size > 10_000, name


def test_the_two_commands_are_those_that_ci_and_tests_run():
    first, second = re.findall(r"^python3 -m venv .*$", README, re.M)
    assert first.endswith("&& python -m train +experiment=joint")
    assert second.endswith("&& pytest")


def run_train(work: Path, experiment: str) -> dict:
    command = [sys.executable, "-m", "train", f"+experiment={experiment}", "hydra.run.dir=run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    result = subprocess.run(
        command, cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "threshold of the fused probability" in result.stdout
    return json.loads((work / "run" / "metrics.json").read_text())


def test_the_smoke_experiment_goes_the_whole_way(tmp_path):
    assert set(run_train(tmp_path, "smoke")["splits"]) == {"train", "val", "test"}


@pytest.mark.slow
def test_the_main_command_ends_with_numbers_that_mean_something(tmp_path):
    test = run_train(tmp_path, "joint")["splits"]["test"]["fused"]
    assert test["average_precision"]["value"] > 0.9
