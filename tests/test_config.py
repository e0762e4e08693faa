from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from nightsift.config import register_schemas
from nightsift.config.arguments import arguments_of, locate
from nightsift.config.keys import GROUPS, TASKS, CalibrationKeys, FusionKeys, SourcesKeys
from nightsift.config.targets import missing_arguments
from nightsift.errors import NightsiftError
from nightsift.shipped import conf_dir

SRC = Path(__file__).parents[1] / "src" / "nightsift"
CONF = conf_dir()
CHOICES = sorted(
    (path.parent.relative_to(CONF).as_posix(), path.stem)
    for path in CONF.rglob("*.yaml")
    if path.parent not in (CONF, CONF / "instrument")  # instruments are read by name
)
# Choices that are for another task than train.
OTHER_TASK = {
    ("data", "sources"): "evaluate",
    ("fusion", "from_card"): "evaluate",
    ("heuristics", "robust"): "heuristics",
    ("heuristics", "published"): "heuristics",
}
NEEDED = {"evaluate": ["ckpt=x"], "heuristics": ["folder=x"], "simulate": ["out=x"]}
# A package of somebody else, with a folder of configuration files beside it.
THEIRS = """
class Net:
    def __init__(self, *, width: int = 8, name: str = "n", gains: "list[float] | None" = None):
        self.width = width

class Base:
    def __init__(self, *, depth: int = 2, kind: "NotThere" = None):
        pass

class Child(Base):
    def __init__(self, *, width: int, **rest):
        super().__init__(depth=3, **rest)

class Anything:
    def __init__(self, **whatever):
        self.whatever = whatever
"""


def composed(task: str, *overrides: str, conf: Path | None = None) -> DictConfig:
    register_schemas()
    place = [] if conf is None else [f"hydra.searchpath=[file://{conf}]"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(task, overrides=["run_dir=run", *place, *overrides])


def choice_override(group: str, name: str) -> str:
    return f"+experiment={name}" if group == "experiment" else f"{group}={name}"


def targets(node: object, place: str = "") -> list[tuple[str, dict]]:
    """Every node with a `_target_`, as written in a file."""
    if isinstance(node, list):
        return [found for child in node for found in targets(child, place)]
    if not isinstance(node, dict):
        return []
    own = [(place, node)] if "_target_" in node else []
    return own + [
        found for key, child in node.items() for found in targets(child, f"{place}.{key}")
    ]


@pytest.fixture
def theirs(tmp_path, monkeypatch) -> Path:
    """The folder of somebody's own configuration files, beside their package."""
    (tmp_path / "elsewhere.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(tmp_path)
    arguments_of.cache_clear()
    for name, text in {
        "net": "_target_: elsewhere.Net\nwidth: 16\n",
        "child": "_target_: elsewhere.Child\nwidth: 1\n",
        "anything": "_target_: elsewhere.Anything\nx: 1\n",
        "asked": "_target_: elsewhere.Net\nwidth: ???\n",
        "needy": "_target_: elsewhere.Child\n",
        "wrong_type": "_target_: elsewhere.Net\nwidth: wide\n",
        "wrong_key": "_target_: elsewhere.Net\nwidht: 3\n",
        "wrong_module": "_target_: absent.Net\n",
        "wrong_name": "_target_: elsewhere.Nett\n",
    }.items():
        path = tmp_path / "conf" / "model" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "conf"


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_shipped_choice_composes(group, name):
    if name == "search":
        pytest.importorskip("optuna", reason="extra optuna")
    task = OTHER_TASK.get((group, name), "train")
    if group == "callbacks" and name != "default":
        pytest.skip("part of callbacks/default")
    cfg = composed(task, choice_override(group, name), *NEEDED.get(task, []))
    assert OmegaConf.missing_keys(cfg) == set()
    assert missing_arguments(cfg) == []


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_presets_hold_only_what_differs_from_our_constructors(group, name):
    """A default is typed once: where its argument is declared."""
    node = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml"))
    repeated = [
        f"{place}.{key}={value}"
        for place, found in targets(node, f"{group}/{name}")
        if found["_target_"].startswith("nightsift.")
        for key, value in found.items()
        if key in (taken := arguments_of(found["_target_"]).named) and taken[key].default == value
    ]
    keys = GROUPS.get(group)
    if keys is not None and "_target_" not in (node or {}):
        declared = {field.name: field.default for field in dataclasses.fields(keys)}
        repeated += [key for key, value in node.items() if declared.get(key, node) == value]
    assert repeated == []


@pytest.mark.parametrize("task", TASKS)
def test_every_key_is_read_somewhere(task):
    """A key that nobody reads is a promise that nobody keeps."""
    code = "\n".join(path.read_text() for path in (SRC / "tasks").glob("*.py"))
    yaml = "\n".join(path.read_text() for path in CONF.rglob("*.yaml"))
    for field in dataclasses.fields(TASKS[task]):
        read = re.search(rf"cfg\.{field.name}\b", code) or f"${{{field.name}}}" in yaml
        assert read, field.name


@pytest.mark.parametrize("keys", [SourcesKeys, FusionKeys, CalibrationKeys])
def test_every_key_of_a_group_is_read_somewhere(keys):
    code = "\n".join(path.read_text() for path in (SRC / "tasks").glob("*.py"))
    for field in dataclasses.fields(keys):
        assert re.search(rf"\.{field.name}\b", code), field.name


@pytest.mark.parametrize("keys", [*TASKS.values(), SourcesKeys, CalibrationKeys])
def test_every_key_says_what_it_is_for(keys):
    groups = {path.name for path in CONF.iterdir() if path.is_dir()} | {"export"}
    text = "".join(inspect.getdoc(cls) or "" for cls in keys.__mro__)
    for field in dataclasses.fields(keys):
        assert field.name in groups or f"\n    {field.name}: " in text, field.name


@pytest.mark.parametrize("task", TASKS)
def test_help_names_keys_that_exist_and_two_examples(task):
    text = OmegaConf.load(CONF / f"{task}.yaml").hydra.help.template
    assert text.count(f"python -m {task}") == 2
    cfg = composed(task)
    keys = re.findall(r"(?<![\w.+/])([a-z_]+(?:\.[a-z_]+)*)=", text.split("Examples")[0])
    assert len(keys) >= 3
    for key in keys:
        parent, _, leaf = key.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        # A mapping takes any name: whoever it is passed to says which there are.
        takes_any = OmegaConf.is_struct(node) is False and OmegaConf.get_type(node) is dict
        assert takes_any or leaf in list(node) or (CONF / key).is_dir(), key


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("data.window=11", 11),
        ("data.max_gap_h=2", 2.0),
        ("data.split.val_nights=[a,b]", ["a", "b"]),
        ("data.transform.clip=4", 4.0),
        ("model.dropout=0.1", 0.1),
        ("model.channels=[4,4,8]", [4, 4, 8]),
        ("optim.lr=1e-2", 0.01),
        ("optim.betas=[0.8,0.9]", [0.8, 0.9]),
        ("loss.seq_weight=0.5", 0.5),
        ("loss.seq_weight=null", None),
        ("trainer.gradient_clip_val=1.0", 1.0),
        ("trainer.limit_train_batches=2", 2),
        ("trainer.limit_train_batches=0.5", 0.5),
        ("trainer.devices=[0,1]", [0, 1]),
        ("callbacks.best.verbose=true", True),
        ("simulate.variety=1", 1.0),
        ("fusion.frame_weight=1", 1.0),
    ],
)
def test_every_argument_of_a_constructor_can_be_given_and_has_its_type(override, value):
    key = override.partition("=")[0]
    given = OmegaConf.select(composed("train", override), key)
    assert given == value
    assert type(given) is type(value) or OmegaConf.is_config(given)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.window=nine", "data.window: Value 'nine' .* to Integer"),
        ("data.frame_batch=2.5", "data.frame_batch: Value '2.5' .* to Integer"),
        ("data.windw=9", "data.windw: Key 'windw' not in 'NightsDataModule'"),
        ("+data.windw=9", "data.windw: NightsDataModule takes no 'windw'; did you mean window"),
        ("model.frame_hidden=big", "model.frame_hidden: Value 'big' .* to Integer"),
        ("model.channels=[4,x,8]", r"model.channels\[1\]: Value 'x' .* to Integer"),
        ("optim.lr=fast", "optim.lr: Value 'fast' .* to Float"),
        ("loss.pos_weight=maybe", "loss.pos_weight: Value 'maybe' is not a valid bool"),
        ("trainer.max_epochs=some", "trainer.max_epochs: Value 'some' .* to Integer"),
        ("callbacks.best.save_top_k=x", "callbacks.best.save_top_k: Value 'x' .* to Integer"),
        ("+callbacks.mine={_target_:elsewhere.Net,widht:3}", "callbacks.mine.widht: Net takes no"),
        ("fusion.frame_weight=x", "fusion.frame_weight: Value 'x' .* to Float"),
        ("calibration.prior=x", "calibration.prior: Value 'x' .* to Float"),
        ("seed=x", "seed: Value 'x' .* to Integer"),
        ("nonsense=1", "nonsense: Key 'nonsense' not in 'TrainKeys'"),
    ],
)
def test_a_wrong_type_or_an_unknown_key_is_refused(theirs, override, message):
    from nightsift.tasks.launch import USER_ERRORS, describe

    with pytest.raises(USER_ERRORS) as refused:
        composed("train", override)
    assert re.match(message, describe(refused.value)), describe(refused.value)
    assert "\n" not in describe(refused.value)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("wrong_type", "model.width: Value 'wide' .* Integer"),
        ("wrong_key", "model.widht: Net takes no 'widht'; did you mean width"),
        ("wrong_module", r"model._target_: cannot find absent.Net \(No module named 'absent'\)"),
        ("wrong_name", "model._target_: cannot find elsewhere.Nett .*has no attribute 'Nett'"),
    ],
)
def test_somebody_elses_node_is_checked_in_the_same_way(theirs, choice, message):
    with pytest.raises(NightsiftError, match=message):
        composed("train", f"model={choice}", conf=theirs)


def test_somebody_elses_node_takes_every_argument_of_its_constructor(theirs):
    cfg = composed("train", "model=net", "model.gains=[1,2]", conf=theirs)
    assert OmegaConf.to_container(cfg.model) == {
        "_target_": "elsewhere.Net",
        "_convert_": "all",
        "width": 16,
        "name": "n",
        "gains": [1.0, 2.0],
    }
    assert instantiate(cfg.model).width == 16
    with pytest.raises(HydraException, match=r"model.gains=\[x\]"):
        composed("train", "model=net", "model.gains=[x]", conf=theirs)


def test_what_is_passed_on_to_a_base_class_may_be_given(theirs):
    cfg = composed("train", "model=child", conf=theirs)
    assert set(cfg.model) == {"_target_", "_convert_", "width"}  # it passes `depth` itself
    assert composed("train", "model=child", "model.kind=x", conf=theirs).model.kind == "x"
    with pytest.raises(HydraException, match=r"override .model\.other."):
        composed("train", "model=child", "model.other=1", conf=theirs)


def test_a_constructor_that_takes_anything_is_given_anything(theirs):
    cfg = composed("train", "model=anything", "model.y=[1]", conf=theirs)
    assert instantiate(cfg.model).whatever == {"x": 1, "y": [1]}


def test_a_target_given_on_the_command_line_brings_its_own_arguments(theirs):
    cfg = composed("train", "model._target_=elsewhere.Net", "model.width=3")
    assert set(cfg.model) == {"_target_", "_convert_", "width", "name", "gains"}


def test_arguments_that_nobody_gave_are_named(theirs):
    assert missing_arguments(composed("train", "model=needy", conf=theirs)) == ["model.width"]
    assert OmegaConf.missing_keys(composed("train", "model=asked", conf=theirs)) == {"model.width"}


def test_other_applications_are_left_alone(tmp_path):
    (tmp_path / "other.yaml").write_text("model:\n  _target_: absent.Net\n  x: 1\n")
    register_schemas()
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert compose("other").model == {"_target_": "absent.Net", "x": 1}


def _annotated(
    number: int = 1,
    path: Path | None = None,
    several: tuple[int, ...] = (1, 2),
    either: int | float | None = None,
    nested: dict[str, float] | None = None,
    thing: DictConfig | None = None,
    unlike: int = "text",  # type: ignore[assignment]
    unknown: Nowhere = 3,  # noqa: F821
    plain=4,
) -> None:
    """For the test below."""


def test_annotations_become_what_yaml_can_hold():
    named = {
        name: argument[:2]
        for name, argument in arguments_of(f"{__name__}._annotated").named.items()
    }
    assert named["number"] == (int, 1)
    assert named["path"] == (str | None, None)
    assert named["several"] == (list[int], [1, 2])
    assert named["either"][0] == int | float | None
    assert named["nested"] == (dict[str, float] | None, None)
    assert [named[name][0] for name in ("thing", "unlike", "unknown", "plain")] == [Any] * 4


def test_a_method_of_a_class_can_be_a_target():
    assert locate("omegaconf.DictConfig.get") == DictConfig.get
    with pytest.raises(ImportError, match="dotted path"):
        locate("DictConfig")


def test_a_sequence_weight_may_be_given_apart_from_the_frame_weight():
    loss = instantiate(composed("train", "loss.frame_weight=0.7").loss)
    assert loss.seq_weight == pytest.approx(0.3)
    loss = instantiate(composed("train", "loss.frame_weight=0.7", "loss.seq_weight=0.5").loss)
    assert loss.seq_weight == 0.5


def test_help_imports_no_constructor(theirs):
    register_schemas(constructors=False)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(
            "train", overrides=["+model={_target_:absent.Net}"], return_hydra_config=False
        )
    assert cfg.model._target_ == "absent.Net"
