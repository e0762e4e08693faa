"""docs/extending.md does what it says: its files are written, its commands run, in its order."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

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


def write_files(section: Section, folder: Path) -> None:
    for name, text in section.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def start(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(command)
    assert program == "python"
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def run(command: str, folder: Path) -> None:
    ended = start(command, folder)
    assert ended.returncode == 0, f"{command}\n{ended.stderr[-2000:]}"


def refused(command: str, folder: Path) -> str:
    """The one line in which a user's error is said."""
    ended = start(command, folder)
    assert ended.returncode == 2, f"{command}\n{ended.stderr[-2000:]}"
    (line,) = ended.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def attic(tmp_path_factory) -> Path:
    """The folder of the page, with the nights that its first section makes."""
    folder = tmp_path_factory.mktemp("attic")
    write_files(SECTIONS[0], folder)
    for command in SECTIONS[0].commands:
        run(command, folder)
    return folder


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as stream:
        return list(csv.DictReader(stream))


def kinds(night: Path) -> set[str]:
    return {row["kind"] for row in rows(night / "truth.csv")} - {""}


def card(run_folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_folder / "joint_frame_seq.json").read_text())
    return found


def seen(run_folder: Path) -> set[str]:
    """The measured numbers that a model is given."""
    return {column["name"] for column in card(run_folder)["inputs"]["columns"]}


def check_defect(attic: Path) -> None:
    for night in ("hum/nights/toi-001", "hum/nights/toi-002", "onto_mine/night-001"):
        assert kinds(attic / night) == {"hum"}
        assert "interference: hum" in (attic / night / "labels.csv").read_text()


def check_feature(attic: Path) -> None:
    labels = attic.glob("hum/nights/*/labels.csv")
    kinds_of_bad = ("bad", "marginal")
    bad = {row["file"] for table in labels for row in rows(table) if row["label"] in kinds_of_bad}
    assert all(float(row["wave"]) > 0 for row in rows(attic / "ranked" / "features.csv"))
    worst = rows(attic / "ranked" / "candidates.csv")[:5]
    assert [row["reason"] for row in worst] == ["interference"] * len(worst)
    assert {Path(row["file"]).name for row in worst} <= bad
    by_file = {row["file"]: row for row in rows(attic / "judged" / "predictions.csv")}
    for row in worst:
        judged = by_file[row["file"]]
        assert judged["verdict"] in ("review", "bad")
        assert judged["reason"] == "interference"
        assert re.fullmatch(r"interference: a wave of 0\.\d sigma.*", judged["explanation"])
    assert "interference: a wave of 0." in (attic / "judged" / "report.html").read_text()
    run("python -m heuristics hum/nights plugins=[attic.wave] "
        "heuristics.weights.interference=0 hydra.run.dir=without", attic)  # fmt: skip
    assert "interference:" not in (attic / "without" / "candidates.csv").read_text()


def check_model(attic: Path) -> None:
    found = card(attic / "trained")
    assert found["architecture"] == "Attic"
    assert found["model_args"]["width"] == 8
    assert "interference" in found["causes"]
    assert {"severity_interference_wave_slow", "slow_wave_by_scatter"} <= seen(attic / "trained")
    scored = [rows(path) for path in attic.glob("outputs/*/*/predictions.csv")]
    assert [len(table) for table in scored] == [48, 48]
    evaluated, predicted = ([row["prob_bad"] for row in table] for table in scored)
    assert evaluated == predicted
    line = refused("python -m predict hum/nights ckpt=trained", attic)
    assert "unknown model 'Attic'" in line
    assert "plugins=" in line


def check_head(attic: Path) -> None:
    assert card(attic / "faded")["model_args"]["sequence"] == "fading"


def check_transform(attic: Path) -> None:
    assert card(attic / "ranked_pixels")["transform"] == {"name": "ranks", "brightest": True}
    line = refused("python -m predict hum/nights ckpt=ranked_pixels", attic)
    assert line.startswith("predict: unknown transform 'ranks'")


def check_loss(attic: Path) -> None:
    used = (attic / "focused" / ".hydra" / "config.yaml").read_text()
    for line in ("_target_: attic.focal.Focal", "gamma: 1.5", "frame_weight: 0.7"):
        assert f"  {line}\n" in used


def check_instrument(attic: Path) -> None:
    (night,) = (attic / "attic_night" / "nights").iterdir()
    assert len(list(night.glob("*.fits"))) == 12
    assert kinds(attic / "one_night") == {"hum"}


def check_list(attic: Path) -> None:
    text = (attic / "listed" / "lists" / "logbook.txt").read_text()
    assert re.match(r"toi-001: \d+ of 16 frames lost \(.+\)\n", text)
    assert (attic / "listed" / "lists" / "kept.txt").is_file()


def check_all(attic: Path) -> None:
    nights = (attic / "everything" / "nights").iterdir()
    assert set.union(*map(kinds, nights)) == {"hum", "thick_cloud", "trail"}
    jobs = rows(attic / "widths" / "sweep.csv")
    assert [job["status"] for job in jobs] == ["done", "done"]
    for number, width in enumerate((4, 8)):
        found = card(attic / "widths" / str(number))
        assert (found["architecture"], found["transform"]["name"]) == ("Attic", "ranks")
        assert found["model_args"]["width"] == width
        assert "level_transparency" in seen(attic / "widths" / str(number))
        assert "slow_wave_by_limit" in seen(attic / "widths" / str(number))
    assert len(rows(attic / "everything_judged" / "predictions.csv")) == 48
    assert (attic / "everything_judged" / "lists" / "logbook.txt").is_file()


CHECKS = {
    "A defect of the simulator": check_defect,
    "A feature, its rule and its reason": check_feature,
    "A model": check_model,
    "A head over the frames of a window": check_head,
    "What the network sees of a frame": check_transform,
    "A loss": check_loss,
    "An instrument": check_instrument,
    "A list for another program": check_list,
    "All of it under one name": check_all,
}


def test_every_block_is_a_file_or_commands_and_every_section_is_checked():
    named = sum(len(section.files) for section in SECTIONS)
    assert named + PAGE.count("```bash") == PAGE.count("```") / 2
    assert list(CHECKS) == [section.title for section in SECTIONS]


@pytest.mark.slow
@pytest.mark.parametrize("title", CHECKS)
def test_a_section_does_what_it_says(title, attic):
    number = list(CHECKS).index(title)
    for section in SECTIONS[1 : number + 1]:
        write_files(section, attic)
    # Those of the first are run for all.
    for command in SECTIONS[number].commands if number else ():
        run(command, attic)
    CHECKS[title](attic)
