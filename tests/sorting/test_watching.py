from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from nightsift.errors import NightsiftError
from nightsift.sorting.watching import Watch


class Night:
    """A folder that frames arrive in, judged by what is written in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[int] = []

    def arrive(self, name: str, content: str, *, age_s: float = 100) -> None:
        path = self.folder / name
        path.write_text(content)
        then = time.time() - age_s
        os.utime(path, (then, then))

    def judge(self, unfinished: frozenset[Path]) -> pd.DataFrame:
        files = [path for path in sorted(self.folder.glob("*.fits")) if path not in unfinished]
        self.calls.append(len(files))
        if not files:
            raise NightsiftError("nothing")
        verdicts = [path.read_text().replace("partial", "") for path in files]
        return pd.DataFrame(
            {
                "file": [str(path) for path in files],
                "verdict": verdicts,
                "prob_bad": 0.5,
                "reason": "cloud",
                "explanation": "",
                "night": "n",
            }
        )


@pytest.fixture
def night(tmp_path: Path) -> Night:
    (tmp_path / "night").mkdir()
    return Night(tmp_path / "night")


def make_watch(night: Night, tmp_path: Path, said: list[str], **options: object) -> Watch:
    return Watch(night.folder, night.judge, tmp_path / "memory.json", tell=said.append, **options)


def test_a_frame_is_judged_once_it_has_stopped_growing(night, tmp_path):
    said: list[str] = []
    watch = make_watch(night, tmp_path, said)
    night.arrive("a.fits", "good")
    assert not watch.look()  # seen for the first time: it may still grow
    assert watch.look()
    assert said == ["a.fits: good 0.50  cloud"]
    assert not watch.look()
    night.arrive("b.fits", "go")
    assert not watch.look()
    night.arrive("b.fits", "bad")
    assert not watch.look()
    assert watch.look()
    assert said[1:] == ["b.fits: bad 0.50  cloud"]
    assert night.calls == [1, 2]


def test_a_changed_verdict_is_told_and_a_restart_tells_nothing_twice(night, tmp_path):
    said: list[str] = []
    watch = make_watch(night, tmp_path, said)
    night.arrive("a.fits", "good")
    watch.look(), watch.look()
    (night.folder / "a.fits").write_text("review")
    watch.look(), watch.look()
    assert said[-1] == "a.fits: review 0.50 (was good)  cloud"
    again: list[str] = []
    other = make_watch(night, tmp_path, again)
    other.look(), other.look()
    assert again == []
    (tmp_path / "memory.json").write_text("damaged")
    make_watch(night, tmp_path, again).look()


def test_what_cannot_be_read_yet_is_tried_again(night, tmp_path):
    said: list[str] = []
    watch = make_watch(night, tmp_path, said)
    night.arrive("a.fits", "partial", age_s=1)
    watch.look()
    assert watch.look()
    assert watch.look()
    assert said == []
    night.arrive("a.fits", "partial", age_s=100)
    watch.look(), watch.look()
    assert said == ["a.fits: not judged  cloud"]


def test_a_spell_runs_the_command_once_and_without_a_shell(night, tmp_path):
    said: list[str] = []
    out = tmp_path / "ran"
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "open(sys.argv[1], 'a').write(os.environ['NIGHTSIFT_FILE'] + '|' + sys.argv[2] + '\\n')\n"
    )
    command = f"{sys.executable} '{program}' '{out}' '$(touch x); y'"
    watch = make_watch(night, tmp_path, said, on_spell=command, spell=2)
    for name, verdict in (("a", "good"), ("b", "bad"), ("c", "bad"), ("d", "bad"), ("e", "good")):
        night.arrive(f"{name}.fits", verdict)
        watch.look(), watch.look()
    deadline = time.time() + 10
    while watch.commands_running() and time.time() < deadline:
        time.sleep(0.05)
    assert out.read_text() == f"{night.folder / 'c.fits'}|$(touch x); y\n"
    assert sum("bad spell" in line for line in said) == 1


def test_an_empty_or_absent_folder_is_waited_for(night, tmp_path):
    said: list[str] = []
    watch = Watch(tmp_path / "later", night.judge, tmp_path / "m.json", tell=said.append)
    assert not watch.look()
    with pytest.raises(NightsiftError, match="spell"):
        make_watch(night, tmp_path, said, spell=0)
