from __future__ import annotations

import os
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TASKS = ("train", "evaluate", "predict", "heuristics", "review", "simulate")


def run(*command: str, cwd: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """Folder with the sdist, and the wheel made from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    return out


@pytest.fixture
def site(built, tmp_path) -> Path:
    """The wheel unpacked as an installer would."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    return tmp_path / "site"


def test_the_wheel_holds_package_shims_and_configuration(site):
    names = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {f"{task}.py" for task in TASKS} <= names
    assert "nightsift/conf/experiment/joint.yaml" in names
    assert "nightsift/py.typed" in names
    assert {f"nightsift/weights/nightsift.{end}" for end in ("safetensors", "json", "pt")} <= names
    assert not any(name.startswith(("conf/", "tests/", "src/")) for name in names)
    assert next(site.glob("nightsift-*.dist-info/entry_points.txt")).read_text().strip()


def test_the_wheel_starts_where_a_folder_has_the_name_of_a_task(site, tmp_path):
    work = tmp_path / "elsewhere"
    for task in TASKS:
        (work / task).mkdir(parents=True)
        result = run(sys.executable, "-m", task, "--help", cwd=work, path=str(site))
        assert result.returncode == 0, result.stderr
        assert f"python -m {task}" in result.stdout
    result = run(
        sys.executable, "-m", "simulate", "out=c", "simulate=tiny", cwd=work, path=str(site)
    )
    assert result.returncode == 0, result.stderr
    assert (work / "c" / "nights" / "toi-001" / "labels.csv").is_file()


@pytest.mark.parametrize("task", TASKS)
def test_help_answers_at_once_and_without_torch(task, tmp_path):
    code = f"import sys, {task}; sys.argv[1:] = ['--help']; {task}.main()"
    check = f"import atexit, sys; atexit.register(lambda: print('torch' in sys.modules)); {code}"
    start = time.perf_counter()
    result = run(sys.executable, "-c", check, cwd=tmp_path, path=str(ROOT / "src"))
    assert result.stdout.strip().endswith("False")
    assert time.perf_counter() - start < 5  # about one second on an idle machine


def test_the_console_command_lists_and_starts_tasks(tmp_path):
    source = str(ROOT / "src")
    code = "from nightsift.cli import main; main()"
    listed = run(sys.executable, "-c", code, cwd=tmp_path, path=source)
    assert listed.returncode == 0
    assert all(task in listed.stdout for task in TASKS)
    unknown = run(sys.executable, "-c", code, "fly", cwd=tmp_path, path=source)
    assert unknown.returncode == 2
    assert "no such task: fly; expected one of train" in unknown.stderr
    helped = run(sys.executable, "-c", code, "predict", "--help", cwd=tmp_path, path=source)
    assert "python -m predict" in helped.stdout


def test_every_dependency_floor_is_met_by_the_constraints():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    for text in project["dependencies"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[requirement.name]), text
