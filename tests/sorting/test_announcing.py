"""How often the verdict of one frame is told while a night is being taken."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nightsift import judge, simulate_night
from nightsift.look.store import LookStore
from nightsift.models.weights import load_weights
from nightsift.sorting.announcing import Announcements, Told
from nightsift.sorting.night import judge_folders
from nightsift.sorting.watching import Watch

STAMP = (1, 1)


def table_of(verdicts: list[str], night: str = "n", start: int = 0) -> pd.DataFrame:
    times = pd.date_range("2025-03-02T21:00", periods=len(verdicts), freq="90s", tz="UTC")
    return pd.DataFrame(
        {
            "file": [f"/x/{night}{start + i:03d}.fits" for i in range(len(verdicts))],
            "verdict": verdicts,
            "prob_bad": [np.nan if not verdict else 0.25 for verdict in verdicts],
            "night": night,
            "time": [time.isoformat() for time in times],
            "reason": ["" if verdict == "good" else "cloud" for verdict in verdicts],
            "explanation": "",
        }
    )


def announce(announcements: Announcements, table: pd.DataFrame) -> list[str]:
    return announcements.judged(table, dict.fromkeys(table["file"], STAMP))


def make(**options: float) -> Announcements:
    return Announcements({}, **{"window": 5, "quiet_s": 60.0, **options})


def test_a_verdict_is_given_when_the_window_is_complete():
    announcements = make()
    told = [len(announce(announcements, table_of(["good"] * n))) for n in range(1, 9)]
    # One line that they are pending; at five frames the first three, then one with each.
    assert told == [1, 0, 0, 0, 3, 1, 1, 1]
    assert announcements.end() == [
        "n  2025-03-02 21:09:00  n006.fits: good 0.25",
        "n  2025-03-02 21:10:30  n007.fits: good 0.25",
    ]
    assert announcements.end() == []
    assert announce(announcements, table_of(["good"] * 8)) == []


def test_nights_are_pending_apart_and_what_is_not_judged_is_told_at_once():
    announcements = make()
    table = pd.concat([table_of(["good"] * 5, "r"), table_of(["bad", ""], "v")])
    lines = announce(announcements, table)
    assert [line.split()[0] for line in lines] == ["r", "r", "r", "v", "r:", "v:"]
    assert lines[3] == "v  2025-03-02 21:01:30  v001.fits: not judged  cloud"
    # The interval between frames is 90 s: 60 s without one mean nothing yet.
    waited = dict.fromkeys(table["file"], 80.0)
    assert "none has come for 270 s" in lines[4]
    assert announcements.waited(waited)[0].startswith("v  2025-03-02 21:00:00  v000.fits: bad")
    assert announcements.waited(dict.fromkeys(table["file"], 269.0)) == []
    assert len(announcements.waited(dict.fromkeys(table["file"], 270.0))) == 2


def test_a_change_is_told_once_it_has_stayed_and_no_second_one():
    announcements = make()
    first, lines = [], []

    def judged(verdict: str, frames: int) -> list[str]:
        table = table_of([verdict, *["good"] * (frames - 1)])
        return [line for line in announce(announcements, table) if "n000" in line]

    first = judged("good", 5)
    assert first == ["n  2025-03-02 21:00:00  n000.fits: good 0.25"]
    for frames in range(6, 40):  # it wavers
        lines += judged("bad" if frames % 5 else "good", frames)
    assert lines == []
    lines = [line for frames in range(40, 60) for line in judged("bad", frames)]
    assert lines == [
        "changed: n  2025-03-02 21:00:00  n000.fits: bad 0.25  cloud (told before: good 0.25)"
    ]
    assert [line for frames in range(60, 80) for line in judged("good", frames)] == []
    last = table_of(["good"] * 79)
    assert announcements.otherwise(last) == ["n000.fits good (told: bad)"]


def test_a_judgement_without_a_new_frame_counts_for_nothing():
    announcements = make()
    announce(announcements, table_of(["good"] * 5))
    for _ in range(50):
        assert announce(announcements, table_of(["bad", *["good"] * 5]))[1:] == []


def test_what_ended_otherwise_is_known():
    announcements = Announcements(
        {"/x/n000.fits": Told("good", 0.1, STAMP), "/x/n001.fits": Told("not judged", None, STAMP)},
        window=5,
        quiet_s=60,
    )
    assert announcements.otherwise(table_of(["bad", "", "good"])) == ["n000.fits bad (told: good)"]


def wavering(kind: np.random.Generator, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits that frames of a night end with, and how far they are off with k later ones.

    A cloud spell, single bad frames, some near the threshold; the error shrinks as frames come.
    """
    final = kind.normal(-4, 1, frames)
    final[20:32] = kind.normal(2, 1.5, 12)
    final[[5, 44, 61]] = 3.0
    final[kind.choice(frames, 8, replace=False)] = kind.normal(-0.8, 0.3, 8)
    walk = kind.normal(0, 0.25, (frames, frames)).cumsum(axis=1)
    settled = walk - walk[:, -1:]
    early = 2.5 * kind.normal(size=(frames, frames)) / np.maximum(np.arange(1, frames + 1), 1)
    return final, np.clip(settled, -1, 1) * 0.4 + early


@pytest.mark.parametrize("seed", range(4))
def test_each_frame_is_told_about_once(seed):
    """Where each change is a line there are more than one and a half for each frame."""
    frames = 80
    final, error = wavering(np.random.default_rng(seed), frames)
    announcements = make(window=9)
    told: Counter[str] = Counter()
    before: dict[str, str] = {}
    naive = 0
    for n in range(1, frames + 1):
        later = np.arange(n)[::-1]
        prob = 1 / (1 + np.exp(-(final[:n] + error[np.arange(n), later])))
        verdicts = np.where(prob >= 0.31, "bad", np.where(prob >= 0.1, "review", "good")).tolist()
        table = table_of(verdicts)
        naive += sum(before.get(f) != v for f, v in zip(table["file"], verdicts, strict=True))
        before = dict(zip(table["file"], verdicts, strict=True))
        told.update(line.partition(".fits: ")[0][-4:] for line in announce(announcements, table)
                    if ".fits: " in line)  # fmt: skip
    told.update(line.partition(".fits: ")[0][-4:] for line in announcements.end())
    assert naive / frames > 1.5
    assert len(told) == frames
    assert max(told.values()) <= 2
    assert told.total() / frames <= 1.1


def test_a_watched_night_is_told_once_and_ends_as_the_whole_folder(tmp_path, decoded):
    """Clouds and single bad frames, by the shipped weights; no file is decoded twice."""
    taken = simulate_night(
        tmp_path / "taken",
        instrument="sct_0p28m",
        frames=28,
        kinds=["thick_cloud", "satellite", "trail"],
        bad_fraction=0.35,
        seed=4,
        max_side=320,
    )
    files = sorted(path for path in taken.iterdir() if ".fit" in path.name.lower())
    night = tmp_path / "night"
    night.mkdir()
    loaded = load_weights("pretrained")
    store = LookStore(tmp_path / "cache")
    decoded.clear()

    def judge_all(unfinished: frozenset[Path]) -> pd.DataFrame:
        return judge_folders(
            [night], loaded.card, lambda: loaded, store, passed_over=unfinished, workers=1
        ).table

    lines: list[str] = []
    watch = Watch(
        night,
        judge_all,
        tmp_path / "memory.json",
        window=loaded.card.window,
        quiet_s=600,
        tell=lines.append,
    )
    for path in files:
        path.rename(night / path.name)
        watch.look(), watch.look()
    table = watch.finish()
    assert sorted(path.name for path in decoded) == sorted(path.name for path in files)
    whole = judge(night).table
    pd.testing.assert_frame_equal(table[whole.columns], whole, atol=1e-5)
    assert {"bad", "good"} <= set(table["verdict"])
    told = Counter(path.name for line in lines for path in files if f"{path.name}: " in line)
    assert set(told) == {path.name for path in files}
    assert max(told.values()) <= 2
    assert told.total() / len(files) <= 1.1
