"""Orders of an epoch: drawn from seed and epoch alone, dealt to processes without a rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DistributedSampler, SequentialSampler

from nightsift.data.datasets import EMPTY_ITEM, Place, WindowRun
from nightsift.data.samplers import (
    BatchSampler,
    FixedBatches,
    FrameSampler,
    ItemSampler,
    RunSampler,
)

PLACES = [Place(i % 3, i // 3) for i in range(50)]
LABELS = np.array([i % 7 == 0 for i in range(50)], dtype=np.float32)
# Three nights: unlabelled frames inside, at the ends, alone; one without any label.
NIGHTS = [
    np.array([0, 1, 1, -1, 0, 0, 0, 1, -1, -1, 0, 0], dtype=np.float32),
    np.array([-1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, -1], dtype=np.float32),
    np.array([-1, -1, -1], dtype=np.float32),
    np.array([1], dtype=np.float32),
]
WINDOWS = {(i, j) for i, own in enumerate(NIGHTS) for j in range(len(own)) if own[j] >= 0}


def frames(**arguments: Any) -> FrameSampler:
    return FrameSampler(PLACES, LABELS, batch=8, **arguments)


def balanced(**arguments: Any) -> FrameSampler:
    return FrameSampler(PLACES, LABELS, batch=8, balanced=True, **arguments)


def runs(**arguments: Any) -> RunSampler:
    return RunSampler(NIGHTS, batch=4, run_length=3, **arguments)


ALL = pytest.mark.parametrize("make", [frames, balanced, runs])
Make = Callable[..., BatchSampler[Any]]


def epoch(sampler: BatchSampler[Any], number: int = 0) -> list[Any]:
    sampler.set_epoch(number)
    return list(sampler)


@ALL
def test_another_epoch_or_seed_is_another_order_and_the_same_one_the_same(make: Make):
    sampler = make()
    first = epoch(sampler)
    assert epoch(sampler) == first
    assert epoch(make()) == first
    assert all(epoch(sampler, number) != first for number in (1, 2, 3))
    assert epoch(make(), 2) == epoch(sampler, 2)
    assert epoch(make(seed=1)) != first
    assert epoch(sampler) == first


@ALL
def test_the_epoch_counts_when_the_first_batch_is_drawn(make: Make):
    """A Trainer that resumes sets the epoch after it has asked for an iterator."""
    sampler = make()
    iterator = iter(sampler)
    sampler.set_epoch(5)
    assert list(iterator) == epoch(make(), 5)


@ALL
@pytest.mark.parametrize("world", [1, 2, 3, 4, 5, 16])
def test_processes_together_draw_each_batch_of_one_process_exactly_once(make: Make, world: int):
    for number in (0, 3):
        whole = epoch(make(), number)
        samplers = [make(rank=rank, world_size=world) for rank in range(world)]
        dealt = [epoch(sampler, number) for sampler in samplers]
        assert {len(own) for own in dealt} == {len(samplers[0])} == {-(-len(whole) // world)}
        together = [dealt[i % world][i // world] for i in range(world * len(samplers[0]))]
        assert together[: len(whole)] == whole
        assert all(batch == [] for batch in together[len(whole) :])


def test_every_frame_is_drawn_once_and_every_batch_but_the_last_is_full():
    for number in range(3):
        batches = epoch(frames(), number)
        assert [len(batch) for batch in batches] == [8] * 6 + [2]
        assert sorted(place for batch in batches for place in batch) == sorted(PLACES)


def test_balanced_sampling_draws_both_classes_alike():
    places = [Place(0, i) for i in range(400)]
    labels = np.array([i % 40 == 0 for i in range(400)], dtype=np.float32)
    drawn = {
        name: [
            float(labels[place.row])
            for number in range(5)
            for batch in epoch(FrameSampler(places, labels, batch=32, balanced=name), number)
            for place in batch
        ]
        for name in (True, False)
    }
    assert len(drawn[True]) == len(drawn[False]) == 2000
    assert np.mean(drawn[True]) == pytest.approx(0.5, abs=0.04)
    assert sum(drawn[False]) == 5 * 10


@pytest.mark.parametrize("run_length", [1, 2, 3, 4])
@pytest.mark.parametrize("number", range(4))
def test_every_labelled_window_is_drawn_once_in_full_batches(run_length: int, number: int):
    batches = epoch(RunSampler(NIGHTS, batch=4, run_length=run_length), number)
    sizes = [sum(run.stop - run.start for run in batch) for batch in batches]
    assert sizes == [4] * (len(WINDOWS) // 4) + ([len(WINDOWS) % 4] if len(WINDOWS) % 4 else [])
    every = [run for batch in batches for run in batch]
    assert all(0 < run.stop - run.start <= run_length for run in every)
    drawn = Counter((run.sequence, i) for run in every for i in range(run.start, run.stop))
    assert drawn == Counter(WINDOWS)


def test_runs_are_cut_elsewhere_in_another_epoch():
    sampler = RunSampler([np.zeros(60, np.float32)], batch=6, run_length=6)
    starts = [
        min(run.start for batch in epoch(sampler, number) for run in batch if run.start) % 6
        for number in range(12)
    ]
    assert len(set(starts)) > 2


@ALL
def test_lightning_knows_the_samplers_for_such_that_deal_already(make: Make):
    assert isinstance(make(), DistributedSampler)
    assert isinstance(FixedBatches(make()), SequentialSampler)


@ALL
def test_fixed_batches_are_those_of_the_first_epoch_in_every_epoch(make: Make):
    sampler = make(rank=1, world_size=2)
    fixed = FixedBatches(sampler)
    first = list(fixed)
    sampler.set_epoch(7)
    assert list(fixed) == first == epoch(make(rank=1, world_size=2))
    assert len(fixed) == len(first)


@pytest.mark.parametrize("world", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_items_are_dealt_once_and_each_process_gets_the_same_count(world: int, count: int):
    dataset: Any = range(count)
    samplers = [ItemSampler(dataset, num_replicas=world, rank=rank) for rank in range(world)]
    dealt = [list(sampler) for sampler in samplers]
    assert {len(own) for own in dealt} == {len(samplers[0])} == {-(-count // world)}
    every = sorted(index for own in dealt for index in own)
    assert [index for index in every if index != EMPTY_ITEM] == list(range(count))
    nights = [[index for index in own if index != EMPTY_ITEM] for own in dealt]
    assert all(own == sorted(own) for own in nights)


def test_a_run_is_a_stretch_of_one_night():
    (batch,) = RunSampler([np.zeros(3, np.float32)], batch=9, run_length=9)
    assert sorted(batch) in (
        [WindowRun(0, 0, 3)],
        [WindowRun(0, 0, 1), WindowRun(0, 1, 3)],
        [WindowRun(0, 0, 2), WindowRun(0, 2, 3)],
    )
