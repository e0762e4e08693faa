"""docs/extending.md does what it says: its files are written, its commands run, in its order."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")


class Section(NamedTuple):
    title: str
    files: dict[str, str]
    commands: list[str]


def read_section(text: str) -> Section:
    title, _, body = text.partition("\n")
    files = dict(re.findall(r"^`(\S+)`\n\n```\w+\n(.*?)^```$", body, re.M | re.S))
    blocks = re.findall(r"^```bash\n(.*?)^```$", body, re.M | re.S)
    return Section(title, files, [line for block in blocks for line in block.splitlines()])


SECTIONS = [read_section(text) for text in PAGE.split("\n## ")[1:]]


@pytest.fixture(scope="module")
def attic(tmp_path_factory) -> Path:
    """A folder with all files of the page."""
    folder = tmp_path_factory.mktemp("attic")
    for section in SECTIONS:
        for name, text in section.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(command: str, folder: Path) -> str:
    program, *arguments = shlex.split(command)
    assert program == "python"
    path = os.pathsep.join([str(ROOT / "src"), str(folder)])
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stderr[-2000:]}"
    return ended.stdout


def kinds(folder: Path) -> set[str]:
    with (folder / "truth.csv").open(newline="") as stream:
        return {row["kind"] for row in csv.DictReader(stream)} - {""}


def check_defect(attic: Path) -> None:
    for night in ("drops/nights/toi-001", "drops/mixed", "onto_mine/night-001"):
        assert kinds(attic / night) == {"drop"}
        assert "obstruction: drop" in (attic / night / "labels.csv").read_text()


def check_instrument(attic: Path) -> None:
    (night,) = (attic / "attic_night" / "nights").iterdir()
    assert len(list(night.glob("*.fits"))) == 12
    assert kinds(attic / "one_drop") == {"drop"}


def check_list(attic: Path) -> None:
    text = (attic / "sorted" / "lists" / "logbook.txt").read_text()
    assert re.fullmatch(r"toi-001: \d+ of 16 frames lost \(.+\)\n", text)
    assert (attic / "sorted" / "lists" / "kept.txt").is_file()


def check_all(attic: Path) -> None:
    nights = (attic / "everything" / "nights").iterdir()
    assert set.union(*map(kinds, nights)) == {"drop", "thick_cloud", "trail"}


CHECKS = {
    "A defect of the simulator": check_defect,
    "An instrument": check_instrument,
    "A list for another program": check_list,
    "All of it under one name": check_all,
}


def test_every_block_is_a_file_or_commands_and_every_section_is_checked():
    named = sum(len(section.files) for section in SECTIONS)
    assert named + PAGE.count("```bash") == PAGE.count("```") / 2
    assert set(CHECKS) == {section.title for section in SECTIONS if section.commands}


@pytest.mark.slow
@pytest.mark.parametrize("title", CHECKS)
def test_a_section_does_what_it_says(title, attic):
    (section,) = (section for section in SECTIONS if section.title == title)
    for command in section.commands:
        run(command, attic)
    CHECKS[title](attic)
