"""One number that a model sees beside the pixels: what it is made of, and how."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.heuristics.rules import Rule
from nightsift.heuristics.score import TOTAL_NORM, severity
from nightsift.night.comparison import KINDS, Compared

Floats = npt.NDArray[np.float64]

Kind = Literal["total", "severity", "by_limit", "by_scatter", "level", "gap_before", "gap_after"]
GAPS = ("gap_before", "gap_after")
# A deviation is never divided by less scatter than this share of its limit.
_LEAST_SCATTER = 0.02
_CONDITION = re.compile(r"(\w+)(?:>=|<)-?\d+(?:\.\d*)?(?:e-?\d+)?")


@dataclass(frozen=True, kw_only=True)
class InputColumn:
    """One number per frame.

    Attributes:
        name: unique in its specification.
        kind: `total`: log((1 + s) / 2) of all severities of the specification taken together
            (`total_severity`), 0 where the rules begin to reject; only as the first column.
            `severity`: log(1 + severity) of `rule`; `by_limit`: asinh of a deviation from the
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

    def measured(self) -> set[str]:
        """Columns of the feature table that it looks at, deviations included."""
        if self.kind == "level":
            return {self.feature}
        if self.kind != "severity":
            return set()
        conditions = (_CONDITION.fullmatch(text) for text in self._rule().needs.split())
        return {self._rule().feature, *(found[1] for found in conditions if found)}

    def value(self, table: pd.DataFrame, gaps: Mapping[str, Floats]) -> Floats:
        """(N,) the number of each frame.

        Args:
            table: features and deviations of a night.
            gaps: the values of the kinds in `GAPS`.
        """
        if self.kind in GAPS:
            return gaps[self.kind]
        if self.kind == "total":
            raise ValueError("a total is made of other columns")
        if self.kind == "severity":
            return np.asarray(np.log1p(severity(self._rule(), table)))
        value: Floats = table[self.feature].to_numpy(dtype=float)
        if self.kind == "by_limit":
            return np.asarray(np.arcsinh(value / self.limit))
        if self.kind == "by_scatter":
            kind, _, name = self.feature.partition("_")
            usual = table[f"{kind}_scale_{name}"].to_numpy(dtype=float)
            least = _LEAST_SCATTER * self.limit
            return np.asarray(np.arcsinh(value / np.maximum(usual, least)) / 2)
        value = np.log(np.maximum(value, self.smallest)) if self.log else value
        return np.asarray(self.factor * value)

    def to_json(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON primitives."""
        plain = {item.name: item.default for item in fields(self)} | {"rule": {}}
        return {key: value for key, value in asdict(self).items() if value != plain[key]}

    def check(self, deviations: Set[str]) -> None:
        """Raise NightsiftError unless every part has its type and range, and is there.

        Args:
            deviations: columns of the deviations that are made.
        """
        if problem := self._problem(deviations):
            raise NightsiftError(f"input {self.name!r}: {problem}")

    def _problem(self, deviations: Set[str]) -> str:
        if not _is_text(self.name):
            return "its name must be a text"
        if self.kind not in get_args(Kind):
            return f"unknown kind {self.kind!r}"
        if not isinstance(self.feature, str) or not isinstance(self.log, bool):
            return "feature must be a text, log true or false"
        if not (_is_positive(self.limit) and _is_positive(self.smallest)):
            return "limit and smallest must be positive numbers"
        if not is_number(self.factor):
            return "factor must be a number"
        if self.kind in ("by_limit", "by_scatter") and self.feature not in deviations:
            return f"{self.feature!r} is not compared"
        if self.kind == "level" and not self.feature:
            return "a level needs a feature"
        return self._problem_of_rule(deviations) if self.kind == "severity" else ""

    def _rule(self) -> Rule:
        return Rule(reason="", text="", **self.rule)

    def _problem_of_rule(self, deviations: Set[str]) -> str:
        try:
            rule = self._rule()
        except TypeError as error:
            return f"its rule cannot be read: {error}"
        numbers = (rule.zero, rule.sigmas, *(() if rule.gate is None else (rule.gate,)))
        if not (_is_positive(rule.limit) and all(map(is_number, numbers))):
            return "limit of its rule must be a positive number, zero, sigmas and gate numbers"
        if problem := problem_of_comparison(rule.feature, rule.log, rule.worse):
            return f"its rule: {problem}"
        if rule.kind not in (*KINDS, "level"):
            return f"unknown kind {rule.kind!r} of its rule"
        if rule.kind != "level" and f"{rule.kind}_{rule.feature}" not in deviations:
            return f"'{rule.kind}_{rule.feature}' is not compared"
        conditions = rule.needs.split() if isinstance(rule.needs, str) else [""]
        if not all(_CONDITION.fullmatch(condition) for condition in conditions):
            return f"its rule needs {rule.needs!r}: expected column>=number or column<number"
        return ""


def total_severity(severities: npt.NDArray[np.float64]) -> Floats:
    """(N,) severities of several rules, (N, R), as one: nearly the largest; NaN counts as 0."""
    return np.asarray(np.sum(np.nan_to_num(severities) ** TOTAL_NORM, axis=1) ** (1 / TOTAL_NORM))


def check_comparison(item: Compared) -> None:
    """Raise NightsiftError unless every part of a comparison has its type and range."""
    problem = problem_of_comparison(item.feature, item.log, item.worse)
    if item.kind not in KINDS or (item.kind == "best" and item.worse == 0):
        problem = f"unknown kind {item.kind!r}"
    if problem:
        raise NightsiftError(f"inputs: comparison of {item.feature!r}: {problem}")


def problem_of_comparison(feature: object, log: object, worse: object) -> str:
    """What is wrong with the parts that rules and comparisons share; "" where nothing is."""
    if not _is_text(feature) or not isinstance(log, bool):
        return "feature must be a text, log true or false"
    if isinstance(worse, bool) or worse not in (-1, 0, 1):
        return f"worse must be -1, 0 or 1, got {worse!r}"
    return ""


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: float) -> bool:
    return is_number(value) and value > 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""
