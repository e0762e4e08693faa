"""Every benchmark runs: once, in its quick mode, on frames that it makes itself."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
# What the quick mode of each prints, among other things.
PRINTED = {
    "disguises": [r"as it is +AP 1\.000 ", r"with overscan +AP "],
    "heuristics": [r"published: \d+ ms per frame", r"2 frames: \d+ MiB before"],
    "heuristics_quality": [r"AP 1\.000, recall", r"clean frames: \d+", r"thick_cloud +gross"],
    "reading": ["12 frames: plain", "epoch of 12 frames", "3 frames: plain", r"peak \d+ MiB"],
    "real": [
        r"\| \*\*fused\*\* \| 1\.000 ",
        r"\| untrained baseline \| 0\.\d+ ",
        r"\| FR on copies: rotation \| ",
        r"\| ECE, lone \| ",
    ],
    "readme_picture": [r"\d{5,} bytes drawn"],
    "realism": [r"synthetic \{'background_adu'", r"\d{5,} bytes drawn"],
    "report_picture": [r"\d{5,} bytes drawn"],
    "review_picture": [r"\d{5,} bytes drawn"],
    "sequence_heads": ["window 5 gru: ", "window 5 tcn: ", "window 5 attention: "],
    "simulate": ["12 frames of 128x128 in "],
    "unseen": ["published network", r"\*\*fused\*\* \| 1\.000 ", r"\| all \| .* \| 1\.000 of \d+"],
}
# Those that start processes and wait for them.
PRINTED_APART = {
    "paired": [r"heuristics: faster by [\d.]+ "],
    "review": ["again, with the cache", "10000 rows open"],
    "sorting": ["12 frames: ", r"answers after [\d.]+ s .* of 2"],
}


@pytest.fixture(autouse=True)
def checkout(monkeypatch, tmp_path):
    """The code of this checkout, and a folder to run in where nothing is to be left."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    empty = tmp_path / "here"
    empty.mkdir()
    monkeypatch.chdir(empty)
    yield
    assert not list(empty.iterdir())


@pytest.fixture
def browser(monkeypatch, tmp_path):
    """A browser, or where none is installed something that draws in its place."""
    if any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        return
    stand_in = tmp_path / "bin" / "chromium"
    stand_in.parent.mkdir()
    stand_in.write_text(
        "#!/bin/sh\nfor argument; do case $argument in --screenshot=*)\n"
        'head -c 20000 /dev/zero > "${argument#--screenshot=}";; esac; done\n'
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=":")


def assert_printed(text: str, wanted: list[str]) -> None:
    assert [pattern for pattern in wanted if not re.search(pattern, text)] == [], text


# Lightning's own use of torch.
@pytest.mark.filterwarnings("ignore:.*LeafSpec")
@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize("name", PRINTED)
def test_it_runs(name, capsys):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(["--quick"])
    assert_printed(capsys.readouterr().out, PRINTED[name])


@pytest.mark.parametrize(
    "name",
    # It starts three processes that import torch.
    [pytest.param(n, marks=pytest.mark.slow) if n == "sorting" else n for n in PRINTED_APART],
)
def test_it_runs_as_a_process(name):
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_printed(done.stdout, PRINTED_APART[name])


def test_none_is_forgotten():
    scripts = {path.stem for path in FOLDER.glob("*.py") if "def main(" in path.read_text("utf-8")}
    assert scripts == {*PRINTED, *PRINTED_APART}
    readme = (FOLDER / "README.md").read_text("utf-8")
    assert [name for name in scripts if f"{name}.py" not in readme] == []
