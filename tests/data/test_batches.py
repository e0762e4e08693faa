from __future__ import annotations

import pytest
import torch
from nightsift.data.cache import TensorCache
from nightsift.data.catalogue import Record

from nightsift.data.batches import (
    FrameDataset,
    RunSampler,
    WindowDataset,
    frame_loader,
    ordered_loader,
)
from nightsift.look.transforms.robust import Robust


@pytest.fixture
def loaded(make_night, tmp_path) -> tuple[TensorCache, list[Record]]:
    folder = make_night("n", n=14)
    cache = TensorCache(tmp_path / "cache", Robust(), img_size=32)
    files = [folder / f"f{i + 1}.fits" for i in range(14)]
    records = [Record(f.path, ref=f.ref, label=i % 2) for i, f in enumerate(cache.ensure(files))]
    records[5].label = None
    return cache, records


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("run_length", [1, 3, 4])
def test_windows_of_a_batch_share_frames_and_mean_the_same(loaded, run_length):
    cache, records = loaded
    tensors = torch.from_numpy(cache.read_many([r.ref for r in records]))
    dataset = WindowDataset(cache, [records], window=5)
    sampler = RunSampler([records], batch=4, run_length=run_length, generator=generator())
    centres = []
    for runs in sampler:
        batch = dataset[runs]
        assert len(batch.windows) <= 4
        centre_of = [c for run in runs for c in range(run.start, run.stop)]
        for row, centre in enumerate(centre_of):
            for step, offset in enumerate(range(-2, 3)):
                place = min(max(centre + offset, 0), 13)
                frame = batch.frames.frames[batch.windows[row, step]]
                assert torch.equal(frame, tensors[place])
                inside = 0 <= centre + offset < 14
                assert bool(batch.mask[row, step]) == inside
                label = records[place].label
                assert float(batch.labels[row, step]) == (-1 if label is None else label)
        centres += centre_of
        if run_length == 4:
            assert len(batch.frames.frames) <= 4 + 4 * len(runs)
    assert sorted(centres) == [i for i in range(14) if records[i].label is not None]


def test_runs_differ_between_seeds_and_repeat_within_one(loaded):
    _, records = loaded

    def runs(seed: int) -> list:
        return list(RunSampler([records], batch=4, run_length=3, generator=generator(seed)))

    assert runs(1) == runs(1)
    assert runs(1) != runs(2)


def test_fault_3_the_last_shorter_batch_keeps_its_own_frames(loaded):
    """Published: names are wrong in the last batch, 128 distinct ones for 142 files."""
    cache, records = loaded
    batches = list(ordered_loader(FrameDataset(cache, records), batch=4))
    assert [len(batch.frames) for batch in batches] == [4, 4, 4, 2]
    together = torch.cat([batch.frames for batch in batches])
    assert torch.equal(together, torch.from_numpy(cache.read_many([r.ref for r in records])))


def test_balanced_sampling_draws_both_classes_alike(loaded):
    cache, records = loaded
    rare = [records[1], *[r for r in records if r.label == 0]] * 40
    dataset = FrameDataset(cache, rare)
    loader = frame_loader(dataset, batch=32, balanced=True, generator=generator())
    labels = torch.cat([batch.labels for batch in loader])
    assert len(labels) == len(rare)
    assert float(labels.mean()) == pytest.approx(0.5, abs=0.1)
    plain = frame_loader(dataset, batch=32, balanced=False, generator=generator())
    assert float(torch.cat([batch.labels for batch in plain]).sum()) == 40
