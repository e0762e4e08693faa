"""Each file is decoded once, whatever is made of it, and never again while it is kept."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nightsift
from nightsift.fits.reader import read_frame
from nightsift.look.look import Look, Wanted
from nightsift.look.measure import AllFeatures, Decoded, Measurements
from nightsift.look.reading import look_at
from nightsift.look.store import LookStore, read_stars, read_tensors
from nightsift.look.transforms.published import Published
from nightsift.look.transforms.robust import Robust
from nightsift.look.transforms.two_scale import TwoScale
from scenes import Scene, write_night

# For other processes: the package that is tested here, wherever another one is installed.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(nightsift.__file__).parents[1])}
TENSOR = Wanted(Robust(), 32)
FEATURES = Wanted(measure=AllFeatures())
BOTH = Wanted(Robust(), 32, AllFeatures())


@pytest.fixture
def night(make_night) -> list[Path]:
    return sorted(make_night("n", n=6).glob("*.fits"))


@pytest.fixture
def store(tmp_path) -> LookStore:
    return LookStore(tmp_path / "cache")


class CountingTransform(Robust):
    """Counts the frames that it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __call__(self, pixels: Any, img_size: int) -> Any:
        self.calls += 1
        return super().__call__(pixels, img_size)


@dataclass(frozen=True)
class CountingMeasure:
    """Measures the mean, and does something first."""

    first: Callable[[], object] = lambda: None
    calls: list[int] = field(default_factory=list)
    compared: bool = False
    key: str = "mean-1"

    def __call__(self, frame: Decoded) -> Measurements:
        self.first()
        self.calls.append(1)
        return Measurements({"mean": float(frame.pixels.mean())})


def equal(one: Look, other: Look) -> bool:
    """Whether two looks tell the same of a file."""
    facts = (one.path, one.info, one.error) == (other.path, other.info, other.error)
    values = [
        {name: value for name, value in look.features.items() if not math.isnan(value)}
        for look in (one, other)
    ]
    lists = read_stars([one, other])
    stars = all(np.array_equal(a, b) for a, b in zip(*lists, strict=True))
    if one.tensor is None or other.tensor is None:
        return facts and values[0] == values[1] and stars and one.tensor is other.tensor
    tensors = [read_tensors([look.tensor]) for look in (one, other) if look.tensor]
    return facts and values[0] == values[1] and stars and np.array_equal(*tensors)


@pytest.mark.parametrize("wanted", [Wanted(), TENSOR, FEATURES, BOTH])
def test_fault_12_each_file_is_decoded_once_whatever_is_made_of_it(night, store, decoded, wanted):
    """Published: nine decodes per pass over the windows and one more, in every epoch."""
    first = look_at(night, wanted, store)
    assert sorted(decoded) == night
    assert [look.info.object for look in first] == ["n"] * 6
    assert all(bool(look.features) == (wanted.measure is not None) for look in first)
    assert all(bool(look.tensor) == (wanted.transform is not None) for look in first)
    decoded.clear()
    again = look_at(night, wanted, LookStore(store.root.parent))
    assert decoded == []
    assert all(equal(*pair) for pair in zip(first, again, strict=True))


@pytest.mark.parametrize("features_first", [True, False])
def test_only_the_part_that_is_missing_is_made(night, store, decoded, features_first):
    transform, measure = CountingTransform(), CountingMeasure()
    parts = [Wanted(measure=measure), Wanted(transform, 32)]
    look_at(night, parts[0 if features_first else 1], store)
    assert (len(measure.calls), transform.calls) == ((6, 0) if features_first else (0, 6))
    looks = look_at(night, Wanted(transform, 32, measure), store)
    assert len(decoded) == 12
    assert (len(measure.calls), transform.calls) == (6, 6)
    for look in looks:
        pixels = read_frame(look.path).pixels
        assert look.features == {"mean": float(pixels.mean())}
        np.testing.assert_array_equal(read_tensors([look.tensor])[0, 0], Robust()(pixels, 32))


def test_files_that_came_later_are_the_only_ones_that_are_decoded(night, store, decoded):
    look_at(night[:4], BOTH, store)
    decoded.clear()
    looks = look_at(night, BOTH, store)
    assert sorted(decoded) == night[4:]
    assert [look.path for look in looks] == night


def test_a_changed_file_and_only_that_is_decoded_again(night, store, decoded):
    before = look_at(night, BOTH, store)
    old = read_tensors([before[2].tensor])
    night[2].write_bytes(night[4].read_bytes())
    os.utime(night[2], ns=(1, 10**18))
    decoded.clear()
    after = look_at(night, BOTH, store)
    assert decoded == [night[2]]
    assert not np.array_equal(old, read_tensors([after[2].tensor]))
    assert after[2].features == pytest.approx(before[4].features, nan_ok=True)


def test_looks_come_in_the_order_asked_and_a_file_named_twice_is_decoded_once(
    night, store, decoded
):
    asked = [night[3], night[0], night[3], night[5]]
    looks = look_at(asked, BOTH, store)
    assert [look.path for look in looks] == asked
    assert sorted(decoded) == [night[0], night[3], night[5]]


def test_an_unreadable_file_is_named_and_tried_again(night, store, decoded):
    broken = night[0].with_name("broken.fits")
    broken.write_bytes(b"SIMPLE")
    gone = night[0].with_name("gone.fits")
    looks = look_at([broken, night[0], gone], BOTH, store)
    assert [look.error for look in looks] == ["not FITS", "", "no such file"]
    assert [look.info is None for look in looks] == [True, False, True]
    assert (looks[0].tensor, looks[0].features) == (None, {})
    decoded.clear()
    broken.write_bytes(night[1].read_bytes())
    again = look_at([broken, night[0], gone], BOTH, store)
    assert sorted(decoded) == [broken, gone]
    assert [look.error for look in again] == ["", "", "no such file"]


def test_a_file_that_changes_while_it_is_read_is_no_frame_yet(night, store):
    def grow() -> None:
        night[0].write_bytes(night[0].read_bytes() + bytes(2880))

    (look,) = look_at(night[:1], Wanted(measure=CountingMeasure(grow)), store)
    assert (look.info, look.error) == (None, "it changes while it is read")
    (look,) = look_at(night[:1], Wanted(measure=CountingMeasure()), store)
    assert look.error == ""


@pytest.mark.parametrize("transform", [Robust(), TwoScale(), Published()])
def test_processes_see_what_threads_see(make_night, tmp_path, transform):
    """One of the transforms shares its first steps with measuring, the others do not."""
    folder = make_night("n", n=17)
    (folder / "table.fits").write_bytes(b"no frame")
    files = sorted(folder.glob("*.fits"))
    wanted = Wanted(transform, 32, AllFeatures())
    looks = [
        look_at(files, wanted, LookStore(tmp_path / name), workers=2, processes=name == "processes")
        for name in ("threads", "processes")
    ]
    assert looks[0][-1].error == "not FITS"
    assert all(equal(*pair) for pair in zip(*looks, strict=True))


def test_what_is_made_together_is_what_is_made_apart(night, tmp_path):
    wanted = Wanted(TwoScale(), 32, AllFeatures())
    together = look_at(night, wanted, LookStore(tmp_path / "together"))
    apart = LookStore(tmp_path / "apart")
    look_at(night, Wanted(TwoScale(), 32), apart)
    look_at(night, Wanted(measure=AllFeatures()), apart)
    kept = apart.read(night, wanted)
    assert all(equal(look, kept[look.path]) for look in together)


def test_progress_counts_to_the_end_and_what_is_kept_counts_at_once(night, store):
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    look_at(night[:4], BOTH, store, progress=progress)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    seen.clear()
    look_at([*night, night[0]], BOTH, store, progress=progress)
    assert seen == [(5, 6), (6, 6)]


def test_the_caller_does_something_once_while_the_first_files_are_read(night, store):
    begun = threading.Event()
    calls: list[int] = []

    def once_reading() -> None:
        calls.append(1)
        begun.set()

    measure = CountingMeasure(lambda: begun.wait(30) or pytest.fail("it waits for all files"))
    looks = look_at(night, Wanted(measure=measure), store, workers=1, once_reading=once_reading)
    assert len(looks) == 6
    assert calls == [1]
    look_at(night, Wanted(measure=measure), store, once_reading=once_reading)
    assert calls == [1, 1]  # also where nothing is left to be read


def test_an_interruption_leaves_undone_what_has_not_begun(tmp_path, decoded):
    files = write_night(tmp_path / "n", [Scene(stars=5)] * 20)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_at(files, FEATURES, LookStore(tmp_path / "cache"), workers=1, progress=interrupt)
    assert len(decoded) < 5


def test_several_callers_at_once_all_get_everything(night, tmp_path):
    stores = [LookStore(tmp_path / "cache") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda store: look_at(night, BOTH, store, workers=1), stores))
    for looks in results:
        assert all(equal(*pair) for pair in zip(looks, results[0], strict=True))


READ_ALL = """
import os, signal, sys
from pathlib import Path
from nightsift.look import reading
from nightsift.look.look import Wanted
from nightsift.look.measure import AllFeatures
from nightsift.look.store import LookStore
from nightsift.look.transforms.robust import Robust

folder, cache, stop_after = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
reading._BATCH = 5
sys.stdin.readline()

def progress(done, total):
    if done == stop_after:
        os.kill(os.getpid(), signal.SIGKILL)

looks = reading.look_at(
    sorted(folder.glob("*.fits")),
    Wanted(Robust(), 32, AllFeatures()),
    LookStore(cache),
    workers=1,
    progress=progress,
)
print(sum(look.tensor is not None and bool(look.features) for look in looks))
"""


def start(folder: Path, cache: Path, *, stop_after: int = -1) -> subprocess.Popen[str]:
    """A process that reads all files of a folder once it gets a line."""
    arguments = [sys.executable, "-c", READ_ALL, str(folder), str(cache), str(stop_after)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT
    )


def test_a_killed_run_goes_on_where_it_was(make_night, tmp_path, decoded):
    folder, cache = make_night("n", n=13), tmp_path / "cache"
    process = start(folder, cache, stop_after=12)
    process.communicate("go\n")
    assert process.returncode == -signal.SIGKILL
    files = sorted(folder.glob("*.fits"))
    looks = look_at(files, BOTH, LookStore(cache))
    assert len(decoded) == 3  # two batches of five were complete
    fresh = look_at(files, BOTH, LookStore(tmp_path / "fresh"))
    assert all(equal(*pair) for pair in zip(looks, fresh, strict=True))


def test_processes_that_fill_the_same_folder_together_lose_nothing(make_night, tmp_path, decoded):
    folder, cache = make_night("n", n=24), tmp_path / "cache"
    running = [start(folder, cache) for _ in range(3)]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert out == "24\n"
    files = sorted(folder.glob("*.fits"))
    looks = look_at(files, BOTH, LookStore(cache))
    assert decoded == []
    fresh = look_at(files, BOTH, LookStore(tmp_path / "fresh"))
    assert all(equal(*pair) for pair in zip(looks, fresh, strict=True))
    assert len(list(cache.rglob("*"))) == 2  # the folder and its database: nothing half-written


def test_many_more_files_than_a_batch_are_all_kept(tmp_path, decoded):
    files = write_night(tmp_path / "n", [Scene(stars=5)] * 3)
    many = [tmp_path / "n" / f"copy{i:03d}.fits" for i in range(70)]
    for i, path in enumerate(many):
        path.write_bytes(files[i % 3].read_bytes())
    measure = CountingMeasure()
    looks = look_at(many, Wanted(measure=measure), LookStore(tmp_path / "cache"))
    assert len(decoded) == len(measure.calls) == 70
    means = [read_frame(path).pixels.mean() for path in files]
    assert [look.features["mean"] for look in looks] == [means[i % 3] for i in range(70)]
