from __future__ import annotations

import time

import numpy as np
import pytest
from astropy.io import fits

from nightsift.look.stretch import Limits, fitted, night_limits, own_limits, to_grey
from nightsift.look.thumbnail import make_thumbnail
from nightsift.review import thumbnails
from nightsift.review.thumbnails import ThumbnailCache


def test_a_faint_trail_survives():
    pixels = np.random.default_rng(0).normal(1000, 30, (2048, 2048)).astype(np.float32)
    rows = np.arange(2048)
    for width in range(4):
        pixels[rows, (rows // 2 + width) % 2048] += 60  # two sigma of a pixel
    values = make_thumbnail(pixels, 320).values.astype(float)
    line = values[np.arange(0, 280), np.arange(0, 280) // 2].mean()
    assert line > 2  # in units of the noise of a block; bilinear resizing has 0.3 here


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_constant_frame_has_a_picture(value):
    thumbnail = make_thumbnail(np.full((64, 64), value, np.uint16), 32)
    assert thumbnail.background_adu == value
    assert np.isfinite(thumbnail.values).all()
    assert to_grey(thumbnail.values, own_limits(thumbnail)).dtype == np.uint8


def test_stretch_is_monotonous_and_upside_up():
    grey = to_grey(np.arange(12.0).reshape(3, 4), Limits(2, 9))
    assert grey[-1, 0] == 0
    assert grey[0, -1] == 255
    assert (np.diff(grey[::-1].ravel().astype(int)) >= 0).all()


def test_one_stretch_for_frames_of_several_levels():
    rng = np.random.default_rng(0)
    made = [make_thumbnail(rng.normal(sky, 10, (64, 64)), 32) for sky in (300, 310, 600)]
    limits = night_limits(made)
    levels = [to_grey(np.full((1, 1), t.background_adu), limits)[0, 0] for t in made]
    assert levels[0] < levels[2]
    assert night_limits([]) is None


@pytest.mark.parametrize(
    ("size", "room", "expected"),
    [
        ((100, 50), (200, 200), (200, 100)),
        ((50, 100), (200, 200), (100, 200)),
        ((9, 9), (1, 1), (1, 1)),
    ],
)
def test_fitted_keeps_the_shape(size, room, expected):
    assert fitted(*size, *room) == expected


@pytest.fixture
def cache(tmp_path):
    made = ThumbnailCache(tmp_path / "cache", side=32)
    yield made
    made.close()


def write(path, level=100.0, side=64):
    pixels = np.random.default_rng(1).normal(level, 3, (side, side)).astype(np.float32)
    fits.writeto(path, pixels, overwrite=True)
    return path


def test_pictures_are_made_behind_and_found_on_disk_next_time(cache, tmp_path, monkeypatch):
    files = [write(tmp_path / f"{i}.fits", 100 + i) for i in range(5)]
    assert cache.get(files[0]) is None
    cache.want(files)
    assert cache.wait(files, 20)
    assert cache.get(files[3]).background_adu == pytest.approx(103, abs=1)
    monkeypatch.setattr(thumbnails, "read_frame", lambda _path: pytest.fail("decoded again"))
    again = ThumbnailCache(tmp_path / "cache", side=32)
    again.want(files)
    assert again.wait(files, 20)
    np.testing.assert_array_equal(again.get(files[3]).values, cache.get(files[3]).values)
    again.close()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["cache"]


def test_a_file_that_changed_is_made_again(cache, tmp_path):
    path = write(tmp_path / "a.fits", 100)
    cache.want([path])
    assert cache.wait([path], 20)
    write(path, 500, side=48)
    again = ThumbnailCache(tmp_path / "cache", side=32)
    again.want([path])
    assert again.wait([path], 20)
    assert again.get(path).background_adu == pytest.approx(500, abs=2)
    again.close()


def test_a_damaged_cache_file_is_made_again(cache, tmp_path, caplog):
    path = write(tmp_path / "a.fits")
    cache.want([path])
    assert cache.wait([path], 20)
    (stored,) = (tmp_path / "cache").rglob("*.npz")
    for content in (b"", b"junk", stored.read_bytes()[:60]):
        stored.write_bytes(content)
        again = ThumbnailCache(tmp_path / "cache", side=32)
        again.want([path])
        assert again.wait([path], 20)
        assert not again.get(path).error
        again.close()
    assert "made again" in caplog.text


def test_unreadable_and_vanished_files_have_a_reason(cache, tmp_path):
    junk = tmp_path / "junk.fits"
    junk.write_bytes(b"junk")
    gone = tmp_path / "gone.fits"
    cache.want([junk, gone])
    assert cache.wait([junk, gone], 20)
    assert cache.get(junk).error
    assert cache.get(gone).error == "No such file or directory"


def test_a_cache_folder_that_cannot_be_written_is_no_obstacle(tmp_path):
    (tmp_path / "file").write_text("")
    cache = ThumbnailCache(tmp_path / "file", side=32)
    path = write(tmp_path / "a.fits")
    cache.want([path])
    assert cache.wait([path], 20)
    assert not cache.get(path).error
    cache.close()


def test_memory_is_bounded_and_recent_pictures_stay(tmp_path):
    files = [write(tmp_path / f"{i}.fits") for i in range(12)]
    one = make_thumbnail(np.zeros((64, 64)), 32).values.nbytes
    cache = ThumbnailCache(tmp_path / "cache", side=32, threads=1, memory_bytes=4 * one)
    cache.want(files)
    deadline = time.monotonic() + 20
    while len(cache.seen) < 12 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [cache.get(path) is not None for path in files] == [False] * 8 + [True] * 4
    cache.want(files[:2])
    assert cache.wait(files[:2], 20)
    cache.close()


def test_the_most_urgent_comes_first(tmp_path, monkeypatch):
    order = []
    real = thumbnails.read_frame
    monkeypatch.setattr(thumbnails, "read_frame", lambda path: (order.append(path), real(path))[1])
    files = [write(tmp_path / f"{i}.fits") for i in range(6)]
    cache = ThumbnailCache(tmp_path / "cache", side=32, threads=1)
    cache.want(files[3:])
    assert cache.wait(files[3:], 20)
    assert order == files[3:]
    cache.close()
