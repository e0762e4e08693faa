"""Both heads over whole nights: each frame is encoded once, windows share the embeddings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nightsift.models.joint import JointFrameSeqModel

# Windows go through the GRU in slices of this many, which bounds memory on long nights.
_WINDOWS_PER_STEP = 64


class HeadProbabilities(NamedTuple):
    """Probabilities of *bad* for N frames; `prob_seq` is NaN without a window."""

    prob_frame: npt.NDArray[np.float64]
    prob_seq: npt.NDArray[np.float64]


def probabilities(logits: Tensor, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Sigmoid of `logits / temperature` as float64 numpy, any shape."""
    return torch.sigmoid(logits.double() / temperature).cpu().numpy()


def centre_logits(model: JointFrameSeqModel, embedding: Tensor, windows: Tensor) -> Tensor:
    """Sequence-head logits at the centre of each window, (W,).

    Args:
        model: the joint model.
        embedding: (B, E), one row per frame.
        windows: (W, T) integer rows of `embedding`.
    """
    centre = windows.shape[1] // 2
    steps = [
        model.classify_windows(embedding, part)[:, centre]
        for part in torch.split(windows, _WINDOWS_PER_STEP)
    ]
    return torch.cat(steps)


@torch.inference_mode()
def score_sequence(
    model: JointFrameSeqModel,
    batches: Iterable[Tensor],
    windows: npt.NDArray[np.int64] | None,
    *,
    temperature: float = 1.0,
) -> HeadProbabilities:
    """Score the frames of one sequence, or loose frames when `windows` is None.

    Args:
        model: in eval mode.
        batches: (B, 1, S, S) normalised pixels, together N frames in time order.
        windows: (N, T) window of each frame, as rows of the sequence.
        temperature: every logit is divided by it.
    """
    device = next(model.parameters()).device
    embedding = torch.cat([model.encode(batch.to(device)) for batch in batches])
    prob_frame = probabilities(model.classify_frames(embedding), temperature)
    if windows is None:
        return HeadProbabilities(prob_frame, np.full(len(prob_frame), np.nan))
    index = torch.from_numpy(windows).to(device)
    return HeadProbabilities(
        prob_frame, probabilities(centre_logits(model, embedding, index), temperature)
    )
