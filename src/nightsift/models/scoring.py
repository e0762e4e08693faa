"""Both heads over whole nights: each frame is encoded once, windows share the embeddings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nightsift.models.contract import JointModel, check_planes
from nightsift.models.reading import Probabilities, Reading

# Windows go through the GRU in slices of this many, which bounds memory on long nights.
_WINDOWS_PER_STEP = 64


class HeadProbabilities(NamedTuple):
    """Probabilities for N frames.

    Attributes:
        prob_frame: of *bad*, (N,).
        prob_seq: of *bad*, (N,); NaN without a window.
        prob_bad: fused, (N,).
        prob_cause: of each cause that the model names, (N, C).
    """

    prob_frame: npt.NDArray[np.float64]
    prob_seq: npt.NDArray[np.float64]
    prob_bad: npt.NDArray[np.float64]
    prob_cause: npt.NDArray[np.float64]


def centre_logits(model: JointModel, embedding: Tensor, windows: Tensor) -> Tensor:
    """Sequence-head logits at the centre of each window, (W,).

    Args:
        model: in either mode.
        embedding: (B, E), one row per frame.
        windows: (W, T) integer rows of `embedding`.
    """
    centre = windows.shape[1] // 2
    steps = [
        model.classify_windows(embedding, part)[:, centre]
        for part in torch.split(windows, _WINDOWS_PER_STEP)
    ]
    return torch.cat(steps)


def _encode_all(
    model: JointModel, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device
) -> Tensor:
    """(N, E), in an array that grows by doubling.

    Kept one by one, the small results would pin the memory that the large intermediate ones
    leave behind, some 0.3 MB a frame.
    """
    out, filled = torch.empty(0), 0
    for frames, inputs in batches:
        check_planes(model, frames)
        part = model.encode(frames.to(device), inputs.to(device))
        needed = filled + len(part)
        if needed > len(out):
            grown = part.new_empty(max(2 * needed, 1024), part.shape[1])
            if filled:
                grown[:filled] = out[:filled]
            out = grown
        out[filled:needed] = part
        filled = needed
    return out[:filled]


class HeadLogits(NamedTuple):
    """Logits for N frames, on the device of the model.

    Attributes:
        frame: of *bad*, (N,).
        seq: of *bad* at the centre of each window, (M,): N with windows, else 0.
        cause: of each cause that the model names, (N, C).
    """

    frame: Tensor
    seq: Tensor
    cause: Tensor


def head_logits(
    model: JointModel, batches: Iterable[tuple[Tensor, Tensor]], windows: Tensor
) -> HeadLogits:
    """All heads over the frames of one sequence, each frame encoded once.

    Args:
        model: in either mode.
        batches: (B, C, S, S) normalised pixels and (B, F) measured numbers, together N frames
            in time order.
        windows: (M, T) rows of the sequence, one window per frame or none.
    """
    device = next(model.parameters()).device
    embedding = _encode_all(model, batches, device)
    if not len(embedding):
        nothing = torch.empty(0, device=device)
        return HeadLogits(nothing, nothing, nothing.new_empty(0, len(model.causes)))
    seq = embedding.new_empty(0)
    if len(windows):
        seq = centre_logits(model, embedding, windows.to(device))
    return HeadLogits(model.classify_frames(embedding), seq, model.classify_causes(embedding))


def read_logits(
    logits: HeadLogits, reading: Reading, compared: npt.ArrayLike, night: npt.ArrayLike
) -> Probabilities:
    """Probabilities of N frames from what both heads gave.

    Args:
        logits: of N frames.
        reading: how they are read.
        compared: (N,) number of frames that each was compared with.
        night: (N,) name or number of each frame's night.
    """
    # Apple's mps knows no float64.
    frame = logits.frame.cpu().double().numpy()
    seq = logits.seq.cpu().double().numpy() if len(logits.seq) else np.full(len(frame), np.nan)
    return reading.read(frame, seq, compared, night)


@torch.inference_mode()
def score_sequence(
    model: JointModel,
    batches: Iterable[tuple[Tensor, Tensor]],
    windows: npt.NDArray[np.int64] | None,
    *,
    reading: Reading | None = None,
    compared: npt.ArrayLike | None = None,
) -> HeadProbabilities:
    """Score the frames of one sequence, or loose frames when `windows` is None.

    Args:
        model: in eval mode.
        batches: (B, C, S, S) normalised pixels and (B, F) measured numbers, together N frames
            in time order.
        windows: (N, T) window of each frame, as rows of the sequence.
        reading: how logits are read; None for their sigmoid, fused 0.8 to 0.2.
        compared: (N,) number of frames that each was compared with; None for all others.
    """
    steps = torch.empty(0, 0, dtype=torch.long) if windows is None else torch.from_numpy(windows)
    logits = head_logits(model, batches, steps)
    count = len(logits.frame)
    others = np.full(count, count - 1) if compared is None else compared
    found = read_logits(logits, reading or Reading(fusion={}), others, np.zeros(count))
    causes = torch.sigmoid(logits.cause.cpu().double()).numpy()
    return HeadProbabilities(found.frame, found.seq, found.fused, causes)
