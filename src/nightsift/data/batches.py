"""Batches of frames and of windows, read from the cache as they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from nightsift.data.cache import TensorCache
from nightsift.data.catalogue import Record
from nightsift.data.inputs import cause_targets
from nightsift.data.windows import centred_windows

UNLABELLED = -1.0


class FrameBatch(NamedTuple):
    """Frames with all that is known of each.

    Attributes:
        frames: (B, C, S, S) float32.
        inputs: (B, F) float32 measured numbers, NaN where missing; F is 0 for a model of
            pixels alone.
        labels: (B,) float32, 1 bad, 0 good, -1 unlabelled.
        causes: (B, C) float32, 1, 0 or -1 unknown for each of `nightsift.data.inputs.CAUSES`.
    """

    frames: Tensor
    inputs: Tensor
    labels: Tensor
    causes: Tensor


class WindowBatch(NamedTuple):
    """Windows over the distinct frames of the batch.

    Attributes:
        frames: the distinct frames.
        group: (U,) the run that each of them belongs to.
        windows: (W, T) rows of `frames`.
        labels: (W, T) of every step.
        mask: (W, T) False where padded.
    """

    frames: FrameBatch
    group: Tensor
    windows: Tensor
    labels: Tensor
    mask: Tensor


class Run(NamedTuple):
    """Windows centred on `start` ... `stop - 1` of one sequence."""

    sequence: int
    start: int
    stop: int


def label_tensor(records: Sequence[Record]) -> Tensor:
    """Labels of `records`, (N,) float32, -1 where unlabelled."""
    return torch.tensor([UNLABELLED if r.label is None else float(r.label) for r in records])


def frame_batch(cache: TensorCache, records: Sequence[Record]) -> FrameBatch:
    """The batch of `records`, all of them readable."""
    refs = [record.ref for record in records if record.ref is not None]
    return FrameBatch(
        torch.from_numpy(cache.read_many(refs)),
        torch.from_numpy(np.stack([record.inputs for record in records])),
        label_tensor(records),
        torch.tensor([cause_targets(record) for record in records]),
    )


class FrameDataset(Dataset[FrameBatch]):
    """Frames in the order given; an item is a whole batch, asked for by its indices."""

    def __init__(self, cache: TensorCache, records: Sequence[Record]) -> None:
        self.cache = cache
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, indices: Sequence[int]) -> FrameBatch:
        """The batch of `indices`."""
        return frame_batch(self.cache, [self.records[i] for i in indices])


class WindowDataset(Dataset[WindowBatch]):
    """Runs of consecutive windows; overlapping windows share their frames.

    Args:
        cache: where the tensors lie.
        sequences: records in time order, one list per night (or block of a night).
        window: frames per window, odd.
    """

    def __init__(
        self, cache: TensorCache, sequences: Sequence[Sequence[Record]], *, window: int
    ) -> None:
        self.cache = cache
        self.sequences = sequences
        self.half = window // 2
        self.windows = [centred_windows(len(records), window) for records in sequences]

    def __getitem__(self, runs: Sequence[Run]) -> WindowBatch:
        """The batch of `runs`."""
        frames: list[Record] = []
        group, windows, labels, mask = [], [], [], []
        used = 0
        for number, run in enumerate(runs):
            records = self.sequences[run.sequence]
            rows_of, inside = self.windows[run.sequence]
            first = max(0, run.start - self.half)
            chosen = records[first : run.stop + self.half]
            rows = torch.from_numpy(rows_of[run.start : run.stop] - first)
            frames += chosen
            group += [number] * len(chosen)
            windows.append(rows + used)
            labels.append(label_tensor(chosen)[rows])
            mask.append(torch.from_numpy(inside[run.start : run.stop]))
            used += len(chosen)
        return WindowBatch(
            frame_batch(self.cache, frames),
            torch.tensor(group),
            torch.cat(windows),
            torch.cat(labels),
            torch.cat(mask),
        )


class RunSampler(Sampler[list[Run]]):
    """Batches of runs in random order, cut anew from a random phase in every epoch.

    Only windows whose centre is labelled are drawn.

    Args:
        sequences: as for `WindowDataset`.
        batch: windows per batch.
        run_length: consecutive windows drawn together, 1 to `batch`.
        generator: of all draws.
    """

    def __init__(
        self,
        sequences: Sequence[Sequence[Record]],
        *,
        batch: int,
        run_length: int,
        generator: torch.Generator,
    ) -> None:
        self.spans = [
            span for i, records in enumerate(sequences) for span in _labelled_spans(i, records)
        ]
        self.batch = batch
        self.run_length = run_length
        phase = int(torch.randint(run_length, (1,), generator=generator))
        self.runs = [run for span in self.spans for run in self._cut(span, phase)]
        self.order = torch.randperm(len(self.runs), generator=generator).tolist()

    def _cut(self, span: Run, phase: int) -> list[Run]:
        cuts = [*range(span.start + phase, span.stop, self.run_length)]
        edges = sorted({span.start, *cuts, span.stop})
        return [Run(span.sequence, start, stop) for start, stop in pairwise(edges)]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[list[Run]]:
        batch: list[Run] = []
        for run in (self.runs[i] for i in self.order):
            if batch and sum(r.stop - r.start for r in [*batch, run]) > self.batch:
                yield batch
                batch = []
            batch.append(run)
        if batch:
            yield batch


def _labelled_spans(sequence: int, records: Sequence[Record]) -> list[Run]:
    """Stretches of consecutive labelled frames."""
    labelled = np.array([False, *(r.label is not None for r in records), False])
    edges = np.flatnonzero(labelled[1:] != labelled[:-1])
    return [Run(sequence, int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def frame_loader(
    dataset: FrameDataset, *, batch: int, balanced: bool, generator: torch.Generator
) -> DataLoader[FrameBatch]:
    """Shuffled training frames, or as many drawn with equal chance for either class.

    The order is drawn here and not when an iteration starts: Lightning starts one more
    iteration in an epoch that it does not resume.
    """
    count = len(dataset.records)
    order = torch.randperm(count, generator=generator)
    if balanced:
        labels = label_tensor(dataset.records).long()
        weights = 1.0 / torch.bincount(labels, minlength=2)[labels]
        order = torch.multinomial(weights, count, replacement=True, generator=generator)
    batches = [part.tolist() for part in torch.split(order, batch)]
    return batch_loader(dataset, batches, generator)


def batch_loader(
    dataset: Dataset[Any], batches: Iterable[Any], generator: torch.Generator
) -> DataLoader[Any]:
    """Loads whole batches; `generator` keeps the loader off torch's global random state."""
    return DataLoader(dataset, sampler=batches, batch_size=None, generator=generator)


def ordered_loader(dataset: FrameDataset, *, batch: int) -> DataLoader[FrameBatch]:
    """All frames once, in order."""
    chunks = [
        range(start, min(start + batch, len(dataset.records)))
        for start in range(0, len(dataset.records), batch)
    ]
    return DataLoader(dataset, sampler=chunks, batch_size=None)
