import logging
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightsift.errors import NightsiftError
from nightsift.fits.folders import find_files
from nightsift.fits.header import FrameInfo
from nightsift.night.grouping import group_nights

START = datetime(2025, 3, 1, 20, tzinfo=UTC)
FRAME = FrameInfo(
    height=10, width=20, telescope="T 1", instrument="cam", filter="R", object="WASP-12 b"
)


def at(minutes, **facts):
    return replace(FRAME, time=START + timedelta(minutes=minutes), **facts)


def names(night):
    return [path.name for path in night.files]


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_files_are_found_below_in_natural_order(tmp_path):
    for name in ("n10/a.fits", "n2/f10.FIT", "n2/f2.fits.fz", "n2/._f1.fits", "n2/labels.csv"):
        touch(tmp_path / name)
    touch(tmp_path / ".trash" / "old.fits")
    (tmp_path / "n2" / "folder.fits").mkdir()
    found = [str(path.relative_to(tmp_path)) for path in find_files(tmp_path)]
    assert found == ["n2/f2.fits.fz", "n2/f10.FIT", "n10/a.fits"]


def test_links_are_followed_once_and_loops_end(tmp_path):
    real = touch(tmp_path / "store" / "a.fits")
    root = tmp_path / "root"
    root.mkdir()
    (root / "linked.fits").symlink_to(real)
    (root / "loop").symlink_to(root)
    (root / "nights").symlink_to(real.parent)
    (root / "again").symlink_to(real.parent)
    (root / "gone.fits").symlink_to(tmp_path / "nothing")
    found = [str(path.relative_to(root)) for path in find_files(root)]
    assert found[:2] == ["gone.fits", "linked.fits"]
    assert len(found) == 3


def test_single_file_and_user_errors(tmp_path):
    path = touch(tmp_path / "a.fits")
    assert find_files(path) == [path]
    with pytest.raises(NightsiftError, match="does not exist"):
        find_files(tmp_path / "missing")
    with pytest.raises(NightsiftError, match="is no FITS file"):
        find_files(touch(tmp_path / "a.txt"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NightsiftError, match=r"no FITS files in .*empty.*looked for \.fits"):
        find_files(tmp_path / "empty")


def test_published_fault_13_sequences_are_ordered_by_time_not_by_file_name():
    order = ["z.fits", "bad_b.fits", "a.fits"]
    infos = {Path("/n", name): at(i) for i, name in enumerate(order)}
    (night,) = group_nights(infos)
    assert night.timed
    assert names(night) == order
    assert night.infos == tuple(infos.values())


def test_equal_times_keep_the_natural_order_of_names():
    (night,) = group_nights({Path(f"/n/f{i}.fits"): at(0) for i in (10, 9, 2)})
    assert names(night) == ["f2.fits", "f9.fits", "f10.fits"]


def test_a_frame_without_time_means_natural_order_and_a_warning(caplog):
    infos = {Path(f"/n/f{i}.fits"): at(-1000 * i) for i in (10, 2, 1)}
    infos[Path("/n/f3.fits")] = FRAME
    with caplog.at_level(logging.WARNING):
        (night,) = group_nights(infos)
    assert not night.timed
    assert names(night) == ["f1.fits", "f2.fits", "f3.fits", "f10.fits"]
    assert "/n: 1 of 4 frames have no time" in caplog.text


@pytest.mark.parametrize(("gap_min", "nights"), [(240, 1), (241, 2)])
def test_a_gap_longer_than_four_hours_splits(gap_min, nights):
    infos = {Path("/n/a.fits"): at(0), Path("/n/b.fits"): at(gap_min)}
    assert len(group_nights(infos)) == nights


@pytest.mark.parametrize(
    "facts",
    [{"filter": "V"}, {"telescope": "T2"}, {"instrument": None}, {"object": "x"}, {"width": 21}],
)
def test_what_separates_nights(facts):
    infos = {Path("/n/a.fits"): at(0, **facts), Path("/n/b.fits"): at(1)}
    assert [names(night) for night in group_nights(infos)] == [["a.fits"], ["b.fits"]]


def test_spelling_of_names_does_not_separate_nights():
    infos = {Path("/n/a.fits"): at(0), Path("/n/b.fits"): at(1, object="wasp_12B", telescope="t1")}
    assert len(group_nights(infos)) == 1


def test_nights_are_called_by_date_filter_and_target_in_order_of_time_with_untimed_last():
    infos = {
        Path("/n/a.fits"): replace(FRAME, filter="B"),
        Path("/n/b.fits"): at(60, filter="V"),
        Path("/n/c.fits"): at(0, filter="R"),
    }
    found = {night.name: names(night) for night in group_nights(infos)}
    assert found == {
        "n 2025-03-01 R WASP-12_b": ["c.fits"],
        "n 2025-03-01 V WASP-12_b": ["b.fits"],
        "n undated B WASP-12_b": ["a.fits"],
    }


def test_folders_of_one_name_get_parents_in_front():
    folders = ("/d/t1/2025-03-01", "/d/t2/2025-03-01", "/d/t2/2025-03-02", "/e/t2/2025-03-01")
    infos = {Path(folder, "f1.fits"): at(0) for folder in folders}
    assert {str(night.folder): night.name for night in group_nights(infos)} == {
        "/d/t1/2025-03-01": "t1/2025-03-01",
        "/d/t2/2025-03-01": "d/t2/2025-03-01",
        "/d/t2/2025-03-02": "2025-03-02",
        "/e/t2/2025-03-01": "e/t2/2025-03-01",
    }


def test_result_does_not_depend_on_the_order_of_the_input():
    infos = {
        Path(f"/d/t{i % 3}/n/f{i}.fits"): at(i * 37 % 11 * 100, filter="RV"[i % 2])
        for i in range(40)
    }
    items = list(infos.items())
    random.Random(4).shuffle(items)
    assert group_nights(dict(items)) == group_nights(infos)
