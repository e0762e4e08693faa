"""docs/library.md does what it says: its blocks run, its tables name what there is.

Beside it the blocks of docs/predict.md.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from nightsift import JointModule, NightsDataModule
from nightsift.data import batches

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
TRAINER_TESTS = "tests/training/test_trainer.py"

pytestmark = [
    # Lightning's own use of torch's pytree.
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    # Tips for larger data and machines than those of a test.
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
]


def run_blocks(page: str) -> dict[str, Any]:
    """Run all Python of a page of `docs/` in its order; returns the names that it has bound."""
    names: dict[str, Any] = {}
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for number, block in enumerate(BLOCK.findall(text)):
        exec(compile(block, f"docs/{page}, block {number}", "exec"), names)
    return names


def rows_below(heading: str) -> list[list[str]]:
    """Cells of the table rows between a heading, of a section or a table, and the next section."""
    part = PAGE.partition(heading)[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.fixture
def trainer(tmp_path) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        limit_test_batches=1,
        limit_predict_batches=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )


@pytest.fixture
def data(nights, tmp_path) -> NightsDataModule:
    return NightsDataModule([nights], img_size=32, cache_dir=tmp_path / "cache")


@pytest.mark.slow
def test_the_blocks_run_one_after_the_other(nights, make_night, tmp_path, monkeypatch):
    make_night("new_night", n=8, bad={3}, seed=9)
    monkeypatch.chdir(tmp_path)
    assert PAGE.count("```") == 2 * len(BLOCK.findall(PAGE))
    names = run_blocks("library.md")
    assert list(names["verdicts"].table["verdict"].isin(["good", "review", "bad"])) == [True] * 8
    (table,) = names["tables"]
    assert list(table) == ["file", "prob_bad", "pred", "prob_frame", "prob_seq"]
    assert len(table) == 8
    assert len(names["spec"].columns) == names["loaded"].model.n_inputs
    written = ["joint_frame_seq.pt", "joint_frame_seq.safetensors", "joint_frame_seq.json"]
    assert all(Path(name).is_file() for name in [*written, "checkpoints/best.ckpt"])


def test_verdicts_from_python_do_what_the_page_of_predict_says(make_night, tmp_path, monkeypatch):
    folder = make_night("2025-03-02", n=8, bad={3}, root=tmp_path / "My Nights")
    before = sorted(folder.iterdir())
    monkeypatch.chdir(tmp_path)
    night = run_blocks("predict.md")["night"]
    assert len(night.kept) + len(night.rejected) == 8
    assert len(night.rejected) >= 1
    assert Path("report/report.html").is_file()
    assert len([path for path in Path("night_kept").rglob("*.fits")]) == len(night.kept)
    moved = [json.loads(line) for line in Path("moves.jsonl").read_text().splitlines()]
    assert len(moved) >= len(night.rejected)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("kind", ["FrameBatch", "WindowBatch", "NightBatch"])
def test_the_fields_of_a_batch_are_those_of_the_page(kind):
    part = PAGE.partition(f"| `{kind}` | |\n")[2].partition("\n\n")[0]
    named = [name for line in part.splitlines()[1:] for name in quoted(line.split("|")[1])]
    assert named == list(getattr(batches, kind)._fields)


def test_what_is_logged_is_what_the_page_says(data, trainer):
    module = JointModule(model_args={"channels": [4, 4, 8]})
    trainer.fit(module, data)
    logged = set(trainer.callback_metrics)
    trainer.test(module, data, verbose=False)
    logged |= set(trainer.callback_metrics)
    assert logged == {name for row in rows_below("## What is logged") for name in quoted(row[0])}


def test_limits_of_test_and_prediction(data, trainer):
    module = JointModule(model_args={"channels": [4, 4, 8]})
    data.setup()
    (tested,) = trainer.test(module, data, verbose=False)
    assert "test/fused_ap" in tested
    assert [len(table) for table in trainer.predict(module, data)] == [24, 24]


def test_the_tests_of_trainer_features_are_there():
    rows = rows_below("## What a Trainer can be told")[1:]
    assert len(rows) > 10
    for feature, named in rows:
        file, *tests = quoted(named) if "tests/" in named else [TRAINER_TESTS, *quoted(named)]
        source = (ROOT / file).read_text(encoding="utf-8")
        assert tests
        assert all(f"def {name}(" in source for name in tests), named
        keys = [key for key in quoted(feature) if re.fullmatch(r"[a-z_]+", key)]
        assert all(key in source for key in keys), feature
