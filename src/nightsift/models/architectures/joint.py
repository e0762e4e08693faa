"""The published joint frame + sequence classifier, tensor for tensor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nightsift.models.architectures import ARCHITECTURES
from nightsift.models.contract import JointModel


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from the channel means (Hu et al. 2018)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(8, channels // reduction)
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Gate `x`, (B, C, H, W), channel by channel."""
        gate = torch.sigmoid(self.fc(x.mean(dim=(2, 3))))  # (B, C)
        return x * gate[:, :, None, None]


class SpatialAttention(nn.Module):
    """Scales each pixel by a gate from the mean and maximum over channels (Woo et al. 2018)."""

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Gate `x`, (B, C, H, W), pixel by pixel."""
        summary = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.conv(summary))


class DilatedResidual(nn.Module):
    """Two dilated 3x3 convolutions beside a 1x1 shortcut; keeps height and width."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()

        def conv(channels: int) -> nn.Conv2d:
            return nn.Conv2d(channels, outputs, 3, padding=dilation, dilation=dilation, bias=False)

        self.conv = nn.Sequential(
            conv(inputs),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            conv(outputs),
            nn.BatchNorm2d(outputs),
        )
        self.down = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        return torch.relu(self.conv(x) + self.down(x))


class FrameEncoder(nn.Module):
    """One frame to one embedding: stem, two attended residual blocks, global average."""

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = channels
        self.stem = nn.Sequential(
            nn.Conv2d(1, first, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.block1 = DilatedResidual(first, second, dilation=1)
        self.se1 = SqueezeExcite(second)
        self.block2 = DilatedResidual(second, third, dilation=2)
        self.se2 = SqueezeExcite(third)
        self.spatial_attn = SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        """Encode `x`, (B, 1, S, S) normalised pixels, as (B, channels[-1])."""
        x = self.se1(self.block1(self.stem(x)))
        x = self.spatial_attn(self.se2(self.block2(x)))
        return x.mean(dim=(2, 3))


class JointFrameSeqModel(JointModel):
    """Frame head and sequence head over one shared frame encoder.

    With the default arguments the state_dict has the 61 tensors of the published model,
    key for key: 339,732 numbers and the counters of seven batch normalisations.

    Args:
        channels: channels after the stem, the first and the second residual block.
        frame_hidden: hidden width of the frame head.
        seq_hidden: state size of the GRU.
        dropout: dropout of the frame head, 0-1.
    """

    def __init__(
        self,
        *,
        channels: tuple[int, int, int] = (32, 64, 128),
        frame_hidden: int = 64,
        seq_hidden: int = 64,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if len(channels) != 3 or min(channels) < 1:
            raise ValueError(f"channels must be three positive numbers, got {channels}")
        if min(frame_hidden, seq_hidden) < 1 or not 0 <= dropout < 1:
            raise ValueError("frame_hidden and seq_hidden must be >= 1, dropout in [0, 1)")
        self.embedding_width = width = channels[2]
        self.encoder = FrameEncoder((channels[0], channels[1], width))
        self.frame_head = nn.Sequential(
            nn.Linear(width, frame_hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(frame_hidden, 1),
        )
        self.gru = nn.GRU(width, seq_hidden, batch_first=True)
        self.seq_head = nn.Linear(seq_hidden, 1)
        # The dilated convolutions train several times faster on a CPU in this memory layout.
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, frames: Tensor, inputs: Tensor | None = None) -> Tensor:
        """Embed `frames`, (B, 1, S, S), as (B, E); measured `inputs` are not looked at."""
        embedding: Tensor = self.encoder(frames.contiguous(memory_format=torch.channels_last))
        return embedding

    def classify_frames(self, embedding: Tensor) -> Tensor:
        """Frame-head logits, (B,), of `embedding`, (B, E)."""
        logits: Tensor = self.frame_head(embedding)
        return logits.squeeze(-1)

    def classify_windows(self, embedding: Tensor, windows: Tensor) -> Tensor:
        """Sequence-head logits of every step, (W, T), of windows, (W, T) rows of `embedding`."""
        states, _ = self.gru(embedding[windows])  # (W, T, H)
        logits: Tensor = self.seq_head(states)
        return logits.squeeze(-1)


ARCHITECTURES.add("JointFrameSeqModel", JointFrameSeqModel)
