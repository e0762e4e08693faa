"""What a script or a notebook imports: names, words, and verdicts that can act."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from astropy.io import fits

import nightsift
from nightsift import Judged, NightsiftError, judge, undo
from nightsift.heuristics.score import judge_features
from nightsift.models.weights import load_weights, save_weights
from trees import tree

SOURCE = Path(nightsift.__file__)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE.parents[1])}
# Between the frames under a veil and the rest, far from both.
THRESHOLD = 0.72
PUBLIC = sorted(set(nightsift.__all__) - {"__version__"})


def run(code: str) -> list[str]:
    """Lines that a fresh interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_importing_the_package_imports_almost_nothing():
    code = (
        "import sys, nightsift; dir(nightsift); print(nightsift.__version__); print(*sys.modules)"
    )
    version, modules = run(code)
    assert version == nightsift.__version__
    assert version[0].isdigit()
    heavy = {"torch", "pytorch_lightning", "numpy", "pandas", "astropy", "hydra", "matplotlib"}
    assert not heavy & set(modules.split())


def test_every_public_name_is_imported_when_it_is_first_used():
    code = (
        "import sys, nightsift\n"
        f"for name in {PUBLIC}:\n"
        "    assert name not in vars(nightsift), name\n"
        "    value = getattr(nightsift, name)\n"
        "    assert vars(nightsift)[name] is value\n"
        "    print(name, value.__module__)\n"
    )
    found = dict(line.split() for line in run(code))
    assert list(found) == PUBLIC
    assert all(module.startswith("nightsift.") for module in found.values())


@pytest.mark.parametrize("name", ["judge", "measure_night", "NightSet", "simulate_night", "undo"])
def test_what_needs_no_network_imports_no_torch(name):
    (modules,) = run(f"import sys; from nightsift import {name}; print(*sys.modules)")
    assert "torch" not in modules.split()


def type_checking_names() -> set[str]:
    """What type checkers are told that the package has."""
    (block,) = (
        node
        for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    )
    homes = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name: f"nightsift.{home}" for name, home in nightsift._HOMES.items()} == homes
    return set(homes)


def test_the_three_lists_of_public_names_agree():
    assert set(PUBLIC) == set(nightsift._HOMES) == type_checking_names()
    assert nightsift.__all__ == sorted(nightsift.__all__)
    assert set(nightsift.__all__) <= set(dir(nightsift))
    for name in PUBLIC:
        home = importlib.import_module(f"nightsift.{nightsift._HOMES[name]}")
        value = getattr(home, name)
        assert getattr(nightsift, name) is value
        assert value.__module__ == home.__name__, f"{name} lives elsewhere"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'nightsift' has no attribute 'sort'"):
        nightsift.sort  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'sort'"):
        from nightsift import sort  # noqa: F401


def test_no_public_name_is_that_of_a_module():
    """Python binds a submodule to its package when it is imported: it would hide the name."""
    modules = {module.name for module in pkgutil.iter_modules(nightsift.__path__)}
    assert {"heuristics", "data", "api"} <= modules
    assert not modules & set(nightsift.__all__)


def test_public_names_survive_the_import_of_every_room():
    code = (
        "import importlib, pkgutil, nightsift\n"
        "import nightsift.heuristics.score, nightsift.sorting.night, nightsift.report.night\n"
        "import nightsift.review.session, nightsift.simulate.one_night, nightsift.night.night\n"
        "for module in pkgutil.iter_modules(nightsift.__path__):\n"
        "    importlib.import_module(f'nightsift.{module.name}')\n"
        "import types\n"
        "from nightsift import *\n"
        f"for name in {PUBLIC}:\n"
        "    assert not isinstance(getattr(nightsift, name), types.ModuleType), name\n"
        "    assert globals()[name] is getattr(nightsift, name)\n"
        "print(judge.__name__, callable(judge), judge.__module__)\n"
    )
    assert run(code) == ["judge True nightsift.api"]


def parameters(value: Any) -> list[str]:
    """Names that a caller may give, *arguments left out."""
    if inspect.isclass(value) and issubclass(value, BaseException):
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in inspect.signature(value).parameters.values() if p.kind not in kinds]


def described(text: str, section: str) -> list[str]:
    """Names in `name: what it is` lines of a section of a docstring."""
    _, _, rest = text.partition(f"\n{section}:\n")
    lines = []
    for line in rest.splitlines():
        if line and not line.startswith(" "):
            break
        lines.append(line)
    found = (line.strip().partition(":")[0] for line in lines if line.startswith("    "))
    return [name.lstrip("*") for name in found if name.lstrip("*").isidentifier()]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name):
    value = getattr(nightsift, name)
    text = inspect.getdoc(value) or ""
    assert len(text.splitlines()[0]) > 20
    if name == "Judged":  # made by `judge`; its base class tells what it holds
        text = inspect.getdoc(Judged.__mro__[1]) or ""
    section = "Attributes" if dataclasses.is_dataclass(value) else "Args"
    missing = set(parameters(value)) - set(described(text, section))
    assert not missing, f"{name}: {section}: says nothing of {missing}"
    if inspect.isfunction(value):
        assert "\nReturns:\n    " in text


@pytest.mark.parametrize("name", [name for name in vars(Judged) if not name.startswith("_")])
def test_what_verdicts_can_do_is_documented(name):
    value = vars(Judged)[name]
    function = value.fget if isinstance(value, property) else value
    text = inspect.getdoc(function) or ""
    assert len(text.splitlines()[0]) > 20
    if not isinstance(value, property):
        assert "returns" in text.casefold() or name == "planned_moves"


@pytest.fixture
def folder(make_night, tmp_path) -> Path:
    """Two nights of seven frames; one file is no frame, one frame has a file beside it."""
    root = tmp_path / "my nights"
    for seed in range(2):
        make_night(f"n{seed}", n=7, bad={2, 5}, seed=seed, root=root)
    (root / "n0" / "broken.fits").write_bytes(b"no frame")
    (root / "n0" / "f3.wcs").write_text("beside f3")
    return root


@pytest.fixture
def judged(folder, tmp_path) -> Judged:
    """Verdicts with a threshold that rejects a part of the fourteen frames."""
    judged = judge(folder, threshold=THRESHOLD, cache_dir=tmp_path / "cache")
    assert len(judged.rejected) == 5
    return judged


def test_judging_touches_nothing_and_tells_of_every_file(folder, tmp_path):
    before = tree(folder)
    judged = judge(str(folder))
    assert isinstance(judged, Judged)
    assert tree(folder) == before
    table = judged.table
    assert len(table) == len(judged.features) == 15
    assert set(table["verdict"]) <= {"good", "review", "bad", ""}
    (row,) = table[table["verdict"] == ""].to_dict("records")
    assert (Path(row["file"]).name, row["reason"]) == ("broken.fits", "unreadable: not FITS")
    assert [len(night) for night in judged.nights.nights] == [7, 7]
    assert judged.card.threshold == load_weights("pretrained").card.threshold


def test_kept_and_rejected_are_all_that_was_judged(judged):
    table = judged.table.set_index("file")["verdict"]
    assert len(judged.rejected) + len(judged.kept) == 14
    assert all(table[str(path)] == "bad" for path in judged.rejected)
    assert all(table[str(path)] in ("good", "review") for path in judged.kept)


def test_a_threshold_is_the_lowest_probability_that_is_bad(folder, judged, tmp_path):
    table = judged.table[judged.table["verdict"] != ""]
    bad = table["verdict"] == "bad"
    assert (bad == (table["prob_bad"] >= judged.card.threshold)).all()
    lowest = table["prob_bad"].min()  # a numpy number, as tables hold
    assert len(judge(folder, threshold=lowest, cache_dir=tmp_path / "cache").rejected) == 14
    assert judge(folder, threshold=1, cache_dir=tmp_path / "cache").rejected == []


@pytest.mark.parametrize("threshold", [1.01, -0.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(folder, threshold, decoded):
    with pytest.raises(NightsiftError, match="threshold must be a number from 0 to 1"):
        judge(folder, threshold=threshold)
    assert decoded == []


def test_other_weights_may_be_named(folder, tmp_path):
    loaded = load_weights("pretrained")
    save_weights(tmp_path / "own.pt", loaded.model, loaded.card.with_threshold(0.01))
    judged = judge(folder, ckpt=tmp_path / "own.pt", cache_dir=tmp_path / "cache")
    assert judged.card.threshold == 0.01
    assert len(judged.rejected) == (judged.table["prob_bad"] >= 0.01).sum() > 3
    with pytest.raises(NightsiftError, match=r"absent\.pt: no such file"):
        judge(folder, ckpt=tmp_path / "absent.pt")


def test_the_second_call_decodes_nothing_but_what_was_no_frame(folder, tmp_path, decoded):
    first = judge(folder, cache_dir=tmp_path / "cache")
    assert sorted(decoded) == sorted(folder.rglob("*.fits"))
    decoded.clear()
    second = judge(folder, cache_dir=tmp_path / "cache")
    assert decoded == [folder / "n0" / "broken.fits"]
    pd.testing.assert_frame_equal(first.table, second.table)


def test_kept_frames_are_linked(judged, tmp_path):
    assert judged.link_kept(tmp_path / "kept") == len(judged.kept)
    linked = sorted((tmp_path / "kept").glob("*/*.fits"))
    assert {path.resolve() for path in linked} == {path.resolve() for path in judged.kept}
    with pytest.raises(NightsiftError, match="is not empty"):
        judged.link_kept(tmp_path / "kept")


def test_rejected_frames_move_with_what_belongs_to_them_and_come_back(judged, folder, tmp_path):
    before = tree(folder)
    planned = judged.planned_moves()
    assert tree(folder) == before
    rejected = [path.absolute() for path in judged.rejected]
    assert [move.source for move in planned if move.source.suffix == ".fits"] == rejected
    count = judged.move_rejected(tmp_path / "moves.jsonl")
    assert count == len(planned)
    assert all(move.target.is_file() and not move.source.exists() for move in planned)
    beside = folder / "n0" / "rejected" / "f3.wcs"
    assert beside.exists() == (folder / "n0" / "f3.fits" in judged.rejected)
    assert undo(tmp_path / "moves.jsonl") == count
    assert tree(folder) == before
    assert undo(str(tmp_path / "moves.jsonl")) == 0


def test_verdicts_are_written_into_headers_and_come_back(judged, folder, tmp_path):
    before = {name: digest for name, (digest, _) in tree(folder).items()}
    assert judged.write_headers(tmp_path / "cards.jsonl") == 14
    for path in [*judged.rejected, *judged.kept]:
        header = fits.getheader(path)
        assert header["NSBAD"] == (path in judged.rejected)
    assert undo(tmp_path / "cards.jsonl") == 14
    assert {name: digest for name, (digest, _) in tree(folder).items()} == before
    with pytest.raises(NightsiftError, match="absent"):
        undo(tmp_path / "absent")


def test_a_report_is_written(judged, tmp_path):
    written = judged.report(tmp_path / "out", title="two <nights>")
    assert [path.name for path in written] == [
        "predictions.csv",
        "report.html",
        "lists",
        "figures",
    ]
    assert all(path.exists() for path in written)
    assert len(list((tmp_path / "out" / "figures").glob("timeline_*.png"))) == 2
    rejected = (tmp_path / "out" / "lists" / "rejected.txt").read_text().split("\n")[:-1]
    assert rejected == [str(path) for path in judged.rejected]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "two &lt;nights&gt;" in page
    assert f"{len(judged.rejected)} bad" in page
    assert "class=stars" in page


def test_a_report_without_a_cache_has_no_stars_but_is_written(folder, tmp_path):
    judge(folder, threshold=0.0).report(tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "14 bad" in page
    assert "class=stars" not in page


def texts(folder: Path) -> dict[str, str]:
    """Every file below, without the folder's own name in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_text().replace(str(folder.parent), "RUN")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_python_does_what_the_command_does(judged, folder, tmp_path, monkeypatch):
    """Predictions, lists, moves, headers, links: file by file and byte by byte."""
    from nightsift.tasks.predict import main

    judged.report(tmp_path / "python", title=str(folder))
    judged.link_kept(tmp_path / "python" / "kept")
    judged.write_headers(tmp_path / "python" / "cards.jsonl")
    with_cards = {name: digest for name, (digest, _) in tree(folder).items()}
    undo(tmp_path / "python" / "cards.jsonl")
    judged.move_rejected(tmp_path / "python" / "moves.jsonl")
    moved = set(tree(folder))
    undo(tmp_path / "python" / "moves.jsonl")

    def command(*arguments: str) -> Path:
        run_dir = tmp_path / f"command{len(list(tmp_path.glob('command*')))}"
        line = [str(folder), f"threshold={THRESHOLD}", f"hydra.run.dir={run_dir}", *arguments]
        monkeypatch.setattr(sys, "argv", ["predict", *line, f"cache_dir={tmp_path / 'cache'}"])
        main()
        return run_dir

    run_dir = command("action=link")
    for name in ("predictions.csv", "report.html"):
        own = (tmp_path / "python" / name).read_bytes()
        assert (run_dir / name).read_bytes() == own, name
    assert len(texts(run_dir / "lists")) > 5
    assert texts(run_dir / "lists") == texts(tmp_path / "python" / "lists")
    links = {path.resolve() for path in (run_dir / "kept").glob("*/*.fits")}
    assert links == {path.resolve() for path in (tmp_path / "python" / "kept").glob("*/*.fits")}
    run_dir = command("write_header=true", "yes=true")
    assert {name: digest for name, (digest, _) in tree(folder).items()} == with_cards
    assert undo(run_dir / "cards.jsonl") == 14
    run_dir = command("action=move", "yes=true")
    assert set(tree(folder)) == moved
    records = [
        [json.loads(line) for line in (place / "moves.jsonl").read_text().splitlines()]
        for place in (run_dir, tmp_path / "python")
    ]
    assert [row.get("target") for row in records[0]] == [row.get("target") for row in records[1]]


@pytest.mark.parametrize(
    ("name", "message"),
    [("absent", "absent does not exist"), ("empty", "no FITS files in")],
)
def test_what_is_missing_is_said(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NightsiftError, match=message):
        judge(tmp_path / name)


def test_measuring_and_ranking_a_simulated_night(tmp_path):
    night = nightsift.simulate_night(
        tmp_path / "night", frames=12, kinds=["trail"], max_side=256, seed=1
    )
    candidates = judge_features(nightsift.measure_night(night))
    truth = pd.read_csv(night / "labels.csv").set_index("file")["label"]
    worst = [Path(file).name for file in candidates["file"].head(int((truth == "bad").sum()))]
    assert {truth[name] for name in worst} == {"bad"}
    assert set(candidates["reason"].head(len(worst))) == {"trailing"}
