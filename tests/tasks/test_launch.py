from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from nightsift.errors import NightsiftError
from nightsift.shipped import conf_dir
from nightsift.tasks.launch import describe, quote_plain_paths


def quoted(*arguments: str, task: str = "predict", template: str = "folder={}") -> list[str]:
    return quote_plain_paths(arguments, conf_dir(), task, template=template)


PATHS = [
    "My Nights/2025=03",
    "a,b",
    "[x]",
    "~night",
    "~",
    "~/nights",
    "~me/nights=3",
    "night (1)",
    "it's",
    "back\\'quote",
    "100%",
    "${HOME}",
    'say "hi"',
    "ä/ö",
    "x: y",
    "{a}",
    "+night",
    "+",
    "+1=2",
    "+ new=night",
    "+ä=1",
    "2025=03",
    "My=Night",
    "my night@home=1",
    "@home=1",
    "=",
    "=night",
    "data",
    "data/2025=03",
    "data dir=3",
    "C:\\Users\\me\\night",
    "C:\\night\\",
    "C:\\nights=2025",
    "+C:\\nights=2025",
    "D:/nights/a=b",
    "data\\night=3",
    "\\\\server\\share\\night=1",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_plain_path_reaches_the_task_as_it_was_typed(path):
    (override,) = quoted(path)
    (parsed,) = OverridesParser.create().parse_overrides([override])
    assert parsed.key_or_group == "folder"
    assert parsed.value() == path.replace("${", "\\${")


@pytest.mark.parametrize(
    "override",
    [
        "threshold=0.5",
        "data.seq_dirs=[a]",
        "data.seq_dirs=",
        "data/transform=robust",
        "fusion@fusion=weighted",
        "hydra.run.dir=x y",
        "hydra/launcher=joblib",
        "+data.new=1",
        "++data.new=1",
        "~fusion",
        "~data.workers",
        "~fusion=weighted",
        "+experiment=[a,b]",
        "+profile=mine",
        "++profile=mine",
        "+profile/site=mine",
        "+profile.key=1",
        "+profile@fusion=mine",
        "+profile@_global_=mine",
        "+profile=",
        "profile@data=mine",
        "+list.0=1",
    ],
)
def test_an_override_passes_untouched(override):
    assert quoted(override) == [override]


def test_options_and_their_values_pass_untouched():
    arguments = ["-m", "--config-dir", "x y", "-cn", "z", "--config-dir=~a b", "--cfg", "job"]
    assert quoted(*arguments) == arguments


def test_options_stand_behind_all_keys_wherever_they_were_typed():
    """Where Hydra reads them, in the order in which they came."""
    typed = ["threshold=0.5", "-cd", "x", "a b", "--cfg", "job", "device=cpu", "-m"]
    behind = ["-cd", "x", "--cfg", "job", "-m"]
    assert quoted(*typed) == ["threshold=0.5", "device=cpu", "folder='a b'", *behind]


@pytest.mark.parametrize(
    "name", ["My=Night", "+profile=mine", "profile@home=1", "~data", "data/x=1"]
)
def test_what_is_there_is_a_path(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir(parents=True)
    assert quoted(name) == [f"folder='{name}'"]


def test_a_key_of_the_task_stays_one_beside_a_folder_of_that_name(tmp_path, monkeypatch):
    """Sweeps make such folders."""
    monkeypatch.chdir(tmp_path)
    Path("threshold=0.5").mkdir()
    assert quoted("threshold=0.5") == ["threshold=0.5"]


@pytest.mark.parametrize(
    "named",
    [
        ["--config-dir", "{conf}"],
        ["-cd", "{conf}"],
        ["--config-dir={conf}"],
        ["hydra.searchpath=[file://{conf}]"],
        ["hydra.searchpath=['pkg://theirs_with_conf.conf']"],
    ],
)
def test_groups_of_other_folders_are_known(named, tmp_path, monkeypatch):
    conf = tmp_path / "theirs_with_conf" / "conf"
    (conf / "site").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    options = [option.format(conf=conf) for option in named]
    given = quoted(*options, "site=roof", "My Night")
    assert sorted(given) == sorted([*options, "site=roof", "folder='My Night'"])
    assert quoted("site=roof") == ["folder='site=roof'"]


def test_several_plain_paths_become_a_list_or_an_error():
    both = quoted("a b", "c", task="train", template="data.seq_dirs=[{}]")
    assert both == ["data.seq_dirs=['a b','c']"]
    with pytest.raises(NightsiftError, match="expected one path, got 2"):
        quoted("a", "b")


def test_descriptions_are_one_line():
    assert describe(OSError(errno.ENOSPC, "No space left on device", "x.ckpt")) == (
        "x.ckpt: No space left on device"
    )
    assert describe(NightsiftError("a\n  b")) == "a b"
