"""Batches hold the frames, numbers and labels that belong together, whatever their size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nightsift.data.batches import Member, make_member, night_batch
from nightsift.data.datasets import (
    EMPTY_ITEM,
    FrameDataset,
    NightDataset,
    Place,
    WindowDataset,
    WindowRun,
)
from nightsift.data.samplers import RunSampler
from nightsift.look.look import Wanted
from nightsift.look.store import read_tensors
from nightsift.look.transforms.robust import Robust
from values import read

N = 14
CAUSES = ["cloud", "streak"]


@pytest.fixture
def member(make_night, tmp_path) -> Member:
    """Fourteen frames, every third bad, the sixth unlabelled; three numbers per frame."""
    folder = make_night("n", n=N, bad=set(range(0, N, 3)), unlabelled={5})
    wanted = Wanted(Robust(), 32)
    (night,) = read(tmp_path / "cache", wanted, seq_dirs=[folder]).nights
    inputs = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    return make_member(4, night, inputs, CAUSES)


@pytest.fixture
def loose(make_night, tmp_path) -> list[Member]:
    """Seven units of one loose frame each."""
    from astropy.io import fits

    folder = make_night("m", n=7, bad={2})
    for path in folder.glob("*.fits"):
        fits.delval(path, "DATE-OBS")
    nights = read(tmp_path / "cache", Wanted(Robust(), 32), mixed_dirs=[folder]).nights
    empty = np.empty((1, 3), np.float32)
    return [make_member(i, night, empty + i, CAUSES) for i, night in enumerate(nights)]


def tensors(member: Member) -> torch.Tensor:
    refs = [look.tensor for look in member.night.looks if look.tensor is not None]
    return torch.from_numpy(read_tensors(refs))


@pytest.mark.parametrize("run_length", [1, 3, 4])
@pytest.mark.parametrize("rows", [np.arange(N), np.arange(3, 12)], ids=["night", "part"])
def test_windows_of_a_batch_share_frames_and_mean_the_same(member, run_length, rows):
    frames, last = tensors(member)[rows], len(rows) - 1
    dataset = WindowDataset([(member, rows)], window=5)
    own = member.labels[rows]
    centres = []
    for runs in RunSampler([own], batch=4, run_length=run_length):
        batch = dataset[runs]
        centre_of = [c for run in runs for c in range(run.start, run.stop)]
        assert len(batch.windows) == len(centre_of) <= 4
        for number, centre in enumerate(centre_of):
            for step, offset in enumerate(range(-2, 3)):
                place = min(max(centre + offset, 0), last)
                index = batch.windows[number, step]
                assert torch.equal(batch.frames.frames[index], frames[place])
                np.testing.assert_array_equal(
                    batch.frames.inputs[index], member.inputs[rows[place]]
                )
                assert bool(batch.mask[number, step]) == (0 <= centre + offset <= last)
                assert float(batch.labels[number, step]) == own[place]
        # Frames of a run are changed alike when they are augmented.
        sizes = [min(run.stop + 2, last + 1) - max(run.start - 2, 0) for run in runs]
        assert batch.group.tolist() == [i for i, size in enumerate(sizes) for _ in range(size)]
        assert len(batch.frames.frames) == sum(sizes)
        centres += centre_of
    assert sorted(centres) == [i for i in range(len(rows)) if own[i] >= 0]


def test_frames_of_windows_are_judged_only_where_the_frame_head_learns_from_them(member):
    runs = [WindowRun(0, 2, 6)]
    rows = np.arange(N)
    plain = WindowDataset([(member, rows)], window=5)[runs].frames
    judged = WindowDataset([(member, rows)], window=5, judged=True)[runs].frames
    assert torch.equal(plain.frames, judged.frames)
    assert plain.labels.tolist() == [-1] * 8
    assert (plain.causes == -1).all()
    np.testing.assert_array_equal(judged.labels, member.labels[:8])
    np.testing.assert_array_equal(judged.causes, member.causes[:8])
    assert member.labels[3] == 1  # nothing was written into the night


def test_windows_of_several_sequences_do_not_mix(member):
    parts = [(member, np.arange(0, 6)), (member, np.arange(8, N))]
    batch = WindowDataset(parts, window=3)[[WindowRun(1, 0, 2), WindowRun(0, 5, 6)]]
    frames = tensors(member)
    expected = [[8, 8, 9], [8, 9, 10], [4, 5, 5]]
    for window, places in zip(batch.windows, expected, strict=True):
        for index, place in zip(window, places, strict=True):
            assert torch.equal(batch.frames.frames[index], frames[place])
    assert batch.mask.tolist() == [[False, True, True], [True] * 3, [True, True, False]]


def test_a_batch_of_frames_holds_what_its_places_name(member, loose):
    dataset = FrameDataset([member, *loose])
    places = [Place(0, 9), Place(3, 0), Place(0, 1), Place(0, 9)]
    batch = dataset[places]
    frames = [tensors(member)[9], tensors(loose[2])[0], tensors(member)[1], tensors(member)[9]]
    assert torch.equal(batch.frames, torch.stack(frames))
    assert batch.labels.tolist() == [1, 1, 0, 1]
    np.testing.assert_array_equal(batch.inputs[1], loose[2].inputs[0])
    np.testing.assert_array_equal(batch.inputs[2], member.inputs[1])
    assert batch.causes.shape == (4, 2)


def test_an_empty_batch_is_none(member):
    """Processes that have no batch left must tell so."""
    assert FrameDataset([member])[[]] is None
    assert WindowDataset([(member, np.arange(N))], window=5)[[]] is None


def test_fault_3_the_last_shorter_batch_keeps_its_own_frames(member):
    """Published: names are wrong in the last batch, 128 distinct ones for 142 files."""
    batch = night_batch(member, np.arange(N), window=5)
    parts = list(batch.parts(4))
    assert [len(pixels) for pixels, _ in parts] == [4, 4, 4, 2]
    assert torch.equal(torch.cat([pixels for pixels, _ in parts]), tensors(member))
    assert torch.equal(torch.cat([inputs for _, inputs in parts]), batch.inputs)
    assert batch.files == tuple(str(path) for path in member.night.files)
    assert len(set(batch.files)) == N


def test_a_part_of_a_night_has_windows_over_its_own_frames(member):
    rows = np.arange(3, 10)
    batch = night_batch(member, rows, window=3)
    np.testing.assert_array_equal(batch.row, rows)
    assert batch.night.tolist() == [4] * 7
    np.testing.assert_array_equal(batch.labels, member.labels[rows])
    np.testing.assert_array_equal(batch.inputs, member.inputs[rows])
    assert batch.windows.tolist()[:2] == [[0, 0, 1], [0, 1, 2]]
    assert batch.mask.tolist()[-1] == [True, True, False]
    assert torch.equal(batch.frames[2:4], tensors(member)[5:7])
    assert len(batch.frames) == 7


def test_an_item_is_a_night_and_loose_frames_are_joined(member, loose):
    parts = [(one, np.arange(1)) for one in loose[:5]]
    parts += [(member, np.arange(N))]
    parts += [(one, np.arange(1)) for one in loose[5:]]
    dataset = NightDataset(parts, window=3, loose=3)
    items = [dataset[i] for i in range(len(dataset))]
    assert [len(item.labels) for item in items] == [3, 2, N, 2]
    assert [len(item.windows) for item in items] == [0, 0, N, 0]
    assert items[0].windows.shape == (0, 3)
    assert items[1].night.tolist() == [3, 4]
    assert [file for item in items for file in item.files] == [
        str(one.night.files[row]) for one, rows in parts for row in rows
    ]
    assert torch.equal(items[0].frames[0:3], torch.cat([tensors(one) for one in loose[:3]]))
    assert items[0].inputs[:, 0].tolist() == [float(one.inputs[0, 0]) for one in loose[:3]]


def test_a_process_without_a_night_left_gets_no_frames(member):
    dataset = NightDataset([(member, np.arange(N))], window=3)
    assert len(list(dataset)) == 1
    empty = dataset[EMPTY_ITEM]
    assert len(empty.labels) == len(empty.frames) == len(empty.files) == 0
    assert empty.inputs.shape == (0, 3)
    assert empty.windows.shape == (0, 3)
    assert list(empty.parts(4)) == []


def test_a_night_that_was_read_without_tensors_is_named(make_night, tmp_path):
    (night,) = read(tmp_path / "cache", seq_dirs=[make_night("n", n=2)]).nights
    member = make_member(0, night, np.empty((2, 0), np.float32))
    batch = night_batch(member, np.arange(2), window=3)
    with pytest.raises(ValueError, match=r"f1\.fits: no tensor was wanted when it was read"):
        batch.frames[0:1]


class FixedPlanes:
    """Planes that hold the number of their frame."""

    def planes(self, rows: np.ndarray) -> np.ndarray:
        return np.broadcast_to(rows[:, None, None, None], (len(rows), 5, 8, 8)).astype(np.float32)


def test_changes_stand_in_for_the_frames_own_planes(member, loose):
    changed = make_member(4, member.night, member.inputs, CAUSES, FixedPlanes())
    rows = np.array([9, 1, 9])
    assert changed.frames(rows).frames[:, 0, 0, 0].tolist() == [9, 1, 9]
    night = night_batch(changed, np.arange(3, 12), window=3)
    assert night.frames[2:5].shape == (3, 5, 8, 8)
    assert night.frames[2:5][:, 4, 7, 7].tolist() == [5, 6, 7]
    windows = WindowDataset([(changed, np.arange(N))], window=3)[[WindowRun(0, 5, 7)]]
    assert windows.frames.frames[windows.windows[0], 0, 0, 0].tolist() == [4, 5, 6]


def test_a_batch_says_how_many_frames_each_was_compared_with(member, loose):
    batch = night_batch(member, np.arange(3, 10), window=3)
    np.testing.assert_array_equal(batch.compared, member.night.compared_with[3:10])
    items = NightDataset([(one, np.arange(1)) for one in loose], window=3, loose=7)
    assert items[0].compared.tolist() == [0] * 7
