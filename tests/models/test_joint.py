from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nightsift.models.architectures.joint import JointFrameSeqModel
from nightsift.models.scoring import centre_logits, score_sequence

# The published state_dict, written down from the description of the model.
SHAPES = {
    "encoder.stem.0.weight": (32, 1, 7, 7),
    "encoder.block1.conv.0.weight": (64, 32, 3, 3),
    "encoder.block1.conv.3.weight": (64, 64, 3, 3),
    "encoder.block1.down.0.weight": (64, 32, 1, 1),
    "encoder.se1.fc.0.weight": (8, 64),
    "encoder.se1.fc.0.bias": (8,),
    "encoder.se1.fc.2.weight": (64, 8),
    "encoder.se1.fc.2.bias": (64,),
    "encoder.block2.conv.0.weight": (128, 64, 3, 3),
    "encoder.block2.conv.3.weight": (128, 128, 3, 3),
    "encoder.block2.down.0.weight": (128, 64, 1, 1),
    "encoder.se2.fc.0.weight": (8, 128),
    "encoder.se2.fc.0.bias": (8,),
    "encoder.se2.fc.2.weight": (128, 8),
    "encoder.se2.fc.2.bias": (128,),
    "encoder.spatial_attn.conv.weight": (1, 2, 7, 7),
    "frame_head.0.weight": (64, 128),
    "frame_head.0.bias": (64,),
    "frame_head.3.weight": (1, 64),
    "frame_head.3.bias": (1,),
    "gru.weight_ih_l0": (192, 128),
    "gru.weight_hh_l0": (192, 64),
    "gru.bias_ih_l0": (192,),
    "gru.bias_hh_l0": (192,),
    "seq_head.weight": (1, 64),
    "seq_head.bias": (1,),
}
NORMS = {
    "encoder.stem.1": 32,
    "encoder.block1.conv.1": 64,
    "encoder.block1.conv.4": 64,
    "encoder.block1.down.1": 64,
    "encoder.block2.conv.1": 128,
    "encoder.block2.conv.4": 128,
    "encoder.block2.down.1": 128,
}
for _prefix, _channels in NORMS.items():
    for _name in ("weight", "bias", "running_mean", "running_var"):
        SHAPES[f"{_prefix}.{_name}"] = (_channels,)
    SHAPES[f"{_prefix}.num_batches_tracked"] = ()


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """Random weights under the published keys, with lively batch statistics."""
    generator = torch.Generator().manual_seed(0)
    out = {}
    for key, shape in SHAPES.items():
        if key.endswith("num_batches_tracked"):
            out[key] = torch.tensor(3)
        elif key.endswith("running_var"):
            out[key] = torch.rand(shape, generator=generator) + 0.5
        else:
            out[key] = 0.2 * torch.randn(shape, generator=generator)
    return out


@pytest.fixture
def model(state: dict[str, torch.Tensor]) -> JointFrameSeqModel:
    model = JointFrameSeqModel()
    model.load_state_dict(state, strict=True)
    return model.eval()


def reference_embedding(x: torch.Tensor, s: dict[str, torch.Tensor]) -> torch.Tensor:
    """The published encoder, line by line, without nn.Module."""

    def norm(x, prefix):
        return F.batch_norm(
            x,
            s[f"{prefix}.running_mean"],
            s[f"{prefix}.running_var"],
            s[f"{prefix}.weight"],
            s[f"{prefix}.bias"],
        )

    def block(x, prefix, dilation):
        y = F.conv2d(x, s[f"{prefix}.conv.0.weight"], padding=dilation, dilation=dilation)
        y = F.relu(norm(y, f"{prefix}.conv.1"))
        y = F.conv2d(y, s[f"{prefix}.conv.3.weight"], padding=dilation, dilation=dilation)
        y = norm(y, f"{prefix}.conv.4")
        short = norm(F.conv2d(x, s[f"{prefix}.down.0.weight"]), f"{prefix}.down.1")
        return F.relu(y + short)

    def excite(x, prefix):
        z = x.mean((2, 3))
        z = F.relu(F.linear(z, s[f"{prefix}.fc.0.weight"], s[f"{prefix}.fc.0.bias"]))
        z = F.linear(z, s[f"{prefix}.fc.2.weight"], s[f"{prefix}.fc.2.bias"]).sigmoid()
        return x * z[:, :, None, None]

    x = F.conv2d(x, s["encoder.stem.0.weight"], stride=2, padding=3)
    x = F.max_pool2d(F.relu(norm(x, "encoder.stem.1")), 3, stride=2, padding=1)
    x = excite(block(x, "encoder.block1", 1), "encoder.se1")
    x = excite(block(x, "encoder.block2", 2), "encoder.se2")
    summary = torch.stack([x.mean(1), x.max(1).values], dim=1)
    x = x * F.conv2d(summary, s["encoder.spatial_attn.conv.weight"], padding=3).sigmoid()
    return x.mean((2, 3))


def reference_gru(x: torch.Tensor, s: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits (T,) of one window (T, 128)."""
    h = torch.zeros(64)
    out = []
    for step in x:
        gi = s["gru.weight_ih_l0"] @ step + s["gru.bias_ih_l0"]
        gh = s["gru.weight_hh_l0"] @ h + s["gru.bias_hh_l0"]
        r = (gi[:64] + gh[:64]).sigmoid()
        z = (gi[64:128] + gh[64:128]).sigmoid()
        n = (gi[128:] + r * gh[128:]).tanh()
        h = (1 - z) * n + z * h
        out.append((s["seq_head.weight"] @ h + s["seq_head.bias"])[0])
    return torch.stack(out)


def test_state_dict_is_the_published_one():
    state = JointFrameSeqModel().state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == SHAPES
    assert len(state) == 61
    # 339,746 counts 32-bit words: the seven int64 batch counters count twice.
    size = sum(value.numel() * value.element_size() for value in state.values())
    assert size == 4 * 339_746


@torch.inference_mode()
def test_frame_logits_equal_a_plain_reimplementation(model, state):
    x = torch.randn(5, 1, 128, 128, generator=torch.Generator().manual_seed(1))
    e = reference_embedding(x, state)
    hidden = F.relu(F.linear(e, state["frame_head.0.weight"], state["frame_head.0.bias"]))
    expected = F.linear(hidden, state["frame_head.3.weight"], state["frame_head.3.bias"])[:, 0]
    torch.testing.assert_close(model(x).frame, expected, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_window_logits_equal_a_plain_reimplementation_also_when_windows_share(model, state):
    x = torch.randn(12, 1, 64, 64, generator=torch.Generator().manual_seed(2))
    windows = torch.stack([torch.arange(i, i + 9) for i in range(4)])
    shared = model(x, windows).seq
    for i in range(4):
        whole = reference_gru(reference_embedding(x[i : i + 9], state), state)
        torch.testing.assert_close(shared[i], whole, rtol=0, atol=1e-5)
    centres = centre_logits(model, model.encode(x), windows)
    torch.testing.assert_close(centres, shared[:, 4], rtol=0, atol=1e-6)


def test_scoring_in_batches_equals_scoring_at_once(model):
    x = torch.randn(20, 1, 64, 64, generator=torch.Generator().manual_seed(3))
    windows = torch.stack([torch.arange(i - 4, i + 5).clamp(0, 19) for i in range(20)]).numpy()
    nothing = torch.empty(0)
    once = score_sequence(model, [(x, nothing)], windows)
    parts = score_sequence(model, [(part, nothing) for part in x.split(7)], windows)
    torch.testing.assert_close(torch.tensor(once.prob_seq), torch.tensor(parts.prob_seq))
    loose = score_sequence(model, [(x, nothing)], None)
    assert torch.isnan(torch.tensor(loose.prob_seq)).all()


def test_a_night_without_frames_has_scores_of_the_right_shape(model):
    scores = score_sequence(model, [], np.empty((0, 9), dtype=np.int64))
    assert [part.shape for part in scores] == [(0,), (0,), (0,), (0, 0)]


@pytest.mark.parametrize("arguments", [{"channels": (1, 2)}, {"dropout": 1.0}, {"seq_hidden": 0}])
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="must"):
        JointFrameSeqModel(**arguments)
