"""What a frame is compared within: its night, or the series where the night is too short.

A night of at least `LONG_NIGHT` frames of one exposure time is compared as a night: fewer leave
the scatter unknown by more than a third, and no smooth course to tell from noise. A shorter
one joins the others of its series, if these bring at least as many frames as it has itself; a long
night lends them `LENT` of its frames and is compared as ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.look.look import Look
from nightsift.night.alignment import Alignment
from nightsift.night.comparison import (
    Compared,
    Deviations,
    Floats,
    deviation_in_night,
    exposure_groups,
)
from nightsift.night.order_free import series_deviation
from nightsift.night.trend import MIN_FRAMES, Deviation, best_deviation

LONG_NIGHT = 12
LENT = LONG_NIGHT - 1

# What good nights of one series differ by, as a standard deviation (natural logarithms of levels):
# full moon makes the sky three to five times as bright, and its noise twice as large; a field that
# is pointed at anew lies elsewhere by up to a third of the frame.
NIGHTLY = {
    "background_adu": 0.25,
    "noise_adu": 0.15,
    "gradient": 0.02,
    "sky_shape": 0.3,
    "jump_share": 0.06,
}
# A group of exposure times that is too small to be compared joins the nearest one within this
# ratio: stars are compared by their light per second, and skies that differ more are good.
_NEAR_EXPOSURE = 2.0


class Unit(NamedTuple):
    """Nights whose frames are compared with each other.

    Attributes:
        nights: numbers of all that take part, in order of time.
        judged: those of them that are compared here; the others lend frames.
    """

    nights: tuple[int, ...]
    judged: frozenset[int]


def find_units(series: Sequence[str], groups: Sequence[npt.NDArray[np.intp]]) -> list[Unit]:
    """Units of two or more nights; nights that are in none as judged are compared alone.

    Args:
        series: name of the series of each night.
        groups: of each night, (N,) number of the exposure time of each frame.
    """
    lent = [min(len(own), LENT) if is_long(own) else len(own) for own in groups]
    members: dict[str, list[int]] = {}
    for number, name in enumerate(series):
        members.setdefault(name, []).append(number)
    units = []
    for numbers in members.values():
        frames = sum(lent[number] for number in numbers)
        judged = frozenset(
            number
            for number in numbers
            if not is_long(groups[number]) and 2 * lent[number] <= frames
        )
        if judged and len(numbers) > 1:
            units.append(Unit(tuple(numbers), judged))
    return units


def is_long(groups: npt.NDArray[np.intp]) -> bool:
    """Whether a night has enough frames of one exposure time to be compared by itself."""
    return max(Counter(groups.tolist()).values()) >= LONG_NIGHT


def lent_rows(groups: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Rows of the frames that a night lends, evenly over it; all of them where it is short."""
    if not is_long(groups):
        return np.arange(len(groups))
    return np.linspace(0, len(groups) - 1, LENT).round().astype(np.intp)


class SeriesDeviations(Deviations):
    """Deviations of the frames of a unit from each other, whatever their order.

    What nights may differ by is allowed for (`NIGHTLY`); where a night has enough frames, what
    is usual in that night is no deviation of such a level, and `local` is what it is in any night.

    Args:
        features: rows of all frames, with `hours` of each night, and `group`.
        night: (N,) number of the night of each.
    """

    def __init__(self, features: pd.DataFrame, night: npt.NDArray[np.intp]) -> None:
        super().__init__(features)
        self._night = night

    def _compare(
        self, item: Compared, rows: npt.NDArray[np.intp], hours: Floats, values: Floats
    ) -> Deviation:
        if item.kind == "best":
            return best_deviation(values, worse=item.worse)
        night = self._night[rows]
        value, scale = series_deviation(values, night, floor=NIGHTLY.get(item.feature, 0.0))
        for number in np.unique(night):
            own = np.flatnonzero(night == number)
            if len(own) <= MIN_FRAMES:
                continue
            inside = deviation_in_night(item, hours[own], values[own])
            # Another exposure time may have left the night (almost) to itself.
            if item.kind == "local" or 2 * len(own) > len(rows):
                taken = np.ones(len(own), dtype=bool)
            else:
                taken = np.abs(inside.value) < np.abs(value[own])
                taken &= item.feature in NIGHTLY
            value[own[taken]] = inside.value[taken]
            scale[own[taken]] = inside.scale[taken]
        return Deviation(value, scale)


class Share(NamedTuple):
    """A night's part of what was compared.

    Attributes:
        deviations: of all frames of the unit, made once for all its nights.
        rows: (N,) where the night's own frames stand in it.
        looks: of all frames of the unit.
        poses: how each of them lies on the reference frame; None where it is not known.
        features: of all of them.
    """

    deviations: Deviations
    rows: npt.NDArray[np.intp]
    looks: tuple[Look, ...]
    poses: tuple[Alignment | None, ...]
    features: pd.DataFrame

    def of(self, item: Compared) -> Deviation:
        """Deviation and scatter of the night's frames, (N,) each."""
        value, scale = self.deviations.of(item)
        return Deviation(value[self.rows], scale[self.rows])


def series_groups(exposure_s: Floats) -> npt.NDArray[np.intp]:
    """(N,) number of the group of exposure times within which frames of a series are compared.

    As in a night, but a group of no more than `MIN_FRAMES` joins the nearest large one.

    Args:
        exposure_s: (N,) NaN where unknown.
    """
    groups = exposure_groups(exposure_s)
    known = {
        number: float(np.median(np.log(np.maximum(exposure_s[groups == number], 1e-6))))
        for number in np.unique(groups[np.isfinite(exposure_s)]).tolist()
    }
    counts = Counter(groups.tolist())
    large = [number for number in known if counts[number] > MIN_FRAMES]
    for number in known.keys() - set(large):
        nearest = min(large, key=lambda other: abs(known[other] - known[number]), default=number)
        if abs(known[nearest] - known[number]) <= np.log(_NEAR_EXPOSURE):
            groups[groups == number] = nearest
    return groups


def compared_with(groups: npt.NDArray[np.intp]) -> Floats:
    """(N,) how many others have the exposure time of each frame."""
    counts = Counter(groups.tolist())
    return np.array([counts[number] - 1 for number in groups.tolist()], dtype=float)
