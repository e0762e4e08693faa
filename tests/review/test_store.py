from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.fits.labels import match_labels, read_label_csv
from nightsift.review import merge
from nightsift.review.journal import Entry
from nightsift.review.merge import BACKUPS
from nightsift.review.store import LabelStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def files(tmp_path):
    """Twenty files; the store never opens them."""
    night = tmp_path / "night"
    night.mkdir()
    return [night / f"f{i:02}.fits" for i in range(20)]


def open_store(files, csv_path=None):
    place = csv_path or files[0].parent / "labels.csv"
    return LabelStore(place, files, fallback_dir=files[0].parent.parent / "fallback")


def judge(store, path, label):
    return store.decide({path: store.judged(path, label)})


def on_disk(path):
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return {row["file"]: row for row in csv.DictReader(stream)}


def test_a_decision_is_in_the_journal_when_decide_returns(files, monkeypatch):
    store = open_store(files)
    monkeypatch.setattr(store, "_start", lambda: None)  # the table is never written
    judge(store, files[3], 1)
    assert not store.csv.exists()
    again = open_store(files)
    assert again.label(files[3]) == 1
    again.close()
    assert on_disk(store.csv)["f03.fits"]["label"] == "bad"
    assert not store.csv.with_name(".labels.csv.journal").exists()
    store._pool.shutdown()


def test_only_judged_frames_get_a_timestamp_in_utc(files):
    files[0].parent.joinpath("labels.csv").write_text(
        "file,label,notes\nf00.fits,,\nf01.fits,good,\n"
    )
    store = open_store(files)
    judge(store, files[2], 0)
    store.decide({files[3]: store.entry(files[3])._replace(notes="wind")})
    store.close()
    rows = on_disk(store.csv)
    assert [row["timestamp"] for row in rows.values()][:2] == ["", ""]
    assert rows["f02.fits"]["timestamp"].endswith("+00:00")
    assert rows["f03.fits"] == {"file": "f03.fits", "label": "", "notes": "wind", "timestamp": ""}
    assert list(rows["f00.fits"]) == ["file", "label", "notes", "timestamp"]


def test_taking_back_restores_what_was_written(files):
    content = b"file,label,notes,timestamp\nf00.fits, Marginal ,thin cloud,2024\n"
    place = files[0].parent / "labels.csv"
    place.write_bytes(content)
    store = open_store(files)
    before = judge(store, files[0], 1) | judge(store, files[1], 1)
    assert store.flush()
    store.decide(before)
    assert store.close()
    assert place.read_bytes() == content


def test_rows_of_other_folders_survive_and_no_table_is_written_unasked(files, tmp_path):
    place = tmp_path / "labels.csv"
    place.write_bytes(
        b"file,label,notes,timestamp\r\nelse/f00.fits,bad,,\r\nnight/f00.fits,good,,\r\n"
    )
    store = open_store(files, place)
    assert store.label(files[0]) == 0
    judge(store, files[1], 1)
    store.close()
    lines = place.read_bytes().split(b"\r\n")
    assert lines[:3] == [
        b"file,label,notes,timestamp",
        b"else/f00.fits,bad,,",
        b"night/f00.fits,good,,",
    ]
    assert lines[3].startswith(b"night/f01.fits,bad,")
    untouched = open_store(files)
    untouched.close()
    assert not untouched.csv.exists()


@pytest.mark.parametrize("place", ["night/labels.csv", "labels.csv", "deep/er/labels.csv"])
def test_training_finds_what_was_labelled(files, tmp_path, place):
    for path in files:
        path.touch()
    other = tmp_path / "other" / "f01.fits"
    other.parent.mkdir()
    other.touch()
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    store = open_store(files, tmp_path / place)
    judge(store, files[1], 1)
    store.close()
    match = match_labels([read_label_csv(tmp_path / place)], [*files, other])
    assert match.labels == {files[1]: 1}


def test_two_windows_lose_nothing_of_either(files):
    first, second = open_store(files), open_store(files)
    for i, path in enumerate(files):
        judge((first, second)[i % 2], path, i % 3 == 0)
    first.close()
    second.close()
    rows = on_disk(first.csv)
    assert len(rows) == 20
    for i, path in enumerate(files):
        assert rows[path.name]["label"] == ("bad" if i % 3 == 0 else "good")


def test_a_conflict_is_shown_and_waits_for_a_person(files):
    first, second = open_store(files), open_store(files)
    judge(first, files[0], 1)
    first.flush()
    judge(second, files[0], 0)  # without having seen the other's
    second.flush()
    assert on_disk(first.csv)["f00.fits"]["label"] == "bad"
    assert second.conflict(files[0]).label == "good"
    assert second.label(files[0]) == 1
    second.close()
    third = open_store(files)
    assert third.conflict(files[0]).label == "good"
    judge(third, files[0], 0)
    third.close()
    first.flush()
    assert on_disk(first.csv)["f00.fits"]["label"] == "good"
    assert third.conflict(files[0]) is None
    assert first.label(files[0]) == 0
    first.close()


def test_an_editor_in_between_is_merged(files):
    store = open_store(files)
    judge(store, files[0], 1)
    store.flush()
    text = store.csv.read_text()
    store.csv.write_text(text.replace("bad,", "bad,by hand") + "f07.fits,good,seen,\n")
    judge(store, files[1], 0)
    store.flush()
    assert store.entry(files[7]) == Entry("good", "seen", "")
    rows = on_disk(store.csv)
    assert rows["f00.fits"]["notes"] == "by hand"
    assert rows["f07.fits"]["notes"] == "seen"
    assert rows["f01.fits"]["label"] == "good"
    store.close()


def test_what_changes_on_disk_comes_into_view(files):
    store = open_store(files)
    store.csv.write_text("file,label\nf00.fits,bad\n")
    deadline = time.monotonic() + 5
    while not store.poll() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert store.label(files[0]) == 1
    store.close()


def test_a_table_that_is_removed_comes_back_whole(files):
    store = open_store(files)
    judge(store, files[0], 1)
    store.flush()
    store.csv.unlink()
    judge(store, files[1], 0)
    store.close()
    assert set(on_disk(store.csv)) == {"f00.fits", "f01.fits"}


def test_a_table_broken_by_an_editor_is_left_alone_and_retried(files, monkeypatch):
    monkeypatch.setattr("nightsift.review.store.RETRY_S", 0.05)
    store = open_store(files)
    store.csv.write_text("file,label\nf05.fits,bad,too,many\n")
    judge(store, files[0], 1)
    assert not store.flush()
    assert "expected 2 cells" in store.problem
    assert store.label(files[0]) == 1
    assert store.csv.read_text() == "file,label\nf05.fits,bad,too,many\n"
    store.csv.write_text("file,label\nf05.fits,bad\n")
    deadline = time.monotonic() + 5
    while store.problem and time.monotonic() < deadline:
        store.poll()
        time.sleep(0.02)
    assert store.close()
    assert {name: row["label"] for name, row in on_disk(store.csv).items()} == {
        "f05.fits": "bad",
        "f00.fits": "bad",
    }


def refuse(*_args, **_keys):
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_and_the_decision_kept(files, monkeypatch):
    store = open_store(files)
    judge(store, files[0], 1)
    store.flush()
    old = store.csv.read_bytes()
    with monkeypatch.context() as context:
        context.setattr(merge, "replacing", refuse)
        judge(store, files[1], 1)
        assert not store.flush()
        assert store.problem == "No space left on device"
        assert store.csv.read_bytes() == old
        assert [store.label(path) for path in files[:3]] == [1, 1, None]
    assert store.flush()
    assert store.problem == ""
    assert set(on_disk(store.csv)) == {"f00.fits", "f01.fits"}
    store.close()


def test_no_journal_anywhere_keeps_decisions_in_memory(files, monkeypatch):
    store = open_store(files)
    with monkeypatch.context() as context:
        context.setattr("nightsift.review.journal.os.fsync", refuse)
        judge(store, files[0], 1)
        assert "No space" in store.problem
        judge(store, files[1], 0)
        assert not store.flush()
    judge(store, files[2], 1)
    assert store.close()
    labels = {name: row["label"] for name, row in on_disk(store.csv).items()}
    assert labels == {"f00.fits": "bad", "f01.fits": "good", "f02.fits": "bad"}


def test_a_read_only_folder_uses_the_other_journal_also_next_time(files, monkeypatch):
    night = str(files[0].parent)
    real = os.open

    def no_writing(path, flags, *rest, **keys):
        if str(path).startswith(night) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *rest, **keys)

    def no_opening(self, mode="r", *rest, **keys):
        if str(self).startswith(night) and mode[0] in "wa":
            raise PermissionError(13, "Permission denied", str(self))
        return real_open(self, mode, *rest, **keys)

    real_open = Path.open
    with monkeypatch.context() as context:
        context.setattr("os.open", no_writing)
        context.setattr(Path, "open", no_opening)
        store = open_store(files)
        judge(store, files[0], 1)
        judge(store, files[1], 0)
        assert not store.close()
        assert "Permission denied" in store.problem
        again = open_store(files)
        assert [again.label(path) for path in files[:3]] == [1, 0, None]
        again.close()
    assert not list(files[0].parent.iterdir())
    later = open_store(files)
    later.close()
    assert set(on_disk(later.csv)) == {"f00.fits", "f01.fits"}


def test_backups_roll_and_are_no_label_tables(files, monkeypatch):
    from nightsift.fits.labels import find_label_csvs

    monkeypatch.setattr(merge, "BACKUP_AGE_S", 0)
    store = open_store(files)
    for i in range(8):
        judge(store, files[i], 1)
        store.flush()
    store.close()
    backups = sorted(store.csv.parent.glob("labels.csv.bak*"))
    assert [path.name for path in backups] == [f"labels.csv.bak{i}" for i in range(1, BACKUPS + 1)]
    assert [len(on_disk(path)) for path in backups] == [7, 6, 5, 4, 3]
    assert find_label_csvs(store.csv.parent) == [store.csv]


def test_a_window_keeps_the_table_as_it_found_it(files):
    place = files[0].parent / "labels.csv"
    place.write_text("file,label\nf00.fits,good\n")
    store = open_store(files)
    for path in files:
        judge(store, path, 1)
        store.flush()
    store.close()
    assert (files[0].parent / "labels.csv.bak1").read_text() == "file,label\nf00.fits,good\n"


@pytest.mark.skipif(sys.platform == "win32", reason="links and modes of POSIX")
def test_a_link_and_the_mode_of_the_table_stay(files, tmp_path):
    real = tmp_path / "real.csv"
    real.write_text("file,label\n")
    real.chmod(0o640)
    link = files[0].parent / "labels.csv"
    link.symlink_to(real)
    store = open_store(files)
    judge(store, files[0], 1)
    store.close()
    assert link.is_symlink()
    assert "night/f00.fits,bad" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_name_that_is_no_text_is_refused_in_words(files):
    odd = files[0].parent / os.fsdecode(b"\xff.fits")
    store = open_store([*files, odd])
    with pytest.raises(NightsiftError, match="rename the file"):
        judge(store, odd, 1)
    assert store.close()


@pytest.mark.parametrize("content", [b"\0binary", b"no table at all\n"])
def test_a_file_that_is_no_table_is_refused_and_untouched(files, content):
    place = files[0].parent / "labels.csv"
    place.write_bytes(content)
    with pytest.raises(NightsiftError, match=r"labels\.csv"):
        open_store(files)
    assert place.read_bytes() == content
    assert sorted(path.name for path in place.parent.iterdir()) == ["labels.csv"]


WORKER = """
import random, sys
from pathlib import Path
from nightsift.review.store import LabelStore

night, seed = Path(sys.argv[1]), int(sys.argv[2])
files = [night / f"f{i:02}.fits" for i in range(20)]
store = LabelStore(night / "labels.csv", files, fallback_dir=night.parent / "fallback")
hand = random.Random(seed)
sys.stdout.write("ready\\n")
sys.stdout.flush()
while True:
    path, label = hand.choice(files), hand.choice([0, 1])
    sys.stdout.write(f"try {path.name} {label}\\n")
    sys.stdout.flush()
    store.decide({path: store.judged(path, label)})
    sys.stdout.write(f"done {path.name} {label}\\n")
    sys.stdout.flush()
    store.poll()
"""


def kill_once(night: Path, seed: int, delay_s: float) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Label at full speed, kill; what was acknowledged last, and what may be there instead."""
    command = [sys.executable, "-c", WORKER, str(night), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(delay_s)
        worker.send_signal(signal.SIGKILL)
        lines = worker.stdout.read().splitlines()
    acknowledged: dict[str, str] = {}
    allowed: dict[str, set[str]] = {}
    for line in lines:
        parts = line.split()
        if len(parts) == 3 and line.startswith("done"):
            acknowledged[parts[1]] = parts[2]
            allowed[parts[1]] = {parts[2]}
        elif len(parts) == 3 and parts[2] in "01":
            allowed.setdefault(parts[1], set()).add(parts[2])
    return acknowledged, allowed


def check_kills(tmp_path: Path, runs: int) -> int:
    rng = np.random.default_rng(runs)
    night, total, known = tmp_path / "night", 0, dict[str, set[str]]()
    night.mkdir()
    for run in range(runs):
        acknowledged, allowed = kill_once(night, run, float(rng.uniform(0, 0.12)))
        files = [night / f"f{i:02}.fits" for i in range(20)]
        store = LabelStore(night / "labels.csv", files, fallback_dir=tmp_path / "fallback")
        for path in files:
            name = path.name
            # The table is never cleared: what earlier runs left must be there as well.
            expected = allowed.get(name, set())
            if name not in acknowledged:
                expected = expected | known.get(name, {"None"})
            assert str(store.label(path)) in expected, (run, name, acknowledged.get(name))
            assert store.conflict(path) is None
            known[name] = {str(store.label(path))}
        assert store.close()
        table = on_disk(store.csv) if store.csv.exists() else {}
        assert all({"bad": "1", "good": "0"}[r["label"]] in known[n] for n, r in table.items())
        total += len(acknowledged)
    return total


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_nothing_acknowledged_is_lost_in_five_kills(tmp_path):
    assert check_kills(tmp_path, 5) > 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_nothing_acknowledged_is_lost_in_two_hundred_kills(tmp_path):
    assert check_kills(tmp_path, 200) > 1000
