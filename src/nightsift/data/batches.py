"""Batches of frames, of windows, and whole nights; tensors are read as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from nightsift.data.causes import cause_targets
from nightsift.data.windows import centred_windows
from nightsift.look.look import Look, TensorRef
from nightsift.look.store import read_tensors
from nightsift.night.night import UNLABELLED, Night

Floats = npt.NDArray[np.float32]


class FrameBatch(NamedTuple):
    """Frames with all that is known of each.

    Attributes:
        frames: (B, C, S, S) float32.
        inputs: (B, F) float32 numbers beside the pixels, NaN where missing; F may be 0.
        labels: (B,) float32, 1 bad, 0 good, -1 unlabelled.
        causes: (B, K) float32, 1, 0 or -1 unknown for each cause that the model names; K may
            be 0.
    """

    frames: Tensor
    inputs: Tensor
    labels: Tensor
    causes: Tensor


class WindowBatch(NamedTuple):
    """Windows over the distinct frames of the batch.

    Attributes:
        frames: the distinct frames; unlabelled for the frame head where it learns from batches
            of its own.
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


class StoredFrames:
    """Tensors of many frames that stay on disk until a part of them is asked for.

    Args:
        refs: where they are kept.
    """

    def __init__(self, refs: Sequence[TensorRef]) -> None:
        self.refs = list(refs)

    def __len__(self) -> int:
        return len(self.refs)

    def __getitem__(self, part: slice) -> Tensor:
        """(B, C, S, S) float32 of a part."""
        refs = self.refs[part]
        return torch.from_numpy(read_tensors(refs)) if refs else torch.empty(0)


class NightBatch(NamedTuple):
    """The frames of one night, or of one part of it; or loose frames, without windows.

    Attributes:
        frames: (N, C, S, S) float32, or as many on disk: to be taken in slices.
        inputs: (N, F), as in `FrameBatch`; likewise the next two.
        labels: (N,).
        causes: (N, K).
        windows: (N, T) window of each frame as rows of the night; (0, T) without windows.
        mask: (N, T) or (0, T), False where padded.
        night: (N,) number of each frame's night among those read together.
        row: (N,) number of each frame in its night.
        files: paths as given, one per frame.
    """

    frames: Tensor | StoredFrames
    inputs: Tensor
    labels: Tensor
    causes: Tensor
    windows: Tensor
    mask: Tensor
    night: Tensor
    row: Tensor
    files: tuple[str, ...] = ()

    def parts(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels and inputs, `size` frames at a time."""
        for start in range(0, len(self.labels), size):
            part = slice(start, start + size)
            yield self.frames[part], self.inputs[part]


class Member(NamedTuple):
    """One night as it is batched: tensors, numbers, labels, all (N, ...) in time order."""

    number: int
    night: Night
    inputs: Floats
    causes: Floats
    labels: Floats

    def refs(self, rows: npt.NDArray[np.intp]) -> list[TensorRef]:
        """Where the tensors of some frames are kept."""
        return [_ref(self.night.looks[row]) for row in rows]

    def frames(self, rows: npt.NDArray[np.intp], *, judged: bool = True) -> FrameBatch:
        """Some frames of the night; without their labels and causes where not `judged`."""
        labels = self.labels[rows] if judged else np.full(len(rows), UNLABELLED, np.float32)
        causes = self.causes[rows] if judged else np.full_like(self.causes[rows], UNLABELLED)
        return FrameBatch(
            torch.from_numpy(read_tensors(self.refs(rows))),
            torch.from_numpy(self.inputs[rows]),
            torch.from_numpy(labels),
            torch.from_numpy(causes),
        )


def _ref(look: Look) -> TensorRef:
    if look.tensor is None:
        raise ValueError(f"{look.path}: no tensor was wanted when it was read")
    return look.tensor


def make_member(number: int, night: Night, inputs: Floats, causes: Sequence[str] = ()) -> Member:
    """A night ready to be batched.

    Args:
        number: among the nights read together.
        night: the night.
        inputs: (N, F) of `nightsift.data.inputs.InputSpec.compute`; F may be 0.
        causes: names that the cause head is taught.
    """
    return Member(number, night, inputs, cause_targets(night.labels, causes), night.label_values)


def night_batch(member: Member, rows: npt.NDArray[np.intp], *, window: int) -> NightBatch:
    """Some frames of one night in time order; windows reach over these frames alone."""
    windows, mask = centred_windows(len(rows) if member.night.ordered else 0, window)
    files = member.night.files
    return NightBatch(
        StoredFrames(member.refs(rows)),
        torch.from_numpy(member.inputs[rows]),
        torch.from_numpy(member.labels[rows]),
        torch.from_numpy(member.causes[rows]),
        torch.from_numpy(windows),
        torch.from_numpy(mask),
        torch.full((len(rows),), member.number),
        torch.from_numpy(rows.astype(np.int64)),
        tuple(str(files[row]) for row in rows),
    )


class NightDataset(Dataset[NightBatch]):
    """One item per night; loose frames are joined to items of a useful size.

    Args:
        parts: nights and the rows of each that count, none of them empty.
        window: frames per window, odd.
        loose: so many loose frames, at most, are one item.
    """

    def __init__(
        self, parts: Sequence[tuple[Member, npt.NDArray[np.intp]]], *, window: int, loose: int = 256
    ) -> None:
        self.window = window
        self.items: list[list[tuple[Member, npt.NDArray[np.intp]]]] = []
        size = 0
        for member, rows in parts:
            joined = self.items and not member.night.ordered and 0 < size <= loose - len(rows)
            if joined:
                self.items[-1].append((member, rows))
            else:
                self.items.append([(member, rows)])
                size = 0
            size = 0 if member.night.ordered else size + len(rows)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> NightBatch:
        """One night, or some loose frames; beyond the last an item without frames."""
        if index >= len(self.items):
            return night_batch(self.items[0][0][0], np.empty(0, np.intp), window=self.window)
        batches = [night_batch(*part, window=self.window) for part in self.items[index]]
        return batches[0] if len(batches) == 1 else _joined(batches)


def _joined(batches: Sequence[NightBatch]) -> NightBatch:
    refs = [ref for batch in batches for ref in _refs(batch)]
    columns = {
        name: torch.cat([getattr(batch, name) for batch in batches])
        for name in ("inputs", "labels", "causes", "windows", "mask", "night", "row")
    }
    files = tuple(file for batch in batches for file in batch.files)
    return NightBatch(frames=StoredFrames(refs), **columns, files=files)


def _refs(batch: NightBatch) -> list[TensorRef]:
    assert isinstance(batch.frames, StoredFrames)
    return batch.frames.refs


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


class Run(NamedTuple):
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
        sequences: Sequence[tuple[Member, npt.NDArray[np.intp]]],
        *,
        window: int,
        judged: bool = False,
    ) -> None:
        self.sequences = sequences
        self.half = window // 2
        self.judged = judged
        self.windows = [centred_windows(len(rows), window) for _, rows in sequences]

    def __getitem__(self, runs: Sequence[Run]) -> WindowBatch | None:
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
