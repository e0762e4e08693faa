"""Reasons that are not to reject a frame: which frames are kept, and what decides of the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from nightsift.data.causes import known_causes
from nightsift.errors import NightsiftError
from nightsift.heuristics.rules import RULES
from nightsift.heuristics.score import RobustScore, explain, severity

IGNORED = "ignored: "
# Evidence from which a cause stands strongly, and by which it leads where the named reason does
# not count: measured on simulated nights with one damage and with two.
_STRONG, _LEAD = 0.55, 0.1
_SEVERITY = "severity_"


def check_ignored(reasons: Sequence[str], causes: Sequence[str] = ()) -> tuple[str, ...]:
    """The reasons, each once.

    Args:
        reasons: as a user gives them.
        causes: that the weights name; known beside those of the rules.

    Raises:
        NightsiftError: one is no reason that a frame can be rejected for.
    """
    known = list(dict.fromkeys([*known_causes(), *causes]))
    unknown = [str(reason) for reason in reasons if reason not in known]
    if unknown:
        raise NightsiftError(
            f"ignore={','.join(unknown)}: no such reason; expected some of {', '.join(known)}"
        )
    return tuple(dict.fromkeys(reasons))


def ignore_reasons(
    table: pd.DataFrame, features: pd.DataFrame, causes: pd.DataFrame, ignored: Collection[str]
) -> pd.DataFrame:
    """Verdicts without what is ignored; probabilities and `pred` stay as they are.

    A frame to be rejected or looked at whose cause is ignored becomes good, without a reason and
    with an explanation that begins with `ignored: `. Its cause is its reason, unless the
    `evidence` of another leads by 0.1. Where one that is not ignored stands strongly beside it,
    with 0.55 or more, that one becomes its reason and the verdict stays.

    Args:
        table: from `nightsift.sorting.verdicts.add_verdicts`.
        features: of the same files, from `nightsift.heuristics.table.feature_table`.
        causes: probabilities of causes, one row per row of `table`.
        ignored: reasons, from `check_ignored`.
    """
    doubted = table["verdict"].isin(["review", "bad"])
    if not ignored or not doubted.any():
        return table
    rows = features.set_index("file").loc[table.loc[doubted, "file"]]
    strength = evidence(rows, causes[doubted.to_numpy()])
    single = {rule: severity(rule, rows) for rule in RULES.values()}
    out = table.copy()
    for i, place in enumerate(table.index[doubted]):
        named, text = str(table["reason"][place]), str(table["explanation"][place])
        cause, reason = _deciding(strength.iloc[i], named, ignored)
        if (reason or cause) != named:
            severities = {rule: float(values[i]) for rule, values in single.items()}
            text = explain(rows.iloc[i].to_dict(), reason or cause, severities)
            text = text or f"{reason or cause}: the weights see it, no single measurement tells"
        if not reason:
            out.loc[place, ["verdict", "reason", "explanation"]] = ["good", "", IGNORED + text]
        elif reason != named:
            text = f"{text} ({IGNORED}{cause if cause in ignored else named})"
            out.loc[place, ["reason", "explanation"]] = [reason, text]
    return out


def _deciding(strength: pd.Series[float], named: str, ignored: Collection[str]) -> tuple[str, str]:
    """The cause of a verdict, and the reason that remains for it; "" if it is to be kept."""
    strongest = str(strength.idxmax())
    lead = strength[strongest] - strength.drop(labels=strongest).max()
    cause = strongest if lead >= _LEAD else named
    if cause not in ignored:
        return cause, named if named not in ignored else cause
    rest = strength.drop(labels=[reason for reason in ignored if reason in strength])
    return cause, str(rest.idxmax()) if rest.max() >= _STRONG else ""


def evidence(features: pd.DataFrame, causes: pd.DataFrame) -> pd.DataFrame:
    """(N, reasons) 0-1: how much speaks for each reason, by the rules and by the weights.

    The mean of the rules' severity s, as s^2 / (1 + s^2), and the probability of the cause. One
    damage brings others with it (a frame out of focus loses its faint stars, as under a cloud):
    what only one of both sees has to be beyond doubt. The rules alone where the weights name no
    such cause.

    Args:
        features: rows of readable files.
        causes: probabilities, one row each, in the same order.
    """
    judged = RobustScore().judge(features)
    by_reason = judged.filter(regex=f"^{_SEVERITY}")
    squared = by_reason.set_axis(by_reason.columns.str.removeprefix(_SEVERITY), axis=1) ** 2
    rules = squared / (1 + squared)
    weights = causes.set_axis(features.index)
    both = pd.concat([rules, weights]).groupby(level=0, sort=False).mean()
    out: pd.DataFrame = both.reindex(features.index).fillna(0.0)
    return out.astype(np.float64)
