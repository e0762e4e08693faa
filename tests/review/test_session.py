from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nightsift.errors import NightsiftError
from nightsift.review.session import default_csv, open_state

ROOT = Path(__file__).parents[2]


def test_the_state_lives_without_matplotlib_torch_and_pandas():
    code = (
        "import sys, nightsift.review.session; "
        "print({'matplotlib', 'torch', 'pandas'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout.strip() == "set()"


def test_which_table_is_used(tmp_path):
    assert default_csv(tmp_path) == tmp_path / "labels.csv"
    deep = tmp_path / "deep"
    deep.mkdir()
    (deep / "my_labels.csv").touch()
    assert default_csv(tmp_path) == deep / "my_labels.csv"
    (tmp_path / "labels_2025.csv").touch()
    assert default_csv(tmp_path) == tmp_path / "labels_2025.csv"
    (tmp_path / "labels.csv.bak1").touch()
    assert default_csv(tmp_path) == tmp_path / "labels_2025.csv"
    (tmp_path / "labels.csv").touch()
    with pytest.raises(NightsiftError, match="several label tables"):
        default_csv(tmp_path)


def test_a_folder_of_nights_and_a_single_file(make_night, tmp_path):
    root = tmp_path / "root"
    make_night("b", n=3, seed=2, root=root)
    make_night("a", n=3, seed=1, root=root)
    table = tmp_path / "all.csv"
    state = open_state(root, table, cache_dir=tmp_path / "c", keep="all")
    assert [frame.night for frame in state.frames] == [0, 0, 0, 1, 1, 1]
    assert state.neighbours(2) == [0, 1, 2]
    state.click(4)
    assert state.neighbours(2) == [3, 4, 5]
    state.judge(1)
    state.store.close()
    assert "root/b/f2.fits,bad" in table.read_text()
    one = open_state(root / "a" / "f1.fits", table, cache_dir=tmp_path / "c")
    assert len(one.frames) == 1
    one.store.close()
