"""In which order training frames and windows are drawn; the same for every process and resume.

Orders are drawn anew in each epoch from the seed and the epoch's number, which Lightning sets with
`set_epoch`. Several processes draw the same batches and take turns: process r of w takes batches
r, r + w, ...; where they do not go round, an empty batch fills up. With w processes a step is
what one process does in w steps whose gradients are accumulated.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from nightsift.data.datasets import EMPTY_ITEM, Place, WindowRun
from nightsift.seeds import derived_seed

Item = TypeVar("Item")


class BatchSampler(DistributedSampler[Any], Generic[Item]):
    """Batches of one epoch, dealt to processes.

    It derives from torch's sampler so that Lightning and Accelerate know it for one that deals
    already.

    Args:
        length: batches per epoch of all processes together.
        seed: of all draws.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(self, length: int, *, seed: int = 0, rank: int = 0, world_size: int = 1) -> None:
        # Only its length counts: torch's sampler deals numbers from 0 to it.
        counted: Any = range(length)
        super().__init__(counted, num_replicas=world_size, rank=rank, seed=seed)
        self.length = length

    @abstractmethod
    def draw(self, generator: torch.Generator) -> list[list[Item]]:
        """All batches of an epoch, `length` of them."""

    def __len__(self) -> int:
        return -(-self.length // self.num_replicas)

    def __iter__(self) -> Iterator[list[Item]]:
        # Drawn with the first batch: a resumed Trainer makes the iterator, then sets the epoch.
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self.epoch))
        batches = self.draw(generator)
        batches += [[] for _ in range(len(self) * self.num_replicas - len(batches))]
        yield from batches[self.rank :: self.num_replicas]


class FrameSampler(BatchSampler[Place]):
    """Shuffled frames, or as many drawn with equal chance for either class.

    Args:
        places: of the labelled frames.
        labels: (N,) of them, 1 or 0.
        batch: frames per batch.
        balanced: draw both classes equally often, with replacement.
        arguments: of `BatchSampler`.
    """

    def __init__(
        self,
        places: Sequence[Place],
        labels: npt.NDArray[np.float32],
        *,
        batch: int,
        balanced: bool = False,
        **arguments: int,
    ) -> None:
        super().__init__(-(-len(places) // batch), **arguments)
        self.places = places
        self.labels = torch.from_numpy(labels).long()
        self.batch = batch
        self.balanced = balanced

    def draw(self, generator: torch.Generator) -> list[list[Place]]:
        """Shuffle, or draw with replacement."""
        count = len(self.places)
        if self.balanced:
            weights = 1.0 / torch.bincount(self.labels, minlength=2)[self.labels]
            order = torch.multinomial(weights, count, replacement=True, generator=generator)
        else:
            order = torch.randperm(count, generator=generator)
        return [[self.places[i] for i in part.tolist()] for part in torch.split(order, self.batch)]


class RunSampler(BatchSampler[WindowRun]):
    """Batches of runs in random order, cut anew from a random phase in every epoch.

    Only windows whose centre is labelled are drawn, each once; every batch but the last is
    full.

    Args:
        labels: of each sequence, (N,) 1, 0 or -1.
        batch: windows per batch.
        run_length: consecutive windows drawn together, 1 to `batch`.
        arguments: of `BatchSampler`.
    """

    def __init__(
        self,
        labels: Sequence[npt.NDArray[np.float32]],
        *,
        batch: int,
        run_length: int,
        **arguments: int,
    ) -> None:
        self.spans = [span for i, own in enumerate(labels) for span in _labelled_spans(i, own)]
        windows = sum(span.stop - span.start for span in self.spans)
        super().__init__(-(-windows // batch), **arguments)
        self.batch = batch
        self.run_length = run_length

    def draw(self, generator: torch.Generator) -> list[list[WindowRun]]:
        """Cut the labelled stretches into runs and deal them out."""
        phase = int(torch.randint(self.run_length, (1,), generator=generator))
        runs = [run for span in self.spans for run in self._cut(span, phase)]
        order = torch.randperm(len(runs), generator=generator).tolist()
        batches: list[list[WindowRun]] = []
        free = 0
        for sequence, start, stop in (runs[i] for i in order):
            first = start
            while first < stop:
                if not free:
                    batches.append([])
                    free = self.batch
                last = min(stop, first + free)
                batches[-1].append(WindowRun(sequence, first, last))
                free -= last - first
                first = last
        return batches

    def _cut(self, span: WindowRun, phase: int) -> list[WindowRun]:
        cuts = [*range(span.start + phase, span.stop, self.run_length)]
        edges = sorted({span.start, *cuts, span.stop})
        return [WindowRun(span.sequence, start, stop) for start, stop in pairwise(edges)]


class ItemSampler(DistributedSampler[Any], SequentialSampler):
    """All items in order, dealt to processes, none twice.

    Both bases are what Lightning asks for before it would replace a sampler. Every process gets the
    same count, since each step synchronises buffers: `EMPTY_ITEM` fills up.
    """

    def __iter__(self) -> Iterator[int]:
        mine = range(self.rank, len(self) * self.num_replicas, self.num_replicas)
        count = len(self.dataset)  # type: ignore[arg-type]
        return (index if index < count else EMPTY_ITEM for index in mine)

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.num_replicas)  # type: ignore[arg-type]


class FixedBatches(DistributedSampler[Any], SequentialSampler):
    """The batches of the first epoch, the same in every epoch: what `overfit_batches` wants.

    Its bases are those of `ItemSampler`, for the same reason.
    """

    def __init__(self, sampler: BatchSampler[Any]) -> None:
        self.batches = list(sampler)
        counted: Any = range(len(self.batches))
        super().__init__(counted, num_replicas=1, rank=0)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


def _labelled_spans(sequence: int, labels: npt.NDArray[np.float32]) -> list[WindowRun]:
    """Stretches of consecutive labelled frames."""
    labelled = np.concatenate([[False], labels >= 0, [False]])
    edges = np.flatnonzero(labelled[1:] != labelled[:-1])
    return [
        WindowRun(sequence, int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]
