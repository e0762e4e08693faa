"""Numbers of each telescope with their intervals, and their mean and worst over telescopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from real_judging import BASELINE, HEURISTICS, is_right
from real_sets import INJECTED, LONE, REAL, SHORT
from unseen import recall_at

from nightsift.metrics.scores import binary_scores

Floats = npt.NDArray[np.float64]
_RESAMPLES = 1000
AP, RECALL_2, RECALL, FALSE = (
    "average precision",
    "recall at 2 % FR",
    "recall at threshold",
    "FR at threshold",
)
REASONS, COPIES, ECE = "reasons right", "FR on copies", "ECE"
_SHORT_NIGHT = 5
_FEWEST_NIGHTS = 5


class Number(NamedTuple):
    """A number (NaN where undefined), its values over resamples, and of how many frames."""

    value: float
    drawn: Floats
    frames: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 %; NaN where it is undefined."""
        drawn = self.drawn[np.isfinite(self.drawn)]
        if not len(drawn) or np.isnan(self.value):
            return np.nan, np.nan
        low, high = np.percentile(drawn, [2.5, 97.5])
        return float(low), float(high)


Numbers = dict[str, Number]


def numbers_of(table: pd.DataFrame, way: str) -> Numbers:
    """All numbers of one telescope and one way of judging; keys as in `keys`."""
    group = table["group"]
    ranked = table[table[f"{way} prob"].notna()]
    both = ranked[ranked["group"].isin([REAL, INJECTED])]
    out = {**_scores(both, way, "")}
    for name in (REAL, INJECTED):
        out |= _scores(ranked[ranked["group"] == name], way, f", {name}")
    for kind in sorted(set(group) - {REAL, INJECTED, LONE, SHORT}):
        own = table[group == kind]
        out[f"{COPIES}: {kind}"] = _number(own, _share_of(own[f"{way} bad"]))
    if f"{way} reason" in table:
        flagged = both[both[f"{way} bad"] & (both["label"] == 1) & (both["causes"].map(len) > 0)]
        right = [
            is_right(reason, causes)
            for reason, causes in zip(flagged[f"{way} reason"], flagged["causes"], strict=True)
        ]
        out[REASONS] = _number(flagged, _share_of(pd.Series(right, dtype=bool)))
    if way not in (HEURISTICS, BASELINE):
        for name, own in _by_length(ranked).items():
            out[f"{ECE}, {name}"] = _number(own, _calibration(own, way))
    return out


def _by_length(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    of_nights = table[table["group"].isin([REAL, INJECTED])]
    short = (of_nights["size"] > 1) & (of_nights["size"] <= _SHORT_NIGHT)
    alone = of_nights["size"] == 1
    return {
        "lone": pd.concat([table[table["group"] == LONE], of_nights[alone]]),
        "short": pd.concat([table[table["group"] == SHORT], of_nights[short]]),
        "long": of_nights[of_nights["size"] > _SHORT_NIGHT],
        "real": table[table["group"] == REAL],
    }


Measure = Callable[[Floats], Floats]


def _number(table: pd.DataFrame, measure: Measure) -> Number:
    """Resampled over nights; over frames where there are fewer than five nights."""
    if not len(table):
        return Number(np.nan, np.full(_RESAMPLES, np.nan), 0)
    nights, member = np.unique(table["night"].to_numpy(dtype=str), return_inverse=True)
    by_night = len(nights) >= _FEWEST_NIGHTS
    units = len(nights) if by_night else len(table)
    member = member if by_night else np.arange(len(table))
    draws = np.random.default_rng(0).multinomial(units, np.full(units, 1 / units), _RESAMPLES)
    point = measure(np.ones((1, len(table))))
    return Number(float(point[0]), measure(draws[:, member].astype(float)), len(table))


def _share_of(true: pd.Series) -> Measure:
    values = true.to_numpy(dtype=float)

    def measure(weight: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return (weight @ values) / weight.sum(axis=1)

    return measure


def _scores(table: pd.DataFrame, way: str, suffix: str) -> Numbers:
    prob = table[f"{way} prob"].to_numpy(dtype=float)
    bad, label = table[f"{way} bad"].to_numpy(dtype=float), table["label"].to_numpy(dtype=float)

    def precision(weight: Floats) -> Floats:
        return binary_scores(prob, label, np.nan, weights=weight)["average_precision"]

    def rate(wanted: int) -> Measure:
        def measure(weight: Floats) -> Floats:
            own = weight * (label == wanted)
            with np.errstate(invalid="ignore", divide="ignore"):
                return (own @ bad) / own.sum(axis=1)

        return measure

    measures: dict[str, Measure] = {RECALL: rate(1), FALSE: rate(0)}
    if 0 < label.sum() < len(label):
        measures |= {AP: precision, RECALL_2: lambda w: recall_at(prob, label, w, 0.02)}
    return {f"{name}{suffix}": _number(table, measure) for name, measure in measures.items()}


def _calibration(table: pd.DataFrame, way: str) -> Measure:
    prob = table[f"{way} prob"].to_numpy(dtype=float)
    label = table["label"].to_numpy(dtype=float)
    return lambda weight: binary_scores(prob, label, np.nan, weights=weight)[
        "expected_calibration_error"
    ]


def over_telescopes(own: dict[str, Numbers], key: str) -> tuple[Number, str, Number]:
    """The mean, the worst telescope and its number; those where it is undefined do not count."""
    known = {name: row[key] for name, row in own.items() if key in row}
    known = {name: number for name, number in known.items() if not np.isnan(number.value)}
    nothing = Number(np.nan, np.full(1, np.nan), 0)
    if not known:
        return nothing, "", nothing
    drawn = np.ma.masked_invalid([number.drawn for number in known.values()]).mean(axis=0)
    value = float(np.mean([number.value for number in known.values()]))
    mean = Number(
        value, np.ma.filled(drawn, np.nan), sum(number.frames for number in known.values())
    )
    high_is_bad = key.startswith((FALSE, COPIES, ECE))
    name = (max if high_is_bad else min)(known, key=lambda name: known[name].value)
    return mean, name, known[name]


def keys(own: dict[str, Numbers]) -> list[str]:
    """Names of all numbers, in order."""
    return list(dict.fromkeys(key for numbers in own.values() for key in numbers))
