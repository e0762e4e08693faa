from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nightsift.data import cache as cache_module
from nightsift.data.cache import TensorCache
from nightsift.errors import NightsiftError
from nightsift.fits.reader import read_frame
from nightsift.look.transforms import Published, Robust


@pytest.fixture
def night(make_night) -> list[Path]:
    return sorted(make_night("n", n=6).glob("*.fits"))


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """Every path that is decoded."""
    seen: list[Path] = []

    def counting(path: Path):
        seen.append(path)
        return read_frame(path)

    monkeypatch.setattr(cache_module, "read_frame", counting)
    return seen


def make(tmp_path: Path, **changes: object) -> TensorCache:
    return TensorCache(tmp_path / "cache", **{"transform": Robust(), "img_size": 32, **changes})


def test_tensors_are_what_the_transform_gives_in_the_order_asked(night, tmp_path):
    cache = make(tmp_path)
    asked = [night[3], night[0], night[5]]
    for path, frame in zip(asked, cache.ensure(asked), strict=True):
        assert frame.path == path
        np.testing.assert_array_equal(cache.read(frame.ref), Robust()(read_frame(path).pixels, 32))


def test_fault_12_each_file_is_decoded_once_whatever_is_made_of_it(night, tmp_path, reads):
    """Published: nine decodes per pass over the windows and one more, in every epoch."""
    make(tmp_path).ensure(night)
    assert sorted(reads) == night
    again = make(tmp_path).ensure(night)
    assert sorted(reads) == night
    assert [frame.info.object for frame in again] == ["n"] * 6


def test_a_changed_file_and_only_that_is_decoded_again(night, tmp_path, reads):
    cache = make(tmp_path)
    before = cache.read(cache.ensure(night)[2].ref)
    night[2].write_bytes(night[4].read_bytes())
    os.utime(night[2], ns=(1, 10**18))
    reads.clear()
    fresh = make(tmp_path)
    after = fresh.read(fresh.ensure(night)[2].ref)
    assert reads == [night[2]]
    assert not np.array_equal(before, after)


def test_another_transform_or_size_is_another_tensor(night, tmp_path):
    small, large = make(tmp_path), make(tmp_path, img_size=48)
    other = make(tmp_path, transform=Published())
    assert small.read(small.ensure(night)[0].ref).shape == (32, 32)
    assert large.read(large.ensure(night)[0].ref).shape == (48, 48)
    assert len({small.folder, large.folder, other.folder}) == 3


def test_an_unreadable_file_is_named_and_tried_again(night, tmp_path):
    broken = night[0].with_name("broken.fits")
    broken.write_bytes(b"SIMPLE")
    cache = make(tmp_path)
    frame = cache.ensure([broken, night[0]])[0]
    assert frame.ref is None
    assert frame.error
    broken.write_bytes(night[1].read_bytes())
    assert make(tmp_path).ensure([broken])[0].error == ""


def test_two_caches_at_once_leave_a_complete_index(night, tmp_path):
    caches = [make(tmp_path, workers=1) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda cache: cache.ensure(night), caches))
    reference = [caches[0].read(frame.ref) for frame in results[0]]
    for cache, frames in zip(caches, results, strict=True):
        for frame, expected in zip(frames, reference, strict=True):
            np.testing.assert_array_equal(cache.read(frame.ref), expected)
    assert all(frame.ref.segment.exists() for frame in make(tmp_path).ensure(night))
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_segments_are_bounded_and_progress_is_told(night, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "SEGMENT_ROWS", 2)
    told: list[tuple[int, int]] = []
    cache = make(tmp_path)
    frames = cache.ensure(night, progress=lambda done, total: told.append((done, total)))
    assert len({frame.ref.segment for frame in frames}) == 3
    assert told[0] == (2, 6)
    assert told[-1] == (6, 6)


def test_a_damaged_index_is_made_again(night, tmp_path, reads):
    cache = make(tmp_path)
    cache.ensure(night)
    next(cache.folder.glob("*.json")).write_text("{not json")
    reads.clear()
    make(tmp_path).ensure(night)
    assert sorted(reads) == night


def test_a_full_disk_is_an_os_error_and_leaves_no_part(night, tmp_path, monkeypatch):
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        make(tmp_path).ensure(night)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_open_segments_stay_few(night, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "SEGMENT_ROWS", 1)
    monkeypatch.setattr(cache_module, "_OPEN_SEGMENTS", 2)
    cache = make(tmp_path)
    cache.read_many([frame.ref for frame in cache.ensure(night)])
    assert len(cache._open) == 2


def test_a_tiny_image_size_is_refused(tmp_path):
    with pytest.raises(NightsiftError, match="img_size"):
        make(tmp_path, img_size=8)
