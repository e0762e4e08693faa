"""Evidence to a score, a reason and a sentence for each frame."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.heuristics.limits import Limits, header_scales
from nightsift.heuristics.rules import RULES, Rule, all_reasons
from nightsift.heuristics.table import PUBLISHED_COLUMNS, feature_table
from nightsift.look.measure import AllFeatures, Measure
from nightsift.night.comparison import comparable
from nightsift.night.night import NightSet

Floats = npt.NDArray[np.float64]

FLAG_SCORE = 0.5
# Nearly the largest severity; several that are almost as large add a little.
TOTAL_NORM = 8
_DECISIVE = 1e6
_SHOWN = 3
_OPERATORS = {">=": operator.ge, "<": operator.lt}


class Method(Protocol):
    """A way to measure frames and to rank them; what `heuristics=NAME` chooses."""

    @property
    def measure(self) -> Measure:
        """How each frame is measured."""
        ...

    def table(self, nights: NightSet) -> pd.DataFrame:
        """One row per file: the published columns, what was measured, `night` and `error`."""
        ...

    def judge(self, features: pd.DataFrame) -> pd.DataFrame:
        """`candidate_score` 0-1, `flag_any` 0 or 1, `reason` and `explanation` of each row."""
        ...


@dataclass(frozen=True, kw_only=True)
class RobustScore:
    """`heuristics=robust`: deviations from the night and absolute limits, per reason.

    Attributes:
        weights: reason to a factor on its severity; 1 where a reason is not named, 0 leaves
            the reason out.
        strictness: factor on all severities; 2 halves every limit.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    strictness: float = 1.0

    def __post_init__(self) -> None:
        known = all_reasons()
        unknown = sorted(set(self.weights) - set(known))
        if unknown:
            raise NightsiftError(
                f"heuristics.weights: {', '.join(unknown)} is no reason; known: {', '.join(known)}"
            )
        if min([*self.weights.values(), self.strictness]) < 0:
            raise NightsiftError(
                "heuristics.weights and heuristics.strictness must not be negative"
            )

    @property
    def measure(self) -> Measure:
        """All features."""
        return AllFeatures()

    def table(self, nights: NightSet) -> pd.DataFrame:
        """`nightsift.heuristics.table.feature_table`."""
        return feature_table(nights)

    def judge(self, features: pd.DataFrame) -> pd.DataFrame:
        """`candidate_score`, `flag_any`, `reason`, `explanation` and one severity per reason.

        Args:
            features: rows from `nightsift.heuristics.table.feature_table` or `night_table`;
                rows with a text in `error` are unreadable.

        Returns:
            One row per row of `features`, with its index. A score of 0.5 is a severity of 1.
        """
        single = {
            rule: self._factor(rule.reason) * severity(rule, features) for rule in RULES.values()
        }
        nothing = np.zeros(len(features))
        by_reason = pd.DataFrame(index=features.index)
        for name in all_reasons():
            own = [values for rule, values in single.items() if rule.reason == name]
            # fmax: a rule that abstains (NaN) takes nothing from the others.
            by_reason[name] = np.fmax.reduce([nothing, *own])
        unreadable = (features["error"].fillna("") != "").to_numpy()
        by_reason.loc[unreadable, :] = 0.0
        total = np.sum(by_reason.to_numpy() ** TOTAL_NORM, axis=1) ** (1 / TOTAL_NORM)
        score = total**2 / (1 + total**2)
        by_reason["unreadable"] = np.where(unreadable, np.inf, 0.0)
        score[unreadable] = 1.0
        reason = np.where(score > 0, _named(by_reason, single), "")
        out = pd.DataFrame(index=features.index)
        out["candidate_score"] = score
        out["flag_any"] = (score >= FLAG_SCORE).astype(int)
        out["reason"] = reason
        out["explanation"] = [
            explain(row, reason[i], {r: v[i] for r, v in single.items()})
            for i, row in enumerate(features.to_dict("records"))
        ]
        return out.join(by_reason.drop(columns="unreadable").add_prefix("severity_"))

    def _factor(self, reason: str) -> float:
        return self.strictness * float(self.weights.get(reason, 1.0))


def judge_features(
    features: pd.DataFrame, method: Method | None = None, *, limits: Limits | None = None
) -> pd.DataFrame:
    """Score, flag, reason and explanation of each row of a feature table, worst first.

    Args:
        features: from `method.table`, or from `nightsift.heuristics.table.measure_night`.
        method: `RobustScore` unless given.
        limits: beyond which a frame is flagged, with its reason; None for none.

    Returns:
        The published columns, `candidate_score`, `flag_any`, then everything else; within equal
        scores in the order of the table.

    Raises:
        NightsiftError: `method` does not measure what a limit is set on, or no header tells the
            pixel scale that one needs.
    """
    verdict = (method or RobustScore()).judge(features)
    if limits is not None:
        verdict = _limited(verdict, features, limits)
    first = list(PUBLISHED_COLUMNS)
    table = pd.concat([features[first], verdict, features.drop(columns=first)], axis=1)
    return table.sort_values("candidate_score", ascending=False, kind="stable")


def _limited(verdict: pd.DataFrame, features: pd.DataFrame, limits: Limits) -> pd.DataFrame:
    """Verdicts by limits too: the ratio to the limit counts as the severity does."""
    if not limits.set_keys:
        return verdict
    found = limits.judge(features, header_scales(limits, features["file"]))
    beyond = found["excess"].notna()
    total = found.loc[beyond, "excess"]
    out = verdict.copy()
    score = np.maximum(out.loc[beyond, "candidate_score"], total**2 / (1 + total**2))
    out.loc[beyond, "candidate_score"] = score
    out.loc[beyond, "flag_any"] = 1
    out.loc[beyond, ["reason", "explanation"]] = found.loc[beyond, ["reason", "explanation"]]
    return out


def _named(by_reason: pd.DataFrame, single: Mapping[Rule, Floats]) -> npt.NDArray[Any]:
    """The reason with the largest severity, unless a decisive rule speaks."""
    weighed = by_reason.copy()
    for rule, values in single.items():
        if rule.decisive:
            weighed.loc[np.nan_to_num(values) >= 1, rule.reason] += _DECISIVE
    return np.asarray(np.array(weighed.columns)[weighed.to_numpy().argmax(axis=1)])


def severity(rule: Rule, features: pd.DataFrame) -> Floats:
    """(N,) severity of one rule, at least 0; NaN where it has nothing to go by."""
    value = features[rule.feature].to_numpy(dtype=float)
    if rule.kind == "level":
        sign = rule.worse or 1
        out = sign * (comparable(value, log=rule.log) - rule.zero) / rule.limit
    else:
        deviation = features[f"{rule.kind}_{rule.feature}"].to_numpy(dtype=float)
        scale = features[f"{rule.kind}_scale_{rule.feature}"].to_numpy(dtype=float)
        limit = np.maximum(rule.limit, rule.sigmas * scale)
        out = (rule.worse * deviation if rule.worse else np.abs(deviation)) / limit
    if rule.gate is not None:
        out = np.where(rule.worse * (value - rule.gate) >= 0, out, 0.0)
    for condition in rule.needs.split():
        out = np.where(_holds(condition, features), out, np.nan)
    return np.maximum(out, 0.0)


def explain(row: Mapping[Any, Any], reason: str, severities: Mapping[Rule, float]) -> str:
    """A sentence: the reason, and the features that speak for it, strongest first."""
    if reason == "unreadable":
        return f"unreadable: {row['error']}"
    own = [(value, rule) for rule, value in severities.items() if rule.reason == reason]
    speaking = sorted((item for item in own if item[0] >= 0.5), key=lambda item: -item[0])
    texts: list[str] = []
    seen: set[str] = set()
    for _, rule in speaking:
        if rule.feature not in seen:
            seen.add(rule.feature)
            texts.append(_filled(rule, row))
    return f"{reason}: {', '.join(texts[:_SHOWN])}" if texts else ""


def _filled(rule: Rule, row: Mapping[Any, Any]) -> str:
    value = float(str(row[rule.feature]))
    facts = {key: item for key, item in row.items() if isinstance(item, float)}
    deviation = facts.get(f"{rule.kind}_{rule.feature}", 0.0)
    if rule.log:
        ratio = float(np.exp(deviation))
        expected = value / ratio
    else:
        expected = value - deviation
        ratio = value / expected if expected else float("inf")
    return rule.text.format(**{**facts, "value": value, "ratio": ratio, "expected": expected})


def _holds(condition: str, features: pd.DataFrame) -> npt.NDArray[np.bool_]:
    for sign, compare in _OPERATORS.items():
        column, found, limit = condition.partition(sign)
        if found:
            return np.asarray(compare(features[column].to_numpy(dtype=float), float(limit)))
    raise ValueError(f"a rule needs {condition!r}: expected column>=number or column<number")
