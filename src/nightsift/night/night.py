"""The value that every layer passes on: one night, made once, changed by nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.look.look import Look
from nightsift.night.alignment import Alignment
from nightsift.night.comparison import Compared, Deviations
from nightsift.night.pool import Share
from nightsift.night.trend import Deviation

UNLABELLED = -1


class Label(NamedTuple):
    """What people say of a frame.

    Attributes:
        value: 1 bad, 0 good, None unlabelled.
        extras: the other columns of its row in the label table, notes included.
    """

    value: int | None = None
    extras: Mapping[str, str] = {}


@dataclass(frozen=True, eq=False)
class Night:
    """Frames of one telescope, camera, filter and target, in the order in which they were taken.

    Splits, network inputs and verdicts are values beside it, never fields that somebody fills
    in later.

    Attributes:
        name: unique among the nights read together.
        looks: one per frame, all of them readable, in time order.
        labels: one per frame.
        ordered: False for mixed frames, which have no windows and nothing to be compared with.
        timed: whether every frame has a time; otherwise the order is that of the names.
        features: (N, F) table, one row per frame: what was measured on it and, where frames
            are compared, how its stars match those of the others; `file` and `night` alone
            where nothing was measured. To be read, not to be written into.
        poses: how each frame lies on the night's reference frame; None where its field was not
            recognised or nothing was compared.
        folder: name of its folder, which other nights may share.
        series: name of all nights of the same telescope, camera, filter and field.
        unit: name of what its frames were compared within and what no split cuts: the night,
            or the series of short nights.
        share: its part of that series; None for a night that was compared by itself.
    """

    name: str
    looks: tuple[Look, ...]
    labels: tuple[Label, ...]
    ordered: bool
    timed: bool
    features: pd.DataFrame
    poses: tuple[Alignment | None, ...] = ()
    folder: str = ""
    series: str = ""
    unit: str = ""
    share: Share | None = field(default=None, repr=False)
    _deviations: Deviations = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.unit:
            object.__setattr__(self, "unit", self.name)
        if not self.poses:
            object.__setattr__(self, "poses", (None,) * len(self.looks))
        object.__setattr__(self, "_deviations", Deviations(self.features, compared=self.ordered))

    def __len__(self) -> int:
        return len(self.looks)

    @property
    def files(self) -> tuple[Path, ...]:
        """Paths in time order."""
        return tuple(look.path for look in self.looks)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the frames, px."""
        info = self.looks[0].info
        assert info is not None
        return info.height, info.width

    @property
    def label_values(self) -> npt.NDArray[np.float32]:
        """(N,) 1 bad, 0 good, -1 unlabelled."""
        values = [UNLABELLED if label.value is None else label.value for label in self.labels]
        return np.array(values, dtype=np.float32)

    @property
    def compared_with(self) -> npt.NDArray[np.int64]:
        """(N,) how many other frames each was compared with."""
        if "compared_with" not in self.features:
            return np.full(len(self), len(self) - 1 if self.ordered else 0)
        return self.features["compared_with"].to_numpy(dtype=np.int64)

    @property
    def times(self) -> list[str]:
        """Middle of each exposure, ISO 8601 in UTC; "" where unknown."""
        times = [look.info.time if look.info else None for look in self.looks]
        return [time.isoformat(timespec="milliseconds") if time else "" for time in times]

    @property
    def fingerprint(self) -> str:
        """16 hex digits that stay the same when the night's folder is moved or renamed."""
        first = self.looks[0]
        facts = first.info.to_json() if first.info else {}
        # Not known when the first weights were made.
        facts = {key: fact for key, fact in facts.items() if key not in ("ra_deg", "dec_deg")}
        return hashlib.sha256(f"{first.path.name}|{facts}".encode()).hexdigest()[:16]

    def deviation(self, item: Compared) -> Deviation:
        """How far a feature of each frame lies from what the others let expect, (N,); made once.

        NaN throughout for mixed frames and for features that were not measured.
        """
        return self.share.of(item) if self.share else self._deviations.of(item)


class Aside(NamedTuple):
    """A file that is part of no night.

    Attributes:
        path: the file.
        reason: `unreadable: ...` or `left out: ...`.
        label: what people say of it.
    """

    path: Path
    reason: str
    label: Label = Label()

    @property
    def unreadable(self) -> bool:
        """Whether it holds no frame (or else was left out on purpose)."""
        return self.reason.startswith("unreadable")


@dataclass(frozen=True, eq=False)
class NightSet:
    """All nights of some folders, and what became of the other files.

    Attributes:
        nights: in the order of their folders and times.
        aside: files that are part of none, unreadable ones first.
    """

    nights: tuple[Night, ...]
    aside: tuple[Aside, ...] = ()

    def __len__(self) -> int:
        return sum(len(night) for night in self.nights)

    @property
    def mixed(self) -> frozenset[str]:
        """Names of the nights that are loose frames."""
        return frozenset(night.name for night in self.nights if not night.ordered)

    def summary(self) -> str:
        """One line of counts."""
        values = np.concatenate([*(night.label_values for night in self.nights), []])
        unreadable = [item for item in self.aside if item.unreadable]
        labels = [*values, *(_value(item.label) for item in unreadable)]
        bad, good = labels.count(1), labels.count(0)
        ordered = sum(night.ordered for night in self.nights)
        return (
            f"{len(labels)} files: {ordered} nights with windows, "
            f"{bad} bad, {good} good, {len(labels) - bad - good} unlabelled, "
            f"{len(unreadable)} unreadable"
        )


def _value(label: Label) -> int:
    return UNLABELLED if label.value is None else label.value


def match_nights(name: str, nights: Sequence[Night]) -> list[Night]:
    """The nights called `name`, or all nights of the folder or series of that name.

    Raises:
        NightsiftError: there are none; lists the names there are.
    """
    members = [night for night in nights if name in (night.name, night.folder, night.series)]
    if not members:
        known = ", ".join(night.name for night in nights[:20])
        raise NightsiftError(f"no night is called {name!r}; there are: {known}")
    return members
