"""What a batch holds: frames, windows, whole nights; tensors are read as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

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


def joined(batches: Sequence[NightBatch]) -> NightBatch:
    """Loose frames of several nights as one item."""
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
