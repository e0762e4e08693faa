"""What a model sees beside the pixels: numbers that mean the same on every camera.

An `InputSpec` says of each number what it is made of. It travels in the card of the weights: rules
may come, go and be tuned without changing what weights that exist are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.data.columns import (
    GAPS,
    Floats,
    InputColumn,
    check_comparison,
    is_number,
    total_severity,
)
from nightsift.errors import NightsiftError
from nightsift.look.parallel import FRAMES_WORTH_PROCESSES, make_pool, worker_count
from nightsift.night.changes import VERSION
from nightsift.night.comparison import Compared
from nightsift.night.night import Night

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """All numbers that a model is given of a frame, in order.

    Attributes:
        columns: the gaps in time, if any, come last.
        comparisons: the deviations that columns are made of.
        clip: largest absolute value.
        missing: what stands for a number that could not be measured; None for NaN.
        changes: version of the planes of `nightsift.night.changes` that the model sees instead
            of the frames' own; 0 where it sees those.
    """

    columns: tuple[InputColumn, ...]
    comparisons: tuple[Compared, ...]
    clip: float = 5.0
    missing: float | None = None
    changes: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def anchored(self) -> bool:
        """Whether the first column is all severities taken together."""
        return bool(self.columns) and self.columns[0].kind == "total"

    @property
    def gaps(self) -> int:
        """How many of the last columns are gaps in time."""
        return sum(column.kind in GAPS for column in self.columns)

    def compute(self, night: Night) -> npt.NDArray[np.float32]:
        """The numbers of all frames of a night, (N, F) float32 within +-clip.

        Raises:
            NightsiftError: a feature is not measured here (the package that adds it is missing).
        """
        table = self._table(night)
        gaps = _gaps(table["hours"].to_numpy(dtype=float))
        made = {c.name: c.value(table, gaps) for c in self.columns if c.kind != "total"}
        if self.anchored:
            severe = [made[c.name] for c in self.columns if c.kind == "severity"]
            total = total_severity(np.expm1(np.column_stack(severe)))
            made[self.columns[0].name] = np.log((1 + total) / 2)
        values = np.column_stack([made[name] for name in self.names])
        values = values.clip(-self.clip, self.clip)
        if self.missing is not None:
            values = np.nan_to_num(values, nan=self.missing)
        return values.astype(np.float32)

    def _table(self, night: Night) -> pd.DataFrame:
        columns: dict[str, Floats] = {}
        for item in self.comparisons:
            columns[item.column], columns[item.scale_column] = night.deviation(item)
        wanted = {item.feature for item in self.comparisons}
        wanted |= set().union(*(column.measured() for column in self.columns)) - columns.keys()
        if missing := wanted - set(night.features):
            raise NightsiftError(
                f"these weights look at features that are not measured here: "
                f"{', '.join(sorted(missing))}; plugins=[package] adds those of another package"
            )
        return pd.concat(
            [night.features, pd.DataFrame(columns, index=night.features.index)], axis=1
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON primitives; of a column only what differs from the defaults."""
        return {
            "format": FORMAT,
            "clip": self.clip,
            "missing": self.missing,
            **({"changes": self.changes} if self.changes else {}),
            "comparisons": [item._asdict() for item in self.comparisons],
            "columns": [column.to_json() for column in self.columns],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> InputSpec:
        """Read what `to_json` wrote.

        Raises:
            NightsiftError: not such an object, of another format, or of parts that do not fit.
        """
        try:
            if data["format"] != FORMAT:
                raise NightsiftError(
                    f"the inputs on the card have format {data['format']!r}, this version reads "
                    f"{FORMAT}"
                )
            spec = cls(
                columns=tuple(InputColumn(**column) for column in data["columns"]),
                comparisons=tuple(Compared(**item) for item in data["comparisons"]),
                clip=data["clip"],
                missing=data["missing"],
                changes=data.get("changes", 0),
            )
        except (KeyError, TypeError) as error:
            raise NightsiftError(f"the inputs on the card cannot be read: {error}") from error
        spec.check()
        return spec

    def check(self) -> None:
        """Raise NightsiftError unless all parts have their types and ranges and fit together."""
        if not is_number(self.clip) or self.clip <= 0:
            raise NightsiftError(f"inputs: clip must be a positive number, got {self.clip!r}")
        if self.missing is not None and not is_number(self.missing):
            raise NightsiftError(f"inputs: missing must be a number or null, got {self.missing!r}")
        if self.changes not in (0, VERSION) or isinstance(self.changes, bool):
            raise NightsiftError(
                f"inputs: planes of changes of version {self.changes!r}, this version makes "
                f"{VERSION}: train again"
            )
        for item in self.comparisons:
            check_comparison(item)
        deviations = {item.column for item in self.comparisons}
        if len(deviations) < len(self.comparisons):
            raise NightsiftError("inputs: a feature is compared twice in the same way")
        for column in self.columns:
            column.check(deviations)
        totals = [column.kind == "total" for column in self.columns]
        rules = any(column.kind == "severity" for column in self.columns)
        if any(totals[1:]) or (any(totals) and not rules):
            raise NightsiftError("inputs: a total is the first column, of severities that follow")
        is_gap = [column.kind in GAPS for column in self.columns]
        if len(set(self.names)) != len(self.names) or is_gap != sorted(is_gap):
            raise NightsiftError("inputs: names must be unique, and the gaps in time come last")
        if self.gaps == len(self.columns):
            raise NightsiftError("inputs: there must be more than the gaps in time")


def _gaps(hours: Floats) -> dict[str, Floats]:
    """Logarithm of the time to the neighbours over the usual one; NaN at the ends."""
    gap = np.diff(hours)
    usual = float(np.median(gap)) if len(gap) and np.isfinite(gap).all() else float("nan")
    ratio = np.log(np.maximum(gap, 1e-6) / max(usual, 1e-6)) / 2
    before, after = np.r_[np.nan, ratio], np.r_[ratio, np.nan]
    return dict(zip(GAPS, (before[: len(hours)], after[: len(hours)]), strict=True))


def compute_inputs(
    spec: InputSpec | None, nights: Sequence[Night], *, workers: int = 0, processes: bool = False
) -> list[npt.NDArray[np.float32]]:
    """Inputs of each night, (N, F); F is 0 where a model sees none.

    Args:
        spec: what they are made of, or None.
        nights: with their features.
        workers: nights at the same time; 0 means one per core.
        processes: in processes, where there are enough frames to be worth it.
    """
    if spec is None:
        return [np.empty((len(night), 0), np.float32) for night in nights]
    frames = sum(len(night) for night in nights)
    if not processes or len(nights) == 1 or frames < FRAMES_WORTH_PROCESSES:
        return [spec.compute(night) for night in nights]
    # Nights of a series share what they were compared with: it travels once.
    together: dict[str, list[int]] = {}
    for number, night in enumerate(nights):
        together.setdefault(night.unit, []).append(number)
    numbers = list(together.values())
    batches = [[nights[number] for number in own] for own in numbers]
    with make_pool(worker_count(workers), frames, processes=True) as pool:
        made = list(pool.map(partial(_compute_all, spec), batches, chunksize=4))
    found = {
        n: x for own, xs in zip(numbers, made, strict=True) for n, x in zip(own, xs, strict=True)
    }
    return [found[number] for number in range(len(nights))]


def _compute_all(spec: InputSpec, nights: Sequence[Night]) -> list[npt.NDArray[np.float32]]:
    return [spec.compute(night) for night in nights]
