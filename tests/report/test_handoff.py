from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nightsift.errors import NightsiftError
from nightsift.report.handoff import link_kept, siril_script, write_lists


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    (tmp_path / "n 1").mkdir()
    verdicts = ["good", "bad", "bad", "review", "bad", "good", ""]
    names = [f"f{i}.fits" for i in range(1, 8)]
    for name in names:
        (tmp_path / "n 1" / name).write_text(name)
    return pd.DataFrame(
        {
            "file": [str(tmp_path / "n 1" / name) for name in names],
            "prob_bad": [0.1, 0.9, 0.8, 0.3, 0.99, 0.0, float("nan")],
            "reason": ["", "cloud", "cloud", "trailing", "streak\tx", "", "unreadable: damaged"],
            "night": "n 1",
            "verdict": verdicts,
        }
    )


def test_every_readable_frame_is_in_one_list(table, tmp_path):
    write_lists(tmp_path / "lists", table)
    kept = (tmp_path / "lists" / "kept.txt").read_text().splitlines()
    rejected = (tmp_path / "lists" / "rejected.txt").read_text().splitlines()
    assert [Path(path).name for path in kept] == ["f1.fits", "f4.fits", "f6.fits"]
    assert [Path(path).name for path in rejected] == ["f2.fits", "f3.fits", "f5.fits"]
    assert all(Path(path).is_file() for path in kept + rejected)


def test_the_astroimagej_table_has_a_row_per_slice(table, tmp_path):
    write_lists(tmp_path, table)
    read = pd.read_csv(tmp_path / "astroimagej.tbl", sep="\t", index_col=0)
    assert list(read["Label"]) == [f"f{i}.fits" for i in range(1, 7)]
    assert list(read["slice"]) == [1, 2, 3, 4, 5, 6]
    assert list(read["NSBAD"]) == [0, 1, 1, 0, 1, 0]
    assert read["NSREASON"][5] == "streak x"


def test_siril_counts_from_one_in_the_order_of_names(table):
    shuffled = table[table["verdict"] != ""].sample(frac=1, random_state=0)
    lines = siril_script(shuffled).splitlines()
    assert [line for line in lines if line.startswith("unselect")] == [
        "unselect light_ 2 3",
        "unselect light_ 5 5",
    ]


def test_kept_frames_are_linked_night_by_night(table, tmp_path):
    assert link_kept(tmp_path / "kept", table) == 3
    linked = sorted((tmp_path / "kept" / "n_1").iterdir())
    assert [path.name for path in linked] == ["f1.fits", "f4.fits", "f6.fits"]
    assert [path.read_text() for path in linked] == [path.name for path in linked]
    with pytest.raises(NightsiftError, match="not empty"):
        link_kept(tmp_path / "kept", table)
