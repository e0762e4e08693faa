"""The shipped classifier: a frame at two scales and its measured features, then its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nightsift.models.architectures import ARCHITECTURES
from nightsift.models.contract import JointModel
from nightsift.models.sequences import build_sequence

# Planes of the whole field before the mosaic of cut-outs (`nightsift.look.transforms.two_scale`).
FIELD_PLANES = 3
CUTOUTS = 4
# The last inputs are gaps in time: of the place in the night, for the sequence head alone.
GAPS = 2
# Logits that twice the severity at which rules reject begins with.
_ANCHOR_WEIGHT = 3.0
BRANCHES = ("field", "stars", "features")


def _norm(channels: int) -> nn.GroupNorm:
    """Does not look at the other frames of a batch (Wu & He 2018, arXiv:1803.08494)."""
    return nn.GroupNorm(min(8, channels // 4), channels)


class Residual(nn.Module):
    """Two 3x3 convolutions, the first with a stride, beside a 1x1 shortcut."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 2, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            _norm(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=dilation, dilation=dilation, bias=False),
            _norm(outputs),
        )
        self.down = nn.Sequential(
            nn.AvgPool2d(stride), nn.Conv2d(inputs, outputs, 1, bias=False), _norm(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        return torch.relu(self.conv(x) + self.down(x))


class FieldBranch(nn.Module):
    """The planes of the whole field to one vector: what is uneven, missing or drawn across."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(FIELD_PLANES, width // 4, 5, stride=2, padding=2, bias=False),
            _norm(width // 4),
            nn.ReLU(inplace=True),
            Residual(width // 4, width // 2),
            Residual(width // 2, width, dilation=2),
        )
        self.outputs = 2 * width

    def forward(self, planes: Tensor) -> Tensor:
        """Map (B, 3, S, S) to (B, outputs): mean and maximum over the field."""
        x = self.layers(planes)
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)


class StarBranch(nn.Module):
    """The cut-outs, each by itself, to one vector: how sharp and how round stars are."""

    def __init__(self, width: int, planes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(planes, width // 4, 3, stride=2, padding=1, bias=False),
            _norm(width // 4),
            nn.ReLU(inplace=True),
            Residual(width // 4, width // 2),
            Residual(width // 2, width),
        )
        self.summary = nn.Linear(2 * width, width)
        self.outputs = 3 * width

    def forward(self, mosaic: Tensor) -> Tensor:
        """Map (B, P, S, S) to (B, outputs): mean, maximum and scatter over the cut-outs."""
        frames, planes, side = *mosaic.shape[:2], mosaic.shape[-1] // CUTOUTS
        cuts = mosaic.reshape(frames, planes, CUTOUTS, side, CUTOUTS, side)
        cuts = cuts.permute(0, 2, 4, 1, 3, 5).reshape(frames * CUTOUTS**2, planes, side, side)
        x = self.layers(cuts.contiguous(memory_format=torch.channels_last))
        x = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)
        x = torch.relu(self.summary(x)).reshape(frames, CUTOUTS**2, -1)
        return torch.cat([x.mean(dim=1), x.amax(dim=1), x.std(dim=1)], dim=1)


class FeatureBranch(nn.Module):
    """Measured features, any of which may be missing, to one vector.

    Args:
        features: numbers per frame.
        width: of the vector.
        missing: chance in training that a feature is withheld.
    """

    def __init__(self, features: int, width: int, missing: float) -> None:
        super().__init__()
        self.missing = missing
        self.layers = nn.Sequential(
            nn.Linear(2 * features, 2 * width),
            nn.ReLU(inplace=True),
            nn.Dropout(0.1),
            nn.Linear(2 * width, width),
            nn.ReLU(inplace=True),
        )
        self.outputs = width

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, F), NaN where missing, to (B, outputs)."""
        known = ~torch.isnan(features)
        if self.training and self.missing:
            known = known & (torch.rand_like(features) >= self.missing)
        values = torch.where(known, features, torch.zeros_like(features))
        vector: Tensor = self.layers(torch.cat([values, known.to(values.dtype)], dim=1))
        return vector


class TwoScaleModel(JointModel):
    """Frame head, sequence head and cause head over field, stars and features.

    Args:
        features: measured numbers per frame, without the gaps in time; the data decide it.
        causes: names that the cause head gives, in its order; the data decide them.
        changes: whether frames come as the planes of `nightsift.night.changes`; the data decide.
        anchored: whether the first number is all severities of the rules taken together, which
            both heads then begin from: what they learn is where the rules are wrong; the data
            decide.
        field_width: channels of the whole field's last layer, a multiple of 16.
        star_width: the same of the cut-outs.
        feature_width: of the features' vector.
        embedding: of a frame.
        sequence: an entry of `nightsift.models.sequences.SEQUENCES`: `gru`, `tcn`, `attention`.
        seq_hidden: state size, per direction.
        dropout: before the heads, 0-1.
        branch_dropout: chance in training that a branch is withheld from a frame: none of
            them is to be relied on alone.
        missing: chance in training that a feature is withheld.
    """

    uses_inputs = True
    transform = "two_scale"

    def __init__(
        self,
        *,
        features: int,
        causes: list[str],
        changes: bool = False,
        anchored: bool = False,
        field_width: int = 64,
        star_width: int = 48,
        feature_width: int = 64,
        embedding: int = 96,
        sequence: str = "gru",
        seq_hidden: int = 48,
        dropout: float = 0.2,
        branch_dropout: float = 0.15,
        missing: float = 0.05,
    ) -> None:
        super().__init__()
        if min(features, feature_width, embedding, seq_hidden) < 1:
            raise ValueError("model: features, feature_width, embedding, seq_hidden must be >= 1")
        if field_width % 16 or star_width % 16 or min(field_width, star_width) < 16:
            raise ValueError("model: field_width and star_width must be multiples of 16")
        if not (0 <= dropout < 1 and 0 <= branch_dropout < 1 and 0 <= missing < 1):
            raise ValueError("model: dropout, branch_dropout and missing must lie in [0, 1)")
        self.causes = tuple(causes)
        self.n_inputs = features + GAPS
        self.anchors = int(anchored)
        self.embedding_width = embedding + self.anchors + GAPS
        self.branch_dropout = branch_dropout
        self.withheld: frozenset[str] = frozenset()
        star_planes = 2 if changes else 1
        self.planes = FIELD_PLANES + star_planes
        self.field = FieldBranch(field_width)
        self.stars = StarBranch(star_width, star_planes)
        self.measured = FeatureBranch(features, feature_width, missing)
        joined = self.field.outputs + self.stars.outputs + self.measured.outputs
        self.join = nn.Sequential(
            nn.Linear(joined, embedding), nn.LayerNorm(embedding), nn.ReLU(), nn.Dropout(dropout)
        )
        self.frame_head = self._head(embedding)
        self.cause_head = nn.Linear(embedding + self.anchors, len(causes)) if causes else None
        self.sequence = build_sequence(sequence, self.embedding_width, seq_hidden)
        self.seq_head = self._head(self.sequence.outputs)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _head(self, inputs: int) -> nn.Linear:
        """A logit of a vector behind which the anchor stands, if there is one."""
        head = nn.Linear(inputs + self.anchors, 1)
        if self.anchors:
            nn.init.constant_(head.weight[:, inputs:], _ANCHOR_WEIGHT)
        return head

    def encode(self, frames: Tensor, inputs: Tensor) -> Tensor:
        """Embed frames.

        Args:
            frames: (B, 4, S, S) of `nightsift.look.transforms.two_scale.TwoScale`, or
                (B, 5, S, S) of `nightsift.night.changes`.
            inputs: (B, features + 2), NaN where missing; the last two are gaps in time.

        Returns:
            (B, E): the embedding, then the anchor, if there is one, and the gaps.
        """
        frames = frames.contiguous(memory_format=torch.channels_last)
        parts = {
            "field": self.field(frames[:, :FIELD_PLANES]),
            "stars": self.stars(frames[:, FIELD_PLANES:]),
            "features": self.measured(inputs[:, :-GAPS]),
        }
        anchor = torch.nan_to_num(inputs[:, : self.anchors])
        # The rules go by the same numbers: with these they are withheld.
        parts["features"] = torch.cat([parts["features"], anchor], dim=1)
        kept = {name: self._kept(parts[name], name) for name in BRANCHES}
        anchor = kept["features"][:, self.measured.outputs :]
        kept["features"] = kept["features"][:, : self.measured.outputs]
        joined = self.join(torch.cat([kept[name] for name in BRANCHES], dim=1))
        return torch.cat([joined, anchor, torch.nan_to_num(inputs[:, -GAPS:])], dim=1)

    def _kept(self, part: Tensor, name: str) -> Tensor:
        """The vector of a branch, or zeros where it is withheld."""
        if name in self.withheld:
            return torch.zeros_like(part)
        if not self.training or not self.branch_dropout:
            return part
        kept = torch.rand(len(part), 1, device=part.device) >= self.branch_dropout
        return part * kept

    def classify_frames(self, embedding: Tensor) -> Tensor:
        """Frame-head logits, (B,), of what `encode` gives, (B, E)."""
        logits: Tensor = self.frame_head(embedding[:, :-GAPS])
        return logits.squeeze(-1)

    def classify_causes(self, embedding: Tensor) -> Tensor:
        """Logits of each cause, (B, C)."""
        if self.cause_head is None:
            return super().classify_causes(embedding)
        logits: Tensor = self.cause_head(embedding[:, :-GAPS])
        return logits

    def classify_windows(self, embedding: Tensor, windows: Tensor) -> Tensor:
        """Sequence-head logits of every step, (W, T), of windows, (W, T) rows of `embedding`."""
        steps = embedding[windows]
        anchor = steps[..., -GAPS - self.anchors : -GAPS]
        logits: Tensor = self.seq_head(torch.cat([self.sequence(steps), anchor], dim=-1))
        return logits.squeeze(-1)


ARCHITECTURES.add("TwoScaleModel", TwoScaleModel)
