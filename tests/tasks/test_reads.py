"""Every file is decoded once, in every task, whatever the model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from nightsift.fits import reader
from nightsift.look import parallel


@pytest.fixture
def decoded(monkeypatch) -> Counter[str]:
    """How often the pixels of each file were decoded, in threads so that they can be counted."""
    count: Counter[str] = Counter()
    opened = reader._opened

    def counting(path: Path, use):
        if use is reader._read:
            count[str(path)] += 1
        return opened(path, use)

    monkeypatch.setattr(reader, "_opened", counting)
    monkeypatch.setattr(parallel, "_FILES_WORTH_PROCESSES", 10**9)
    return count


SMALL = ["resamples=5", "callbacks.progress=null", "trainer.max_epochs=1", "data.img_size=32"]
SIZES = [f"model.{name}" for name in ("field_width=16", "star_width=16", "embedding=8")]


def assert_once(decoded: Counter[str], folder: Path) -> None:
    files = {str(path) for path in folder.rglob("*.fits")}
    assert set(decoded) == files
    assert set(decoded.values()) == {1}


@pytest.mark.parametrize(
    "task",
    [
        ["train", "+experiment=joint", "model.channels=[4,4,8]", *SMALL],
        ["train", "+experiment=published", "model.channels=[4,4,8]", *SMALL],
        ["train", "+experiment=two_scale", *SIZES, *SMALL],
        ["evaluate", "ckpt=pretrained", "resamples=5"],
    ],
    ids=["joint", "published", "two_scale", "evaluate"],
)
def test_training_and_evaluation_decode_each_file_once(decoded, run_task, nights, task):
    ended = run_task(*task, f"data.seq_dirs=[{nights}]")
    assert ended.status == 0, ended.err
    assert_once(decoded, nights)


@pytest.mark.parametrize("arguments", [["heuristics"], ["heuristics", "heuristics=published"]])
def test_heuristics_decodes_each_file_once(decoded, run_task, nights, arguments):
    ended = run_task(*arguments, f"folder={nights}")
    assert ended.status == 0, ended.err
    assert_once(decoded, nights)


def test_prediction_with_any_model_decodes_each_file_once(decoded, run_task, nights):
    ended = run_task("train", "+experiment=joint", "model.channels=[4,4,8]", *SMALL,
                     f"data.seq_dirs=[{nights}]", "hydra.run.dir=run")  # fmt: skip
    assert ended.status == 0, ended.err
    for ckpt in ("pretrained", "run"):
        decoded.clear()
        ended = run_task("predict", f"folder={nights}", f"ckpt={ckpt}", f"cache_dir={ckpt}")
        assert ended.status == 0, ended.err
        assert_once(decoded, nights)
        decoded.clear()
        run_task("predict", f"folder={nights}", f"ckpt={ckpt}", f"cache_dir={ckpt}")
        assert not decoded


def test_a_light_curve_reads_once_more_at_places_that_only_the_night_tells(
    decoded, run_task, nights
):
    run_task("predict", f"folder={nights / 'night0'}", "lightcurve=true")
    assert max(decoded.values()) <= 2
