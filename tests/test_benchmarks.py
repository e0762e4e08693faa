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
# What the quick mode of each prints.
PRINTED = {
    "disguises": r"with overscan +AP 1\.000 ",
    "heuristics": r"ratio: \d.*\n2 frames: \d+ MiB before",
    "heuristics_quality": r"AP 1\.000, recall(?s:.*)clean frames: 14(?s:.*)thick_cloud +gross",
    "reading": r"12 frames: plain(?s:.*)epoch of 12 frames(?s:.*)3 frames: plain(?s:.*)peak \d+ MiB",
    "readme_picture": r"\d{5,} bytes drawn",
    "realism": r"synthetic \{'background_adu'(?s:.*)\d{5,} bytes drawn",
    "report_picture": r"\d{5,} bytes drawn",
    "review_picture": r"\d{5,} bytes drawn",
    "sequence_heads": r"window 5 gru: (?s:.*)window 5 tcn: (?s:.*)window 5 attention: ",
    "simulate": r"12 frames of 128x128 in ",
    "unseen": r"published network(?s:.*)\*\*fused\*\* \| 1\.000 (?s:.*)\| all \| 0\.\d+ of 4 \| 1\.000 of 5",
}
# Those that start processes of their own and wait for them.
PRINTED_APART = {
    "paired": r"heuristics: faster by [\d.]+ ",
    "review": r"again, with the cache(?s:.*)10000 rows open",
    "sorting": r"12 frames: (?s:.*)answers after [\d.]+ s .* of 2",
}


@pytest.fixture(autouse=True)
def checkout(monkeypatch, tmp_path):
    """The benchmarks of this checkout, on its code, from a folder in which nothing is to be left."""
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


# Lightning's own use of torch.
@pytest.mark.filterwarnings("ignore:.*LeafSpec")
@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize("name", PRINTED)
def test_it_runs(name, capsys):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(["--quick"])
    assert re.search(PRINTED[name], capsys.readouterr().out)


@pytest.mark.parametrize("name", PRINTED_APART)
def test_it_runs_as_a_process(name):
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(PRINTED_APART[name], done.stdout)


def test_none_is_forgotten():
    scripts = {path.stem for path in FOLDER.glob("*.py") if "def main(" in path.read_text("utf-8")}
    assert scripts == {*PRINTED, *PRINTED_APART}
    readme = (FOLDER / "README.md").read_text("utf-8")
    assert not [name for name in scripts if f"{name}.py" not in readme]
