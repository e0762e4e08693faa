from __future__ import annotations

import torch

from nightsift.data.augment import augment


def test_frames_of_one_window_are_changed_alike_and_windows_differently():
    torch.manual_seed(0)
    frame = torch.randn(1, 1, 16, 16)
    frames = frame.repeat(12, 1, 1, 1)
    group = torch.arange(12) // 3
    out = augment(frames, group)
    for number in range(4):
        members = out[group == number]
        assert float((members[1:] - members[:1]).abs().max()) < 0.1  # the noise alone
    spread = torch.stack([out[group == n][0] for n in range(4)])
    assert float((spread[1:] - spread[:1]).abs().max()) > 0.5


def test_gain_and_offset_stay_within_the_published_ranges():
    torch.manual_seed(1)
    ones = augment(torch.ones(4000, 1, 8, 8), torch.arange(4000)).mean(dim=(1, 2, 3))
    zeros = augment(torch.zeros(4000, 1, 8, 8), torch.arange(4000)).mean(dim=(1, 2, 3))
    assert 0.86 < float(ones.min()) < 0.9
    assert 1.1 < float(ones.max()) < 1.14
    assert 0.02 < float(zeros.abs().max()) < 0.035


def test_all_eight_symmetries_occur_and_nothing_else():
    torch.manual_seed(2)
    ramp = torch.arange(16.0).reshape(1, 1, 4, 4) * 100
    out = augment(ramp.repeat(200, 1, 1, 1), torch.arange(200))
    corners = {tuple((f[0, ::3, ::3].flatten() / 100).round().int().tolist()) for f in out}
    orders = {tuple(torch.tensor(c).argsort().tolist()) for c in corners}
    assert len(orders) == 8
