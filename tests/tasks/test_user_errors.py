from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits

from nightsift.look import database


def relabel(nights: Path, label: str) -> None:
    for table in nights.rglob("labels.csv"):
        lines = table.read_text().splitlines()
        rows = [line.split(",") for line in lines[1:]]
        table.write_text("\n".join([lines[0], *(f"{r[0]},{label},{r[2]}" for r in rows)]))


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        ("train", ["data.seq_dirs=[absent]"], "absent does not exist"),
        ("train", ["data.seq_dirs=[empty]"], "no FITS files in empty"),
        ("train", ["data.seq_dirs=[{nights}]", "data.window=8"], "odd number"),
        ("train", ["data.seq_dirs=[{nights}]", "data.window=nine"], "data.window"),
        ("train", ["data.seq_dirs=[{nights}]", "data.frame_batch=2.5"], "data.frame_batch"),
        ("train", ["data.seq_dirs=[{nights}]", "loss.frame_weight=7"], "frame_weight"),
        ("train", ["data.seq_dirs=[{nights}]", "data.nonsense=1"], "nonsense"),
        ("train", ["data.seq_dirs=[{nights}]", "data.split.leave_out=x"], "no night is called"),
        ("train", ["data.seq_dirs=[{nights}]", "resume=absent.ckpt"], "no such checkpoint"),
        ("train", ["data.seq_dirs=[{nights}]", "fusion.policy=best"], "fusion.policy"),
        ("train", ["data.seq_dirs=[{nights}]", "calibration.objective=luck"], "objective"),
        ("train", ["data.seq_dirs=[{nights}]", "export.path=weights"], "export.path"),
        ("train", ["+experiment=absent"], "absent"),
        ("evaluate", [], "missing: ckpt"),
        ("evaluate", ["absent.pt"], "no such file"),
        ("evaluate", ["ckpt=damaged.pt"], "refused"),
        ("evaluate", ["ckpt=other.pt"], "belongs to another model"),
        ("evaluate", ["ckpt=plain.pt", "threshold=high"], "expected auto or a number"),
        ("evaluate", ["ckpt=plain.pt", "data.seq_dirs=[absent]"], "absent does not exist"),
        ("predict", [], "missing: folder"),
        ("predict", ["{nights}", "action=delete"], "action must be one of report, link, move"),
        ("predict", ["undo=absent"], "undo=absent"),
        ("predict", ["{nights}", "ckpt=plain.pt", "fusion.policy=best"], "fusion.policy"),
        ("simulate", [], "missing: out"),
        ("simulate", ["empty"], "empty exists and is not this campaign"),
        ("simulate", ["out=new", "simulate.nights=0"], "nights >= 1"),
        ("simulate", ["out=new", "simulate.nights=some"], "simulate.nights"),
        ("simulate", ["out=new", "simulate.instruments=[c15]"], "no such instrument: c15"),
        ("simulate", ["out=new", "simulate.kinds=[clouds]"], "no such defect: clouds"),
        ("simulate", ["out=damaged.pt/new", "simulate=tiny"], "damaged.pt"),
        ("simulate", ["out=new", "source=absent"], "absent does not exist"),
        ("simulate", ["out=new", "source=empty"], "no FITS files in empty"),
        ("simulate", ["out=empty", "source={nights}"], "empty: exists already"),
        ("simulate", ["out={nights}/new", "source={nights}"], "choose a folder outside"),
    ],
)
def test_a_users_error_is_one_line_and_status_2(run_task, nights, task, arguments, message):
    from nightsift.models.architectures.joint import JointFrameSeqModel

    Path("empty").mkdir()
    Path("damaged.pt").write_bytes(b"junk")
    torch.save({"w": torch.zeros(3)}, "other.pt")
    torch.save(JointFrameSeqModel().state_dict(), "plain.pt")
    ended = run_task(task, *(argument.format(nights=nights) for argument in arguments))
    assert ended.status == 2
    (line,) = ended.err.strip().splitlines()
    assert message in line
    assert line.startswith(f"{task}: ")


@pytest.mark.parametrize("label", ["good", "bad", ""])
def test_labels_of_one_class_or_none_are_said(run_task, quick, nights, label):
    relabel(nights, label)
    ended = run_task("train", *quick)
    assert ended.status == 2
    assert "training needs good and bad labelled frames" in ended.err


def test_a_night_shorter_than_the_window_is_padded(run_task, make_night, quick, tmp_path):
    root = tmp_path / "short"
    for seed in range(3):
        make_night(f"n{seed}", n=6, bad={1, 4}, seed=seed, root=root)
    assert run_task("train", quick[0], f"data.seq_dirs=[{root}]", *quick[2:]).status == 0


def test_a_frame_of_nan_is_a_row_with_a_reason(run_task, quick, nights):
    fits.writeto(nights / "night0" / "nan.fits", np.full((64, 64), np.nan, dtype=np.float32))
    assert run_task("train", *quick).status == 0
    (table,) = Path("outputs/train").glob("*/predictions.csv")
    (row,) = [line for line in table.read_text().splitlines() if "nan.fits" in line]
    assert "unreadable: no finite pixel" in row


def test_a_full_disk_is_said_and_leaves_nothing_half_written(run_task, quick, monkeypatch):
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "disk")

    monkeypatch.setattr(torch, "save", full)
    ended = run_task("train", *quick)
    assert ended.status == 2
    assert "No space left on device" in ended.err.strip().splitlines()[-1]
    assert not list(Path("outputs").rglob("*.ckpt"))
    assert not list(Path("outputs").rglob("*.part"))
    assert not list(Path("outputs").rglob("joint_frame_seq.*"))


@pytest.mark.parametrize("task", ["train", "predict", "heuristics"])
def test_a_cache_that_is_full_is_one_line_and_stays_usable(
    run_task, quick, make_night, monkeypatch, task
):
    night = make_night("n", n=12, side=96)
    arguments = quick if task == "train" else [str(night)]
    # A real full disk, as far as SQLite can tell.
    limit = "PRAGMA max_page_count = 4;"
    with monkeypatch.context() as patch:
        patch.setattr(database, "_SCHEMA", limit + database._SCHEMA)
        ended = run_task(task, *arguments, "cache_dir=cache")
    assert ended.status == 2
    (line,) = ended.err.strip().splitlines()
    assert "disk is full" in line
    assert "choose another place, cache_dir=DIR" in line
    assert not list(Path("outputs").rglob("*.part"))
    monkeypatch.setattr(database, "_connections", database._Connections())
    if task == "train":  # takes long, and reads as the others do
        return
    assert run_task(task, *arguments, "cache_dir=cache").status == 0


@pytest.mark.parametrize("task", ["predict", "heuristics"])
def test_a_cache_that_cannot_be_is_one_line(run_task, make_night, task):
    Path("file").write_text("")
    ended = run_task(task, str(make_night("n", n=2)), "cache_dir=file")
    assert ended.status == 2
    (line,) = ended.err.strip().splitlines()
    assert line.startswith(f"{task}: the cache file/looks cannot be used (Not a directory)")


def test_a_bug_is_a_traceback_and_not_status_2(run_task, quick, monkeypatch):
    from nightsift.data import datamodule

    def broken(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(datamodule, "read_nights", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run_task("train", *quick)
