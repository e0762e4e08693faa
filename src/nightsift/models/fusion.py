"""The fused probability of *bad*: one number per frame from the two heads."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from nightsift.errors import NightsiftError

Policy = Literal["weighted", "frame_only", "seq_center_only", "max_prob", "avg_prob"]
POLICIES: tuple[str, ...] = get_args(Policy)
# What is measured of a model, and the column of the predictions that holds it.
HEADS = {"frame": "prob_frame", "sequence": "prob_seq", "fused": "prob_bad"}


def fuse(
    prob_frame: npt.ArrayLike,
    prob_seq: npt.ArrayLike,
    *,
    policy: str = "weighted",
    frame_weight: float = 0.8,
) -> npt.NDArray[np.float64]:
    """Fuse the probabilities of both heads, frame by frame.

    Args:
        prob_frame: (N,) probabilities, 0-1; NaN for a frame that could not be read.
        prob_seq: (N,) probabilities of the centre of each frame's own window, 0-1; NaN for
            a frame without a window, whose fused probability is `prob_frame`.
        policy: `weighted` (w * frame + (1 - w) * seq), `frame_only`, `seq_center_only`,
            `max_prob` or `avg_prob`.
        frame_weight: w of `weighted`, 0-1.

    Returns:
        (N,) fused probabilities.

    Raises:
        NightsiftError: unknown policy or weight outside 0-1.
        ValueError: arrays of different shapes.
    """
    frame = np.asarray(prob_frame, dtype=np.float64)
    seq = np.asarray(prob_seq, dtype=np.float64)
    if frame.shape != seq.shape:
        raise ValueError(f"one prob_seq per frame is needed, got {frame.shape} and {seq.shape}")
    if not 0 <= frame_weight <= 1:
        raise NightsiftError(f"fusion.frame_weight must lie in 0-1, got {frame_weight}")
    if policy == "weighted":
        fused = frame_weight * frame + (1 - frame_weight) * seq
    elif policy == "frame_only":
        fused = frame
    elif policy == "seq_center_only":
        fused = seq
    elif policy == "max_prob":
        fused = np.maximum(frame, seq)
    elif policy == "avg_prob":
        fused = (frame + seq) / 2
    else:
        raise NightsiftError(f"fusion.policy must be one of {', '.join(POLICIES)}, got {policy!r}")
    return np.where(np.isnan(seq), frame, fused)
