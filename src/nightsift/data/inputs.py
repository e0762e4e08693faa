"""What a model sees beside the pixels: numbers that mean the same on every camera.

An `InputSpec` says of each number what it is made of. It travels in the card of the weights: rules
may come, go and be tuned without changing what weights that exist are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.heuristics.rules import Rule
from nightsift.heuristics.score import severity
from nightsift.look.parallel import FRAMES_WORTH_PROCESSES, make_pool, worker_count
from nightsift.night.comparison import Compared
from nightsift.night.night import Night

Floats = npt.NDArray[np.float64]

FORMAT = 1
Kind = Literal["severity", "by_limit", "by_scatter", "level", "gap_before", "gap_after"]
GAPS = ("gap_before", "gap_after")
# A deviation is never divided by less scatter than this share of its limit.
_LEAST_SCATTER = 0.02


@dataclass(frozen=True, kw_only=True)
class InputColumn:
    """One number per frame.

    Attributes:
        name: unique in its specification.
        kind: `severity`: log(1 + severity) of `rule`; `by_limit`: asinh of a deviation from the
            night over `limit`; `by_scatter`: half the asinh of it over its usual scatter;
            `level`: the value of `feature`, or its logarithm, times `factor`; `gap_before` and
            `gap_after`: half the logarithm of the time to the neighbour over the usual one.
        feature: measured feature, for `level`; deviation (`slow_fwhm_px`), for `by_...`.
        limit: deviation that an observer would notice.
        log: whether a level is a logarithm.
        factor: brings a level to the order of 1.
        smallest: the smallest value that a logarithm tells from zero.
        rule: what a severity is made of.
    """

    name: str
    kind: Kind
    feature: str = ""
    limit: float = 1.0
    log: bool = False
    factor: float = 1.0
    smallest: float = 0.1
    rule: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """All numbers that a model is given of a frame, in order.

    Attributes:
        columns: the gaps in time, if any, come last.
        comparisons: the deviations that columns are made of.
        clip: largest absolute value.
        missing: what stands for a number that could not be measured; None for NaN.
    """

    columns: tuple[InputColumn, ...]
    comparisons: tuple[Compared, ...]
    clip: float = 5.0
    missing: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

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
        columns = [_value(column, table, gaps) for column in self.columns]
        values = np.column_stack(columns).clip(-self.clip, self.clip)
        if self.missing is not None:
            values = np.nan_to_num(values, nan=self.missing)
        return values.astype(np.float32)

    def _table(self, night: Night) -> pd.DataFrame:
        missing = {item.feature for item in self.comparisons} - set(night.features)
        missing |= {c.feature for c in self.columns if c.kind == "level"} - set(night.features)
        if missing:
            raise NightsiftError(
                f"these weights look at features that are not measured here: "
                f"{', '.join(sorted(missing))}; plugins=[package] adds those of another package"
            )
        columns: dict[str, Floats] = {}
        for item in self.comparisons:
            columns[item.column], columns[item.scale_column] = night.deviation(item)
        return pd.concat(
            [night.features, pd.DataFrame(columns, index=night.features.index)], axis=1
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON primitives; of a column only what differs from the defaults."""
        return {
            "format": FORMAT,
            "clip": self.clip,
            "missing": self.missing,
            "comparisons": [item._asdict() for item in self.comparisons],
            "columns": [_slim(column) for column in self.columns],
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
                    f"the inputs on the card have format {data['format']}, this version reads "
                    f"{FORMAT}"
                )
            missing = data["missing"]
            spec = cls(
                columns=tuple(InputColumn(**column) for column in data["columns"]),
                comparisons=tuple(Compared(**item) for item in data["comparisons"]),
                clip=float(data["clip"]),
                missing=None if missing is None else float(missing),
            )
            spec.check()
        except (KeyError, TypeError, AttributeError) as error:
            raise NightsiftError(f"the inputs on the card cannot be read: {error}") from error
        return spec

    def check(self) -> None:
        """Raise NightsiftError unless names are unique, kinds known, parts there, gaps last."""
        known = {item.column for item in self.comparisons}
        for column in self.columns:
            if column.kind not in get_args(Kind):
                raise NightsiftError(f"input {column.name}: unknown kind {column.kind!r}")
            if column.kind in ("by_limit", "by_scatter") and column.feature not in known:
                raise NightsiftError(f"input {column.name}: {column.feature} is not compared")
            if not (np.isfinite(column.limit) and column.limit > 0):
                raise NightsiftError(f"input {column.name}: limit must be positive")
        is_gap = [column.kind in GAPS for column in self.columns]
        if len(set(self.names)) != len(self.names) or is_gap != sorted(is_gap):
            raise NightsiftError("inputs: names must be unique, and the gaps in time come last")


def _slim(column: InputColumn) -> dict[str, Any]:
    plain = {item.name: item.default for item in fields(InputColumn)} | {"rule": {}}
    return {key: value for key, value in asdict(column).items() if value != plain[key]}


def _value(column: InputColumn, table: pd.DataFrame, gaps: Mapping[str, Floats]) -> Floats:
    if column.kind in GAPS:
        return gaps[column.kind]
    if column.kind == "severity":
        return np.asarray(np.log1p(severity(Rule(reason="", text="", **column.rule), table)))
    value: Floats = table[column.feature].to_numpy(dtype=float)
    if column.kind == "by_limit":
        return np.asarray(np.arcsinh(value / column.limit))
    if column.kind == "by_scatter":
        kind, _, name = column.feature.partition("_")
        usual = table[f"{kind}_scale_{name}"].to_numpy(dtype=float)
        return np.asarray(np.arcsinh(value / np.maximum(usual, _LEAST_SCATTER * column.limit)) / 2)
    value = np.log(np.maximum(value, column.smallest)) if column.log else value
    return np.asarray(column.factor * value)


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
    with make_pool(worker_count(workers), frames, processes=True) as pool:
        return list(pool.map(spec.compute, nights, chunksize=4))
