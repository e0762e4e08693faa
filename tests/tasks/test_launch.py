from __future__ import annotations

import errno

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from nightsift.config import conf_dir
from nightsift.errors import NightsiftError
from nightsift.tasks.launch import describe, quote_plain_paths


def quoted(*arguments: str, task: str = "predict", template: str = "folder={}") -> list[str]:
    return quote_plain_paths(arguments, conf_dir(), task, template=template)


@pytest.mark.parametrize(
    "path",
    [
        "My Nights/2025=03",
        "a,b",
        "[x]",
        "~night",
        "night (1)",
        "it's",
        "C:\\Users\\me\\night",
        "C:\\night\\",
        "back\\'quote",
        "100%",
        "${HOME}",
        'say "hi"',
        "ä/ö",
        "x: y",
        "{a}",
    ],
)
def test_a_plain_path_reaches_the_task_as_it_was_typed(path):
    (override,) = quoted(path)
    (parsed,) = OverridesParser.create().parse_overrides([override])
    assert parsed.key_or_group == "folder"
    assert parsed.value() == path.replace("${", "\\${")


def test_overrides_options_and_deletions_pass_untouched():
    arguments = [
        "-m",
        "--config-dir",
        "x y",
        "data.seq_dirs=[a]",
        "+data.new=1",
        "~fusion",
        "-cn",
        "z",
    ]
    assert quoted(*arguments) == arguments


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
