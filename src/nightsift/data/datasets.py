"""Datasets whose items are whole batches, asked for by the places of their frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from nightsift.data.batches import (
    FrameBatch,
    Member,
    NightBatch,
    WindowBatch,
    joined,
    night_batch,
)
from nightsift.data.windows import centred_windows

Rows = npt.NDArray[np.intp]

# The index of an item without frames: what a process gets that has no night left.
EMPTY_ITEM = -1


class NightDataset(Dataset[NightBatch]):
    """One item per night; loose frames are joined to items of a useful size.

    Args:
        parts: nights and the rows of each that count, none of them empty.
        window: frames per window, odd.
        loose: so many loose frames, at most, are one item.
    """

    def __init__(
        self, parts: Sequence[tuple[Member, Rows]], *, window: int, loose: int = 256
    ) -> None:
        self.window = window
        self.items: list[list[tuple[Member, Rows]]] = []
        size = 0
        for member, rows in parts:
            fits = self.items and not member.night.ordered and 0 < size <= loose - len(rows)
            if fits:
                self.items[-1].append((member, rows))
            else:
                self.items.append([(member, rows)])
                size = 0
            size = 0 if member.night.ordered else size + len(rows)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> NightBatch:
        """One night, or some loose frames; for `EMPTY_ITEM` an item without frames."""
        if index == EMPTY_ITEM:
            return night_batch(self.items[0][0][0], np.empty(0, np.intp), window=self.window)
        batches = [night_batch(*part, window=self.window) for part in self.items[index]]
        return batches[0] if len(batches) == 1 else joined(batches)


class Place(NamedTuple):
    """One frame: number of its night in the list at hand, and row in it."""

    member: int
    row: int


class FrameDataset(Dataset["FrameBatch | None"]):
    """Frames of several nights; an item is a whole batch, asked for by its places.

    Args:
        members: the nights.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members

    def __getitem__(self, places: Sequence[Place]) -> FrameBatch | None:
        """The batch of `places`, or None for none."""
        if not places:
            return None
        single = [self.members[m].frames(np.array([row])) for m, row in places]
        return FrameBatch(*(torch.cat(column) for column in zip(*single, strict=True)))


class WindowRun(NamedTuple):
    """Windows centred on `start` ... `stop - 1` of one sequence."""

    sequence: int
    start: int
    stop: int


class WindowDataset(Dataset["WindowBatch | None"]):
    """Runs of consecutive windows; overlapping windows share their frames.

    Args:
        sequences: nights and the rows of each that belong together, in time order.
        window: frames per window, odd.
        judged: whether the frame head learns from these frames too.
    """

    def __init__(
        self,
        sequences: Sequence[tuple[Member, Rows]],
        *,
        window: int,
        judged: bool = False,
    ) -> None:
        self.sequences = sequences
        self.half = window // 2
        self.judged = judged
        self.windows = [centred_windows(len(rows), window) for _, rows in sequences]

    def __getitem__(self, runs: Sequence[WindowRun]) -> WindowBatch | None:
        """The batch of `runs`, or None for none."""
        if not runs:
            return None
        frames: list[FrameBatch] = []
        group, windows, labels, mask = [], [], [], []
        used = 0
        for number, run in enumerate(runs):
            member, members_rows = self.sequences[run.sequence]
            rows_of, inside = self.windows[run.sequence]
            first = max(0, run.start - self.half)
            chosen = members_rows[first : run.stop + self.half]
            rows = torch.from_numpy(rows_of[run.start : run.stop] - first)
            frames.append(member.frames(chosen, judged=self.judged))
            group += [number] * len(chosen)
            windows.append(rows + used)
            labels.append(torch.from_numpy(member.labels[chosen])[rows])
            mask.append(torch.from_numpy(inside[run.start : run.stop]))
            used += len(chosen)
        return WindowBatch(
            FrameBatch(*(torch.cat(column) for column in zip(*frames, strict=True))),
            torch.tensor(group),
            torch.cat(windows),
            torch.cat(labels),
            torch.cat(mask),
        )
