from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from nightsift.config import CHECKOUT, SCHEMAS, conf_dir, register_schemas
from nightsift.models.architectures import ARCHITECTURES

SRC = Path(__file__).parents[1] / "src" / "nightsift"
TASKS = ("train", "evaluate", "predict", "heuristics", "review", "simulate")
CHOICES = sorted(
    (path.parent.relative_to(CHECKOUT).as_posix(), path.stem)
    for path in CHECKOUT.rglob("*.yaml")
    if path.parent not in (CHECKOUT, CHECKOUT / "instrument")  # instruments are read by name
)
# Groups whose choices are values for a task other than train, or whose extra is not installed.
OTHER_TASK = {
    ("data", "sources"): "evaluate",
    ("fusion", "from_card"): "evaluate",
    ("heuristics", "robust"): "heuristics",
    ("heuristics", "published"): "heuristics",
}
NEEDED = {"evaluate": ["ckpt=x"], "heuristics": ["folder=x"]}
# Keys that choose what is built, and are not passed to it.
NAMES = {"_target_", "architecture"}
NO_EXTRA = {("logger", "tensorboard")}


def composed(task: str, *overrides: str) -> DictConfig:
    register_schemas()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose(task, overrides=["run_dir=run", *overrides])


def choice_override(group: str, name: str) -> str:
    return f"+experiment={name}" if group == "experiment" else f"{group}={name}"


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_shipped_choice_composes(group, name):
    task = OTHER_TASK.get((group, name), "train")
    if group == "callbacks" and name != "default":
        pytest.skip("part of callbacks/default")
    cfg = composed(task, choice_override(group, name), *NEEDED.get(task, []))
    assert OmegaConf.missing_keys(cfg) == set()


@pytest.mark.parametrize("experiment", ["joint", "published", "smoke"])
def test_every_part_of_an_experiment_can_be_made(experiment, tmp_path):
    import torch

    cfg = composed("train", f"+experiment={experiment}", f"cache_dir={tmp_path}")
    instantiate(cfg.data, _convert_="all")
    instantiate(cfg.loss)
    optimizer = instantiate(cfg.optim)([torch.nn.Parameter(torch.zeros(1))])
    instantiate(cfg.scheduler)(optimizer)
    for callback in cfg.callbacks.values():
        instantiate(callback)
    instantiate(cfg.simulate)
    assert cfg.loss.frame_weight == 0.8


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (group, name)
        for group, name in CHOICES
        if group.split("/")[0] in ("data", "loss", "simulate", "model", "heuristics")
        and OTHER_TASK.get((group, name)) != "evaluate"
    ],
)
def test_schema_fields_equal_constructor_parameters(group, name):
    cfg = composed(OTHER_TASK.get((group, name), "train"), choice_override(group, name))
    node = OmegaConf.select(cfg, group.replace("/", "."))
    target = (
        get_object(node["_target_"]) if "_target_" in node else ARCHITECTURES[node["architecture"]]
    )
    # What the data decide is no choice.
    parameters = set(inspect.signature(target).parameters) - {"features", "causes"}
    assert {str(key) for key in node} - NAMES == parameters
    schema = OmegaConf.get_type(node)
    assert schema in SCHEMAS.values()
    assert {field.name for field in dataclasses.fields(schema)} - NAMES == parameters


@pytest.mark.parametrize("task", TASKS)
def test_every_top_level_key_is_read_somewhere(task):
    """A key that nobody reads is a promise that nobody keeps."""
    code = "\n".join(path.read_text() for path in (SRC / "tasks").glob("*.py"))
    yaml = "\n".join(path.read_text() for path in CHECKOUT.rglob("*.yaml"))
    primary = OmegaConf.load(CHECKOUT / f"{task}.yaml")
    for key in set(primary) - {"defaults", "hydra"}:
        read = re.search(rf"cfg\.{key}\b", code) or f"${{{key}}}" in yaml
        assert read, key


@pytest.mark.parametrize("task", TASKS)
def test_help_names_keys_that_exist_and_two_examples(task):
    text = OmegaConf.load(CHECKOUT / f"{task}.yaml").hydra.help.template
    assert text.count(f"python -m {task}") == 2
    cfg = composed(task)
    keys = re.findall(r"(?<![\w.+/])([a-z_]+(?:\.[a-z_]+)*)=", text.split("Examples")[0])
    assert len(keys) >= 3
    for key in keys:
        parent, _, leaf = key.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        assert leaf in list(node) or (CHECKOUT / key).is_dir(), key


def test_a_sequence_weight_may_be_given_apart_from_the_frame_weight():
    loss = instantiate(composed("train", "loss.frame_weight=0.7").loss)
    assert loss.seq_weight == pytest.approx(0.3)
    loss = instantiate(composed("train", "loss.frame_weight=0.7", "loss.seq_weight=0.5").loss)
    assert loss.seq_weight == 0.5
