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
        self.verdicts: dict[str, str] = {}

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
        verdicts = [
            self.verdicts.get(path.name, path.read_text().replace("partial", "")) for path in files
        ]
        return pd.DataFrame(
            {
                "file": [str(path) for path in files],
                "verdict": verdicts,
                "prob_bad": 0.5,
                "reason": "cloud",
                "explanation": "",
                "night": "n",
                "time": "2025-03-02T21:14:05.500+00:00",
            }
        )


@pytest.fixture
def night(tmp_path: Path) -> Night:
    (tmp_path / "night").mkdir()
    return Night(tmp_path / "night")


def make_watch(night: Night, tmp_path: Path, said: list[str], **options: object) -> Watch:
    settings = {"window": 1, "quiet_s": 0.0, **options}
    return Watch(night.folder, night.judge, tmp_path / "memory.json", tell=said.append, **settings)


def test_a_frame_is_judged_once_it_has_stopped_growing(night, tmp_path):
    said: list[str] = []
    watch = make_watch(night, tmp_path, said)
    night.arrive("a.fits", "good")
    assert not watch.look()  # seen for the first time: it may still grow
    assert watch.look()
    assert said == ["n  2025-03-02 21:14:05  a.fits: good 0.50  cloud"]
    assert not watch.look()
    night.arrive("b.fits", "go")
    assert not watch.look()
    night.arrive("b.fits", "bad")
    assert not watch.look()
    assert watch.look()
    assert said[1:] == ["n  2025-03-02 21:14:05  b.fits: bad 0.50  cloud"]
    assert night.calls == [1, 2]


def test_a_file_that_was_replaced_is_told_anew_and_a_restart_tells_nothing_twice(night, tmp_path):
    said: list[str] = []
    watch = make_watch(night, tmp_path, said)
    night.arrive("a.fits", "good")
    watch.look(), watch.look()
    night.arrive("a.fits", "review")
    watch.look(), watch.look()
    assert said[-1] == "n  2025-03-02 21:14:05  a.fits: review 0.50  cloud"
    again: list[str] = []
    other = make_watch(night, tmp_path, again)
    other.look(), other.look()
    assert again == []
    for damaged in ("damaged", "[]", '{"a": "good"}', '{"a": ["good", 0.5, [1], 0]}'):
        (tmp_path / "memory.json").write_text(damaged)
        make_watch(night, tmp_path, again).look()


def test_pending_frames_are_told_once_nothing_has_come_for_a_while(night, tmp_path, monkeypatch):
    said: list[str] = []
    watch = make_watch(night, tmp_path, said, window=9, quiet_s=60)
    assert not watch.look()
    night.arrive("a.fits", "good", age_s=0)
    watch.look(), watch.look(), watch.look()
    assert said == [
        "n: pending from a.fits on; a verdict is given when 4 later frames are there and 9 in "
        "all, or none has come for 60 s"
    ]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 59)
    assert not watch.look()
    night.arrive("b.fits", "good", age_s=0)
    watch.look(), watch.look()
    monkeypatch.setattr(time, "time", lambda: now + 100)
    assert not watch.look()
    assert len(said) == 1
    monkeypatch.setattr(time, "time", lambda: now + 120)
    assert not watch.look()
    assert [line.split()[3] for line in said[1:]] == ["a.fits:", "b.fits:"]


def test_the_end_tells_what_is_pending_and_what_changed_since(night, tmp_path):
    said: list[str] = []
    watch = make_watch(night, tmp_path, said, window=3, quiet_s=600)
    for name in "abcd":
        night.arrive(f"{name}.fits", "good", age_s=0)
        watch.look(), watch.look()
    assert [line.split()[3] for line in said[1:]] == ["a.fits:", "b.fits:", "c.fits:"]
    night.verdicts["a.fits"] = "bad"
    night.arrive("e.fits", "good", age_s=0)
    watch.look()
    table = watch.finish()  # e.fits has been seen once
    assert [Path(file).name for file in table["file"]] == [f"{name}.fits" for name in "abcde"]
    assert [line.split()[3] for line in said[4:6]] == ["d.fits:", "e.fits:"]
    assert said[6:] == ["in the end otherwise than told: a.fits bad (told: good)"]
    assert make_watch(night, tmp_path, said, window=3).finish() is None


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
    assert said == ["n  2025-03-02 21:14:05  a.fits: not judged  cloud"]


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
    options = {"window": 9, "quiet_s": 60.0, "tell": said.append}
    watch = Watch(tmp_path / "later", night.judge, tmp_path / "m.json", **options)
    assert not watch.look()
    assert watch.finish() is None
    with pytest.raises(NightsiftError, match="quiet_s must not be negative, got nan"):
        make_watch(night, tmp_path, said, quiet_s=float("nan"))
    with pytest.raises(NightsiftError, match="spell"):
        make_watch(night, tmp_path, said, spell=0)
