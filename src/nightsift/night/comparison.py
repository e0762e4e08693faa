"""How each feature of a frame deviates from the others of its night."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.night.trend import Deviation, best_deviation, local_deviation, slow_deviation

Floats = npt.NDArray[np.float64]

# From the smooth course of the night, from the frames around, from the best frames of the night.
KINDS = ("slow", "local", "best")
# Exposure times within this ratio are compared with each other.
_SAME_EXPOSURE = 1.1


class Compared(NamedTuple):
    """One feature against the night.

    Attributes:
        feature: column of the feature table.
        kind: one of `KINDS` (`nightsift.night.trend`).
        log: compare natural logarithms.
        worse: 1 if larger is worse, -1 if smaller is, 0 if both are.
    """

    feature: str
    kind: str
    log: bool = False
    worse: int = 0

    @property
    def column(self) -> str:
        """Column of the deviation."""
        return f"{self.kind}_{self.feature}"

    @property
    def scale_column(self) -> str:
        """Column of the scatter of the others."""
        return f"{self.kind}_scale_{self.feature}"


class Deviations:
    """Deviations of the features of one night, each made when it is first asked for.

    Frames are compared within their exposure time; NaN where there are fewer than six.

    Args:
        features: rows of one night, with `hours` and `group`.
        compared: whether there is anything to compare with.
    """

    def __init__(self, features: pd.DataFrame, *, compared: bool = True) -> None:
        self._features = features
        self._compared = compared
        self._made: dict[Compared, Deviation] = {}

    def of(self, item: Compared) -> Deviation:
        """Deviation and scatter, (N,) each; in natural logarithms where `item` says so."""
        if item not in self._made:
            self._made[item] = self._make(item)
        return self._made[item]

    def columns(self, items: Iterable[Compared]) -> dict[str, Floats]:
        """Two columns for each of `items`: deviation and scatter."""
        out: dict[str, Floats] = {}
        for item in items:
            out[item.column], out[item.scale_column] = self.of(item)
        return out

    def _make(self, item: Compared) -> Deviation:
        value, scale = (np.full(len(self._features), np.nan) for _ in range(2))
        if not self._compared or item.feature not in self._features:
            return Deviation(value, scale)
        values = self._features[item.feature].to_numpy(dtype=float)
        values = comparable(values, log=item.log)
        hours = self._features["hours"].to_numpy(dtype=float)
        groups = self._features["group"].to_numpy()
        for number in np.unique(groups):
            own = np.flatnonzero(groups == number)
            value[own], scale[own] = self._compare(item, own, hours[own], values[own])
        return Deviation(value, scale)

    def _compare(
        self, item: Compared, rows: npt.NDArray[np.intp], hours: Floats, values: Floats
    ) -> Deviation:
        """Deviations of the frames of one exposure time, which stand in `rows`."""
        del rows
        return deviation_in_night(item, hours, values)


def deviation_in_night(item: Compared, hours: Floats, values: Floats) -> Deviation:
    """Deviation of each frame from the course of its night."""
    if item.kind == "slow":
        return slow_deviation(hours, values, worse=item.worse)
    if item.kind == "best":
        return best_deviation(values, worse=item.worse)
    return local_deviation(values)


def comparable(values: Floats, *, log: bool) -> Floats:
    """The values, or their logarithms; what has none counts as very small."""
    if not log:
        return values
    # Half a star, or a millionth of an adu: far below anything, and finite.
    return np.asarray(np.log(np.where(values > 0, values, np.where(np.isnan(values), np.nan, 0.5))))


def exposure_groups(exposure_s: Floats) -> npt.NDArray[np.intp]:
    """(N,) number of the group of exposure times that differ by at most 10 %; 0 where unknown."""
    groups = np.zeros(len(exposure_s), dtype=np.intp)
    known = np.flatnonzero(np.isfinite(exposure_s))
    number, start = 0, None
    for i in known[np.argsort(exposure_s[known], kind="stable")]:
        if start is None or exposure_s[i] > _SAME_EXPOSURE * start:
            number, start = number + 1, float(exposure_s[i])
        groups[i] = number
    return groups
