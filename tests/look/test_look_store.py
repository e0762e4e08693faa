"""What was seen of a file is kept while the file stays as it was, and never mixed up."""

from __future__ import annotations

import logging
import math
import os
import pickle
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.fits.reader import read_frame
from nightsift.look import database as module
from nightsift.look.features import FEATURES, Feature
from nightsift.look.look import Wanted, take_look
from nightsift.look.measure import AllFeatures
from nightsift.look.store import LookStore, read_stars, read_tensors
from nightsift.look.transforms.published import Published
from nightsift.look.transforms.robust import Robust
from nightsift.look.transforms.two_scale import TwoScale

# Bytes of a page of the databases.
PAGE = 32768
BOTH = Wanted(Robust(), 32, AllFeatures())


@pytest.fixture
def night(make_night) -> list[Path]:
    return sorted(make_night("n", n=6).glob("*.fits"))


@pytest.fixture
def store(tmp_path) -> LookStore:
    return LookStore(tmp_path / "cache")


def fill(store: LookStore, files: list[Path], wanted: Wanted = BOTH) -> None:
    store.add([take_look(path, wanted) for path in files], wanted)


def database(store: LookStore) -> Path:
    (path,) = store.root.glob("*.sqlite")
    return path


def same(one: dict[str, float], other: dict[str, float]) -> bool:
    return one.keys() == other.keys() and all(
        one[name] == other[name] or (math.isnan(one[name]) and math.isnan(other[name]))
        for name in one
    )


def test_what_is_kept_comes_back_bit_for_bit(store, night):
    fill(store, night)
    looks = store.read(night, BOTH)
    assert list(looks) == night
    for path in night:
        taken = take_look(path, BOTH)
        look = looks[path]
        assert (look.path, look.info, look.error) == (path, taken.info, "")
        assert same(look.features, taken.measured.features)
        (stars,) = read_stars([look])
        assert len(stars.x) > 5
        for kept, made in zip(stars, taken.measured.stars, strict=True):
            np.testing.assert_array_equal(kept, made)


def test_stars_are_by_reference_and_those_of_an_unmeasured_frame_are_none(store, night):
    fill(store, night[:1], Wanted(Robust(), 32))
    fill(store, night[1:], BOTH)
    looks = store.read(night, BOTH)
    counts = [len(stars.x) for stars in read_stars(looks[path] for path in night)]
    assert counts[0] == 0 < min(counts[1:])
    # What processes hand on: references, whatever the number of stars.
    assert len(pickle.dumps(looks[night[1]])) < 8 * len(looks[night[1]].features) + 3000
    shutil.rmtree(store.root)
    with pytest.raises(NightsiftError, match=r"the star list of f2\.fits is gone; run again"):
        read_stars([looks[night[1]]])


def test_tensors_are_what_the_transform_gives_in_the_order_asked(store, night):
    fill(store, night)
    looks = store.read(night, BOTH)
    asked = [night[3], night[0], night[5], night[0]]
    tensors = read_tensors(looks[path].tensor for path in asked)
    assert tensors.shape == (4, 1, 32, 32)
    for tensor, path in zip(tensors, asked, strict=True):
        np.testing.assert_array_equal(tensor[0], Robust()(read_frame(path).pixels, 32))


def test_facts_and_features_are_read_in_bulk(store, night):
    """As many questions to the database for one file as for all of a night."""
    fill(store, night)
    asked: list[str] = []
    module._connections.open[database(store)].set_trace_callback(asked.append)
    counts = []
    for files in (night[:1], night):
        asked.clear()
        assert len(store.read(files, BOTH)) == len(files)
        counts.append(len(asked))
    assert counts[0] == counts[1] < 10


def test_a_tensor_of_several_planes_keeps_them(store, night):
    wanted = Wanted(TwoScale(), 32)
    fill(store, night, wanted)
    tensors = read_tensors(look.tensor for look in store.read(night, wanted).values())
    assert tensors.shape == (6, 4, 32, 32)
    np.testing.assert_array_equal(tensors[2], TwoScale()(read_frame(night[2]).pixels, 32))


@pytest.mark.parametrize("change", ["content", "time", "size"])
def test_a_changed_file_and_only_that_is_no_longer_known(store, night, change):
    fill(store, night)
    stat = night[2].stat()
    if change == "content":  # the same size, another time
        night[2].write_bytes(night[4].read_bytes())
    elif change == "size":  # the same time, another size
        night[2].write_bytes(night[2].read_bytes() + bytes(2880))
        os.utime(night[2], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    if change != "size":
        os.utime(night[2], ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert list(store.read(night, BOTH)) == [path for path in night if path != night[2]]


def test_nothing_of_a_changed_file_is_left_once_it_is_looked_at_anew(store, night):
    fill(store, night)
    night[2].write_bytes(night[4].read_bytes())
    os.utime(night[2], ns=(1, 10**18))
    fill(store, [night[2]], Wanted(measure=AllFeatures()))
    looks = store.read(night, BOTH)
    assert looks[night[2]].tensor is None  # that of the old pixels is not given out
    assert same(looks[night[2]].features, looks[night[4]].features)
    assert all(looks[path].tensor for path in night if path != night[2])
    with sqlite3.connect(database(store)) as connection:
        query = "SELECT count(*), count(DISTINCT mtime_ns) FROM look WHERE name = ?"
        rows = connection.execute(query, (night[2].name,)).fetchone()
    connection.close()
    assert rows == (3, 1)  # facts, features, cells of lines


def test_a_file_that_has_gone_is_not_given_out(store, night):
    fill(store, night)
    night[1].unlink()
    assert night[1] not in store.read(night, BOTH)


@pytest.mark.parametrize(
    "other",
    [
        Wanted(Robust(mesh=8), 32),
        Wanted(Robust(softening=2.0), 32),
        Wanted(Robust(clip=4.0), 32),
        Wanted(Robust(), 48),
        Wanted(Published(), 32),
    ],
    ids=["mesh", "softening", "clip", "size", "transform"],
)
def test_a_transforms_arguments_are_part_of_the_key(store, night, other):
    fill(store, night)
    assert store.read(night, other)[night[0]].tensor is None
    fill(store, night, other)
    sides = []
    for wanted in (BOTH, other):
        ref = store.read(night, wanted)[night[0]].tensor
        expected = wanted.transform(read_frame(night[0]).pixels, wanted.img_size)
        np.testing.assert_array_equal(read_tensors([ref])[0, 0], expected)
        sides.append(ref.place.key)
    assert sides[0] != sides[1]


def test_a_new_feature_version_or_order_is_another_key(store, night):
    items = tuple(FEATURES.items())
    plain = AllFeatures(items)
    more = AllFeatures((*items, ("twice", Feature(items[0][1].measure))))
    name, feature = items[2]
    newer = AllFeatures((*items[:2], (name, feature._replace(version=99)), *items[3:]))
    assert len({plain.key, more.key, newer.key, AllFeatures(items[::-1]).key}) == 4
    fill(store, night, Wanted(measure=plain))
    assert store.read(night, Wanted(measure=newer))[night[0]].features == {}


def test_each_folder_has_its_own_database_also_where_names_are_the_same(make_night, store):
    files = [path for i in range(3) for path in sorted(make_night(f"n{i}", n=2, seed=i).iterdir())]
    files = [path for path in files if path.suffix == ".fits"]
    fill(store, files)
    assert len(list(store.root.glob("*.sqlite"))) == 3
    tensors = read_tensors(look.tensor for look in store.read(files, BOTH).values())
    for tensor, path in zip(tensors, files, strict=True):
        np.testing.assert_array_equal(tensor[0], Robust()(read_frame(path).pixels, 32))


def test_a_folder_by_another_name_is_the_same_folder(store, night, tmp_path):
    (tmp_path / "link").symlink_to(night[0].parent)
    fill(store, night)
    linked = [tmp_path / "link" / path.name for path in night]
    assert list(store.read(linked, BOTH)) == linked


def test_open_databases_stay_few(make_night, store, monkeypatch):
    monkeypatch.setattr(module, "_OPEN", 2)
    monkeypatch.setattr(module, "_connections", module._Connections())
    files = [make_night(f"n{i}", n=1, seed=i) / "f1.fits" for i in range(5)]
    fill(store, files)
    refs = [look.tensor for look in store.read(files, BOTH).values()]
    tensors = read_tensors([*refs, *refs])
    np.testing.assert_array_equal(tensors[:5], tensors[5:])
    assert len(module._connections.open) == 2


def test_unreadable_files_are_not_kept(store, night):
    night[0].write_bytes(b"SIMPLE")
    fill(store, night)
    assert list(store.read(night, BOTH)) == night[1:]


def damage(path: Path, page: int) -> None:
    """Overwrite one page of a database that nobody has open; page -1 stands for all of them."""
    module._connections = module._Connections()
    content = path.read_bytes()
    assert len(content) > page * PAGE
    start = 0 if page < 0 else page * PAGE
    stop = len(content) if page < 0 else start + PAGE
    path.write_bytes(content[:start] + b"{" * (stop - start) + content[stop:])


@pytest.mark.parametrize("page", range(-1, 5))
def test_a_damaged_database_is_begun_anew(store, night, caplog, page):
    """Whichever page: the header, the table of kinds, the index, the rows."""
    fill(store, night)
    refs = [look.tensor for look in store.read(night, BOTH).values()]
    damage(database(store), page)
    with caplog.at_level(logging.WARNING):
        if store.read(night, BOTH):  # the page holds a part of a tensor or nothing that is asked
            with pytest.raises(NightsiftError, match="was damaged and is removed; run again"):
                read_tensors(refs)
        else:
            assert "was damaged and is made again" in caplog.text
    fill(store, night)
    tensors = read_tensors(look.tensor for look in store.read(night, BOTH).values())
    np.testing.assert_array_equal(tensors[4, 0], Robust()(read_frame(night[4]).pixels, 32))


def test_half_a_database_is_begun_anew(store, night, caplog):
    fill(store, night)
    module._connections = module._Connections()
    content = database(store).read_bytes()
    database(store).write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING):
        assert store.read(night, BOTH) == {}
    assert "was damaged and is made again" in caplog.text
    fill(store, night)
    assert list(store.read(night, BOTH)) == night


def test_a_cache_that_was_deleted_meanwhile_is_said_and_filled_again(store, night):
    fill(store, night)
    refs = [look.tensor for look in store.read(night, BOTH).values()]
    shutil.rmtree(store.root)
    with pytest.raises(NightsiftError, match=r"the tensor of f1\.fits is gone; run again"):
        read_tensors(refs)
    assert store.read(night, BOTH) == {}
    fill(store, night)
    assert read_tensors(refs).shape == (6, 1, 32, 32)


def test_a_tensor_that_was_replaced_meanwhile_is_not_given_out(store, night):
    fill(store, night)
    ref = store.read(night, BOTH)[night[0]].tensor
    with pytest.raises(NightsiftError, match="run again"):
        read_tensors([ref._replace(place=ref.place._replace(key="tensor-of-another-transform"))])


def test_a_full_disk_is_one_line_and_leaves_what_was_complete(store, night, monkeypatch):
    fill(store, night[:1])
    pages = database(store).stat().st_size // PAGE
    connection = module._connections.open[database(store)]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(NightsiftError, match=r"disk is full.*choose another place, cache_dir=DIR"):
        fill(store, night, Wanted(Robust(), 128))
    assert list(store.read(night, BOTH)) == night[:1]
    assert store.read(night, Wanted(Robust(), 128))[night[0]].tensor is None


def test_a_place_that_is_no_folder_is_one_line(night, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NightsiftError, match=r"file.looks.*cache_dir=DIR"):
        fill(LookStore(tmp_path / "file"), night)


def test_another_shape_under_the_same_key_is_a_bug_that_is_said(store, night):
    class Growing(Robust):
        """A transform that breaks its promise."""

        side = 16

        def __call__(self, pixels: Any, img_size: int) -> Any:
            Growing.side += 1
            return super().__call__(pixels, self.side)

    with pytest.raises(ValueError, match="the same names and shapes for every frame"):
        fill(store, night, Wanted(Growing(), 32))
