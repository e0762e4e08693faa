"""Lone frames of a series are shown together, nights by themselves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nightsift.report.groups import shown_as
from nightsift.report.handoff.links import link_kept
from nightsift.report.terminal import rows_by_night


def table(rows: list[tuple[str, str]], files: list[str] | None = None) -> pd.DataFrame:
    """Rows of night and series."""
    found = pd.DataFrame(rows, columns=["night", "series"])
    return found.assign(file=files or [f"f{i}.fits" for i in found.index], verdict="good")


ROWS = [("n 1", "s"), *[("n 2", "s")] * 3, ("n 3", "s"), ("n 3", "s"), ("n 4", "t"), ("n 5", "")]


def test_short_nights_of_a_series_are_shown_as_one():
    shown = shown_as(table(ROWS)).tolist()
    assert shown == ["s", "n 2", "n 2", "n 2", "s", "s", "n 4", "n 5"]
    rows, caption = rows_by_night(table(ROWS), (), most=10)
    assert [(name, len(part)) for name, part in rows] == [
        *(("s", 3), ("n 2", 3), ("n 4", 1), ("n 5", 1))
    ]
    assert caption == ""


def test_a_table_without_series_is_shown_by_night():
    rows = [("a", ""), ("b", "")]
    assert shown_as(table(rows)).tolist() == ["a", "b"]
    assert shown_as(table(rows)[["night"]]).tolist() == ["a", "b"]


def test_kept_frames_of_a_series_share_a_folder_unless_their_names_meet(tmp_path):
    files: list[str] = []
    for night in ("a", "b"):
        (tmp_path / night).mkdir()
        files.append(str(tmp_path / night / f"{night}.fits"))
        Path(files[-1]).write_text(night)
    rows = [("a", "TOI-1 R"), ("b", "TOI-1 R")]
    assert link_kept(tmp_path / "kept", table(rows, files)) == 2
    found = sorted(path.name for path in (tmp_path / "kept" / "TOI-1_R").iterdir())
    assert found == ["a.fits", "b.fits"]
    (tmp_path / "b" / "a.fits").write_text("b")
    same = [files[0], str(tmp_path / "b" / "a.fits")]
    assert link_kept(tmp_path / "apart", table(rows, same)) == 2
    assert [(tmp_path / "apart" / night / "a.fits").read_text() for night in "ab"] == ["a", "b"]
