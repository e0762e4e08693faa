"""Weights for programs without torch: one ONNX file, checked against torch as it is written."""

from __future__ import annotations

import copy
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from nightsift.errors import NightsiftError
from nightsift.files import replacing
from nightsift.models.card import ModelCard
from nightsift.models.contract import JointModel
from nightsift.models.locate import CARD_KEY, first_line

if TYPE_CHECKING:
    from torch.onnx import ONNXProgram

# What torch's exporter needs, and what its result is checked with.
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
# Version of ONNX's operators: the oldest that torch's exporter writes, so that most can read it.
OPSET = 18
# Largest difference of a logit between torch and onnxruntime.
TOLERANCE = 1e-4
# (frames, earlier frames, windows) of the batches that both are compared on.
_BATCHES = ((1, 0, 1), (2, 9, 4), (7, 5, 12))


class _Night(nn.Module):
    """The whole model as one function of tensors; what `export_onnx` describes."""

    def __init__(self, model: JointModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, frames: Tensor, earlier: Tensor, windows: Tensor, inputs: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        model = self.model
        nothing = frames.new_empty(len(frames), 0)
        embedding = model.encode(frames, nothing if inputs is None else inputs)
        known = torch.cat([earlier, embedding])
        steps = model.classify_windows(known, windows)
        out = embedding, model.classify_frames(embedding), steps[:, windows.shape[1] // 2]
        return (*out, model.classify_causes(embedding)) if model.causes else out


def export_onnx(model: JointModel, card: ModelCard, path: Path) -> float:
    """Write a model as one ONNX file, opset 18, and compare it with torch on random batches.

    The graph takes a night piece by piece. Its inputs:

    - `frames` (B, C, S, S) float32: pixels after the card's transform, any B >= 1;
    - `earlier` (P, E) float32: what it gave as `embedding` for frames before, P >= 0;
    - `windows` (W, T) int64, W >= 1, T the card's: rows of `earlier` with `frames` behind them;
    - `inputs` (B, F) float32, NaN where missing: only of a model that sees measured numbers.

    Its outputs: `embedding` (B, E), `frame_logit` (B,), `seq_logit` (W,) of the frame in the
    middle of each window, and `cause_logit` (B, C) where the model names causes. A night at once
    needs no `earlier`; of a longer one each piece adds its `embedding`, and the last piece has the
    windows that count.

    The card stands as JSON under `card` in the file's metadata; it says how logits become
    probabilities (`nightsift.models.reading`: `logit / temperature + logit_shift` where neither
    `temperature_alone` nor `prior_strength` is set, without either for causes) and verdicts.

    Args:
        model: is left as it is.
        card: image size and window; stored.
        path: the file; its folder is made.

    Returns:
        The largest difference of a logit, torch to onnxruntime.

    Raises:
        NightsiftError: the packages of the extra `onnx` are missing, or the model uses what
            ONNX does not have.
        OSError: the file cannot be written, or differs from torch; what stood there before stays.
    """
    _require_packages()
    night = _Night(copy.deepcopy(model).cpu().eval())
    program = _translate(night, card)
    program.model.metadata_props[CARD_KEY] = json.dumps(card.to_json())
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)
        difference = _largest_difference(night, card, temporary)
        if not difference <= TOLERANCE:
            raise OSError(
                f"{path}: onnxruntime differs from torch by {difference:.3g} in a logit, "
                f"{TOLERANCE:g} are allowed"
            )
    return difference


def _require_packages() -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise NightsiftError(
            f"ONNX export needs {', '.join(missing)}: pip install 'nightsift[onnx]'"
        )


def _translate(night: _Night, card: ModelCard) -> ONNXProgram:
    """The graph with frames, earlier frames and windows of any number."""
    example = _random_batch(night.model, card, _BATCHES[-1], seed=0)
    names = [name for name, value in example.items() if value is not None]
    first = {"frames": "frame", "earlier": "before", "windows": "window", "inputs": "frame"}
    shapes = {name: {0: first[name]} if name in names else None for name in example}
    outputs = ["embedding", "frame_logit", "seq_logit"]
    with _exporting():
        try:
            program = torch.onnx.export(
                night,
                kwargs=example,
                dynamic_shapes=shapes,
                input_names=names,
                output_names=[*outputs, "cause_logit"] if night.model.causes else outputs,
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            raise NightsiftError(
                f"{type(night.model).__name__} cannot be written as ONNX: {first_line(cause)}"
            ) from error
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    return program


def _random_batch(
    model: JointModel, card: ModelCard, counts: tuple[int, int, int], *, seed: int
) -> dict[str, Tensor | None]:
    """Arguments of `_Night` for so many frames, earlier frames and windows."""
    frames, earlier, windows = counts
    generator = torch.Generator().manual_seed(seed)
    size = (frames, model.planes, card.img_size, card.img_size)
    inputs = None
    if model.n_inputs:
        inputs = torch.randn(frames, model.n_inputs, generator=generator)
        missing = torch.rand(inputs.shape, generator=generator) < 0.2
        inputs[missing] = float("nan")
    return {
        "frames": torch.randn(size, generator=generator),
        "earlier": torch.randn(earlier, model.embedding_width, generator=generator),
        "windows": torch.randint(0, frames + earlier, (windows, card.window), generator=generator),
        "inputs": inputs,
    }


def _largest_difference(night: _Night, card: ModelCard, path: Path) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    for seed, counts in enumerate(_BATCHES, start=1):
        batch = _random_batch(night.model, card, counts, seed=seed)
        given = {name: value for name, value in batch.items() if value is not None}
        with torch.inference_mode():
            expected = night(**given)
        found = session.run(None, {name: value.numpy() for name, value in given.items()})
        for ours, theirs in zip(expected[1:], found[1:], strict=True):
            # A NaN on either side stays the worst, and is refused.
            worst = float(np.maximum(worst, np.abs(ours.numpy() - theirs).max()))
    return worst


@contextmanager
def _exporting() -> Iterator[None]:
    """Without the exporter's remarks on torch's own code and on packages that we do not need.

    The fused kernel of transformer layers has no counterpart among ONNX's operators.
    """
    logger = logging.getLogger("torch.onnx")
    level, fused = logger.level, torch.backends.mha.get_fastpath_enabled()
    logger.setLevel(logging.ERROR)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        logger.setLevel(level)
