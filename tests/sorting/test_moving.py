from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nightsift.errors import NightsiftError
from nightsift.sorting.moving import Move, move_files, plan_moves, undo_moves
from trees import tree

MOVE_ALL = """
import sys
from pathlib import Path
from nightsift.sorting.moving import move_files, plan_moves
night, record = map(Path, sys.argv[1:])
moves = plan_moves(sorted(night.glob("*.fits")))
print("ready", flush=True)
move_files(moves, record)
"""


@pytest.fixture
def night(tmp_path: Path) -> Path:
    folder = tmp_path / "a night"
    folder.mkdir()
    for i in range(12):
        (folder / f"f{i}.fits").write_bytes(bytes([i]) * (i + 1))
        os.utime(
            folder / f"f{i}.fits", ns=(1_700_000_000_000_000_000 + i, 1_600_000_000 * 10**9 + i)
        )
    (folder / "f1.wcs").write_text("sidecar of f1")
    (folder / "f1.fits.json").write_text("another")
    (folder / "labels.csv").write_text("file,label\nf1.fits,bad\n")
    return folder


def test_frames_move_with_what_belongs_to_them_and_come_back_as_they_were(night, tmp_path):
    before = tree(night)
    moves = plan_moves([night / "f1.fits", night / "f10.fits"])
    assert tree(night) == before  # a plan touches nothing
    move_files(moves, tmp_path / "run" / "moves.jsonl")
    assert sorted(p.name for p in (night / "rejected").iterdir()) == [
        "f1.fits",
        "f1.fits.json",
        "f1.wcs",
        "f10.fits",
    ]
    assert (night / "labels.csv").exists()
    undone = undo_moves(tmp_path / "run" / "moves.jsonl")
    assert undone == (4, 0)
    assert tree(night) == before
    assert not (night / "rejected").exists()
    assert undo_moves(tmp_path / "run" / "moves.jsonl") == (0, 4)


def test_nothing_is_overwritten_on_either_way(night, tmp_path):
    (night / "rejected").mkdir()
    (night / "rejected" / "f3.fits").write_text("older")
    with pytest.raises(NightsiftError, match="exists already: nothing was moved"):
        plan_moves([night / "f2.fits", night / "f3.fits"])
    (night / "rejected" / "f3.fits").unlink()
    moves = plan_moves([night / "f2.fits", night / "f3.fits"])
    (night / "rejected" / "f3.fits").write_text("came meanwhile")
    with pytest.raises(NightsiftError, match="came to exist"):
        move_files(moves, tmp_path / "r.jsonl")
    (night / "f2.fits").write_text("new frame of the same name")
    with pytest.raises(NightsiftError, match=r"0 files put back.*f2.fits exists"):
        undo_moves(tmp_path / "r.jsonl")
    assert (night / "rejected" / "f3.fits").read_text() == "came meanwhile"
    assert (night / "rejected" / "f2.fits").read_bytes() == bytes([2]) * 3


def test_a_record_is_never_written_over(night, tmp_path):
    record = tmp_path / "r.jsonl"
    move_files(plan_moves([night / "f2.fits"]), record)
    with pytest.raises(FileExistsError):
        move_files(plan_moves([night / "f4.fits"]), record)


@pytest.mark.parametrize(
    "line",
    [
        {"source": "/etc/target", "target": "/tmp/elsewhere", "size": 1, "mtime_ns": 1},
        {"source": "x"},
        {"source": "a/f.fits", "target": "a/rejected/g.fits", "size": 1, "mtime_ns": 1},
    ],
)
def test_a_record_that_nobody_wrote_moves_nothing(tmp_path, line):
    record = tmp_path / "r.jsonl"
    record.write_text(json.dumps({"format": 1}) + "\n" + json.dumps(line) + "\n")
    with pytest.raises(NightsiftError, match=r"no record|no place"):
        undo_moves(record)
    with pytest.raises(NightsiftError, match=r"undo=.*absent"):
        undo_moves(tmp_path / "absent")


def test_a_file_that_changed_after_the_move_stays(night, tmp_path):
    move_files([Move(night / "f5.fits", night / "rejected" / "f5.fits")], tmp_path / "r")
    (night / "rejected" / "f5.fits").write_text("edited")
    with pytest.raises(NightsiftError, match="has changed"):
        undo_moves(tmp_path / "r")


def test_killed_at_any_moment_everything_comes_back(tmp_path):
    """60 times: no file is lost, and undo brings each back with its content and time."""
    rng = random.Random(0)
    half_way = 0
    for attempt in range(60):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        for i in range(40):
            (folder / f"f{i:02d}.fits").write_bytes(bytes([attempt, i]))
        before, record = tree(folder), tmp_path / f"{attempt}.jsonl"
        arguments = [sys.executable, "-c", MOVE_ALL, str(folder), str(record)]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        moved = sum("rejected" in name for name in tree(folder))
        half_way += 0 < moved < 40
        contents = {content for content, _ in tree(folder).values()}
        assert contents == {content for content, _ in before.values()}
        if record.exists() and record.stat().st_size:
            undo_moves(record)
        assert tree(folder) == before
    assert half_way > 5  # otherwise nothing was shown
