"""What a batch holds: frames, windows, whole nights; tensors are read as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nightsift.data.causes import cause_targets
from nightsift.data.changes import Planes
from nightsift.data.windows import centred_windows
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
    """Pixels of many frames that stay on disk until a part of them is asked for.

    Args:
        places: night and row of each frame.
    """

    def __init__(self, places: Sequence[tuple[Member, int]]) -> None:
        self.places = list(places)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, part: slice) -> Tensor:
        """(B, C, S, S) float32 of a part."""
        places = self.places[part]
        if not places:
            return torch.empty(0)
        runs = groupby(places, key=lambda place: place[0].number)
        pixels = []
        for _, run in runs:
            own = list(run)
            pixels.append(own[0][0].pixels(np.array([row for _, row in own])))
        return torch.from_numpy(np.concatenate(pixels))


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
        compared: (N,) how many other frames each was compared with.
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
    compared: Tensor
    files: tuple[str, ...] = ()

    def parts(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels and inputs, `size` frames at a time."""
        for start in range(0, len(self.labels), size):
            part = slice(start, start + size)
            yield self.frames[part], self.inputs[part]


class Member(NamedTuple):
    """One night as it is batched: numbers and labels, all (N, ...) in time order.

    Attributes:
        number: among the nights read together.
        night: the night.
        inputs: (N, F).
        causes: (N, K).
        labels: (N,).
        changes: gives the planes that a model sees of each frame; None for the frames' own.
    """

    number: int
    night: Night
    inputs: Floats
    causes: Floats
    labels: Floats
    changes: Planes | None = None

    def pixels(self, rows: npt.NDArray[np.intp]) -> Floats:
        """(B, C, S, S) what a model sees of the pixels of some frames."""
        if self.changes is not None:
            return self.changes.planes(rows)
        return read_tensors(self.night.looks[row].kept_tensor for row in rows)

    def frames(self, rows: npt.NDArray[np.intp], *, judged: bool = True) -> FrameBatch:
        """Some frames of the night; without their labels and causes where not `judged`."""
        labels = self.labels[rows] if judged else np.full(len(rows), UNLABELLED, np.float32)
        causes = self.causes[rows] if judged else np.full_like(self.causes[rows], UNLABELLED)
        return FrameBatch(
            torch.from_numpy(self.pixels(rows)),
            torch.from_numpy(self.inputs[rows]),
            torch.from_numpy(labels),
            torch.from_numpy(causes),
        )


def make_member(
    number: int,
    night: Night,
    inputs: Floats,
    causes: Sequence[str] = (),
    changes: Planes | None = None,
) -> Member:
    """A night ready to be batched.

    Args:
        number: among the nights read together.
        night: the night.
        inputs: (N, F) of `nightsift.data.inputs.InputSpec.compute`; F may be 0.
        causes: names that the cause head is taught.
        changes: as in `Member`.
    """
    targets = cause_targets(night.labels, causes)
    return Member(number, night, inputs, targets, night.label_values, changes)


def night_batch(member: Member, rows: npt.NDArray[np.intp], *, window: int) -> NightBatch:
    """Some frames of one night in time order; windows reach over these frames alone."""
    windows, mask = centred_windows(len(rows) if member.night.ordered else 0, window)
    files = member.night.files
    return NightBatch(
        StoredFrames([(member, int(row)) for row in rows]),
        torch.from_numpy(member.inputs[rows]),
        torch.from_numpy(member.labels[rows]),
        torch.from_numpy(member.causes[rows]),
        torch.from_numpy(windows),
        torch.from_numpy(mask),
        torch.full((len(rows),), member.number),
        torch.from_numpy(rows.astype(np.int64)),
        torch.from_numpy(member.night.compared_with[rows]),
        tuple(str(files[row]) for row in rows),
    )


def joined(batches: Sequence[NightBatch]) -> NightBatch:
    """Loose frames of several nights as one item."""
    places = [place for batch in batches for place in _places(batch)]
    columns = {
        name: torch.cat([getattr(batch, name) for batch in batches])
        for name in ("inputs", "labels", "causes", "windows", "mask", "night", "row", "compared")
    }
    files = tuple(file for batch in batches for file in batch.files)
    return NightBatch(frames=StoredFrames(places), **columns, files=files)


def _places(batch: NightBatch) -> list[tuple[Member, int]]:
    assert isinstance(batch.frames, StoredFrames)
    return batch.frames.places
