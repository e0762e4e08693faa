"""What speaks for which reason, and from which value on: one file per reason.

Limits stand here and nowhere else. A file of this room adds its rules with `add_rules`; one of
another package does the same when it is imported (`plugins=[package]`), also for a reason of its
own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nightsift.errors import NightsiftError
from nightsift.night.comparison import Compared
from nightsift.registry import Registry

REASONS = (
    "cloud",
    "trailing",
    "defocus",
    "streak",
    "obstruction",
    "pointing",
    "bright_sky",
    "no_stars",
    "readout",
    "unreadable",
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One feature as evidence for one reason; a severity of 1 is where a frame becomes bad.

    Attributes:
        reason: one of `REASONS`, or a new one.
        feature: column of the feature table.
        kind: `slow`, `local` and `best` look at the deviation from the night
            (`nightsift.night.trend`), `level` at the value as it stands.
        worse: 1 if larger is worse, -1 if smaller is, 0 if both are.
        limit: deviation, or distance of the value from `zero`, that makes the severity 1;
            natural logarithms where `log`.
        sigmas: the deviation must also be this many times the scatter of the night.
        log: compare logarithms.
        zero: where the severity of a `level` begins.
        gate: the rule holds only where the feature itself is at least this (`worse` 1) or at
            most this (`worse` -1).
        needs: `column>=number`; the rule abstains elsewhere.
        decisive: what it says is named as the reason even where another severity is larger.
        text: what to tell the user; `value`, `expected` and `ratio` are filled in.
    """

    reason: str
    feature: str
    kind: Literal["slow", "local", "best", "level"]
    worse: int
    limit: float
    text: str
    sigmas: float = 5.0
    log: bool = False
    zero: float = 0.0
    gate: float | None = None
    needs: str = ""
    decisive: bool = False

    @property
    def name(self) -> str:
        """Column name of the severity."""
        return f"severity_{self.reason}_{self.feature}_{self.kind}"

    @property
    def compared(self) -> Compared | None:
        """What has to be compared with the night; None for a level."""
        if self.kind == "level":
            return None
        return Compared(self.feature, self.kind, self.log, self.worse)


RULES: Registry[Rule] = Registry("rule", "nightsift.heuristics.rules")


def add_rules(*rules: Rule) -> None:
    """Add rules to the table."""
    for rule in rules:
        RULES.add(rule.name, rule)


def all_reasons() -> tuple[str, ...]:
    """`REASONS`, then those that only plug-ins have."""
    return tuple(dict.fromkeys([*REASONS, *(rule.reason for rule in RULES.values())]))


def compared_by_rules() -> tuple[Compared, ...]:
    """Every comparison that a rule looks at, once; a direction only where all agree on it.

    Raises:
        NightsiftError: a comparison is of logarithms for one rule, of the values for another.
    """
    found: dict[tuple[str, str], Compared] = {}
    for rule in RULES.values():
        item = rule.compared
        if item is None:
            continue
        before = found.setdefault((item.feature, item.kind), item)
        if before.log != item.log:
            raise NightsiftError(f"{rule.name}: other rules on {item.column} have log={before.log}")
        if before.worse != item.worse:
            found[item.feature, item.kind] = before._replace(worse=0)
    return tuple(found.values())
