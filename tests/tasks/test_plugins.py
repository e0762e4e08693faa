"""Somebody's own package, beside a folder of their own configuration files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from nightsift.config.arguments import arguments_of

SRC = Path(__file__).parents[2] / "src"
# Every process that imports it leaves its number.
MODULE = """
import os
from pathlib import Path

with Path(os.environ["IMPORTED"]).open("a") as stream:
    stream.write(f"{os.getpid()}\\n")

class Half:
    name = "half"
    def __init__(self, *, strength: float = 0.5):
        self.strength = strength
"""
FILES = {
    "theirs.py": MODULE,
    "conf/profile/mine.yaml": (
        "# @package _global_\nplugins: [theirs]\nthreshold: 0.9\ndata:\n  frame_batch: 4\n"
    ),
    "conf/profile/odd.yaml": "# @package _global_\ndata:\n  frame_batch: many\n",
    "conf/simulate/mine.yaml": (
        "_target_: nightsift.simulate.campaign.CampaignSpec\n"
        "nights: 1\nframes_per_night: 12\nmixed_frames: 0\ninstruments: [c14_0p36m]\n"
    ),
    "conf/loss/half.yaml": "_target_: theirs.Half\nstrength: much\n",
}


@pytest.fixture
def theirs(tmp_path, monkeypatch) -> Iterator[Path]:
    for name, text in FILES.items():
        path = tmp_path / "their package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    # Another test's package may be called the same.
    sys.modules.pop("theirs", None)
    monkeypatch.setenv("IMPORTED", str(tmp_path / "imported"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "their package"))  # for children
    monkeypatch.syspath_prepend(tmp_path / "their package")
    yield tmp_path / "their package" / "conf"
    sys.modules.pop("theirs", None)
    arguments_of.cache_clear()


def imported() -> set[int]:
    return {int(line) for line in Path(os.environ["IMPORTED"]).read_text().split()}


def test_a_profile_of_theirs_stands_beside_a_plain_path(run_task, make_night, theirs, tmp_path):
    night = make_night("My Night, 2025=03", n=12, bad={4})
    ended = run_task(
        "predict", "--config-dir", str(theirs), "+profile=mine", str(night), "out_csv=p.csv"
    )
    assert ended.status == 0, ended.err
    assert imported() == {os.getpid()}
    table = pd.read_csv("p.csv")
    assert len(table) == 12
    known = table["prob_bad"].notna()
    assert (table["pred"] == (table["prob_bad"] >= 0.9))[known].all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "+profile=odd", "night"], "data.frame_batch: In 'profile/odd': "),
        (["predict", "+profile=absent", "night"], "Could not find 'profile/absent'"),
        (["predict", "plugins=[absent]", "night"], "plugins: no module 'absent'"),
        (["train", "loss=half"], "loss.strength: Value 'much' of type 'str'"),
        (["train", "loss=half", "loss.strength=x"], "loss.strength"),
    ],
)
def test_what_is_wrong_in_theirs_is_one_line(run_task, theirs, arguments, message):
    ended = run_task(arguments[0], "--config-dir", str(theirs), *arguments[1:])
    assert ended.status == 2
    (line,) = ended.err.strip().splitlines()
    assert line.startswith(f"{arguments[0]}: ")
    assert message in line


def test_a_profile_without_its_folder_is_not_passed_over(run_task, theirs):
    ended = run_task("predict", "+profile=mine", "night")
    assert ended.status == 2
    assert ended.err.startswith("predict: +profile=: no such key; a group of your own needs --conf")


def test_plugins_are_imported_in_the_children_of_a_launcher(run_task, theirs):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="extra joblib")
    ended = run_task(
        "simulate", "-m", "--config-dir", str(theirs), "plugins=[theirs]", "simulate=mine",
        "simulate.max_side=64,96", "out=c${simulate.max_side}", "contact_sheets=false",
        "workers=1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    assert all(Path(f"c{side}/nights/toi-001/labels.csv").is_file() for side in (64, 96))
    assert imported()
    assert os.getpid() not in imported()


def test_a_run_goes_on_with_its_own_plugins(run_task, quick, theirs):
    begun = run_task("train", *quick, "plugins=[theirs]", "hydra.run.dir=begun")
    assert begun.status == 0, begun.err
    del sys.modules["theirs"]
    Path(os.environ["IMPORTED"]).unlink()
    ended = run_task("train", "resume=begun", "trainer.max_epochs=3")
    assert ended.status == 0, ended.err
    assert imported() == {os.getpid()}


def test_the_console_command_finds_a_module_of_the_working_folder(tmp_path):
    (tmp_path / "mine.py").write_text("print('mine was imported')")
    code = "from nightsift.cli import main; main()"
    arguments = ["heuristics", "absent", "plugins=[mine]"]
    result = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "mine was imported" in result.stdout
    assert result.returncode == 2
    assert "absent" in result.stderr
