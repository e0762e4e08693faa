"""Loaders over the frames and windows of some nights, as each process draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader, Dataset

from nightsift.data.batches import Member, NightBatch
from nightsift.data.datasets import FrameDataset, NightDataset, Place, Rows, WindowDataset
from nightsift.data.samplers import (
    BatchSampler,
    FixedBatches,
    FrameSampler,
    ItemSampler,
    RunSampler,
)
from nightsift.data.windows import check_window

# A night and the rows of it that count, at least one.
Part = tuple[Member, Rows]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How training batches are drawn; the arguments of that name of `NightsDataModule`."""

    window: int
    frame_batch: int
    seq_batch: int
    run_length: int
    frames: Literal["all", "mixed"]
    sampler: Literal["plain", "balanced"]
    seed: int

    def __post_init__(self) -> None:
        check_window(self.window)
        if min(self.frame_batch, self.seq_batch) < 1 or not 1 <= self.run_length <= self.seq_batch:
            raise ValueError(
                "data.frame_batch and data.seq_batch must be >= 1, data.run_length 1 to seq_batch"
            )
        if self.frames not in ("all", "mixed"):
            raise ValueError(f"data.frames must be all or mixed, got {self.frames!r}")
        if self.sampler not in ("plain", "balanced"):
            raise ValueError(f"data.sampler must be plain or balanced, got {self.sampler!r}")


class Share(NamedTuple):
    """Which of the processes this is, and how many there are."""

    rank: int = 0
    world_size: int = 1


def training_loaders(
    parts: Sequence[Part], drawing: Drawing, share: Share, *, fixed: bool
) -> dict[str, DataLoader[Any]]:
    """Loaders `frames` and `windows`; one that has nothing to draw is left out.

    Args:
        parts: what is trained on.
        drawing: how.
        share: the share of the batches that is this process's.
        fixed: the same batches in every epoch.
    """
    drawn = [p for p in parts if drawing.frames == "all" or not p[0].night.ordered]
    sequences = [p for p in parts if p[0].night.ordered and (labels_of([p]) >= 0).any()]
    made = {
        "frames": _frames(drawn, drawing, share),
        "windows": _windows(sequences, drawing, share),
    }
    return {
        name: DataLoader(
            dataset, sampler=FixedBatches(sampler) if fixed else sampler, batch_size=None
        )
        for name, (dataset, sampler) in made.items()
        if sampler.length
    }


def _frames(
    parts: Sequence[Part], drawing: Drawing, share: Share
) -> tuple[Dataset[Any], BatchSampler[Place]]:
    places = [
        Place(number, int(row))
        for number, (member, rows) in enumerate(parts)
        for row in rows[member.labels[rows] >= 0]
    ]
    labels = labels_of(parts)
    sampler = FrameSampler(
        places,
        labels[labels >= 0],
        batch=drawing.frame_batch,
        balanced=drawing.sampler == "balanced",
        seed=2 * drawing.seed,
        **share._asdict(),
    )
    return FrameDataset([member for member, _ in parts]), sampler


def _windows(
    parts: Sequence[Part], drawing: Drawing, share: Share
) -> tuple[Dataset[Any], BatchSampler[Any]]:
    sampler = RunSampler(
        [labels_of([part]) for part in parts],
        batch=drawing.seq_batch,
        run_length=drawing.run_length,
        seed=2 * drawing.seed + 1,
        **share._asdict(),
    )
    dataset = WindowDataset(parts, window=drawing.window, judged=drawing.frames == "mixed")
    return dataset, sampler


def night_loader(parts: Sequence[Part], window: int, share: Share) -> DataLoader[NightBatch]:
    """Whole nights in order, dealt to processes; loose frames are joined to useful batches."""
    dataset = NightDataset(parts, window=window)
    sampler = None
    if share.world_size > 1:
        sampler = ItemSampler(dataset, num_replicas=share.world_size, rank=share.rank)
    return DataLoader(dataset, sampler=sampler, batch_size=None)


def labels_of(parts: Sequence[Part]) -> npt.NDArray[np.float32]:
    """(N,) labels of all rows, part after part."""
    return np.concatenate(
        [*(member.labels[rows] for member, rows in parts), np.empty(0, np.float32)]
    )
