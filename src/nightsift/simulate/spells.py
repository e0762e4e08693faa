"""Which frames of a night get which defects: spells with onset and end, and single frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nightsift.errors import NightsiftError
from nightsift.simulate.defects.catalogue import DEFECTS, Defect, kinds_in_order
from nightsift.simulate.occurrences import Occurrence
from nightsift.simulate.sky import Image

_COMBINED_SHARE = 0.15
_TRIES = 300
_FEWEST_KINDS = 3
# A steady one must be as strong as this, or nobody could tell it from how the telescope is.
_STEADY_LEVEL = 0.5


@dataclass(frozen=True, kw_only=True)
class DefectSpec:
    """How many defects, and how strong.

    Attributes:
        bad_fraction: share of frames an observer would reject, 0-0.8.
        faintest: lowest level of a defect's peak, 0 (faint) to 1 (gross).
        grossest: highest level, likewise.
        kinds: of `DEFECTS`; empty for all.
        lasting: chance that one defect lasts from the first frame to the last, 0-1.
        singles: share of the bad frames whose defect comes on one frame alone, 0-1.

    Raises:
        NightsiftError: a value is out of range or a kind is unknown.
    """

    bad_fraction: float = 0.25
    faintest: float = 0.0
    grossest: float = 1.0
    kinds: list[str] = field(default_factory=list)
    lasting: float = 0.0
    singles: float = 0.35

    def __post_init__(self) -> None:
        if not 0 <= self.lasting <= 1 or not 0 <= self.singles <= 1:
            raise NightsiftError(
                f"expected lasting and singles in 0-1, found {self.lasting} and {self.singles}"
            )
        if not 0 <= self.bad_fraction <= 0.8:
            raise NightsiftError(f"expected bad_fraction in 0-0.8, found {self.bad_fraction}")
        if not 0 <= self.faintest <= self.grossest <= 1:
            raise NightsiftError(
                "expected 0 <= faintest <= grossest <= 1, found "
                f"{self.faintest} and {self.grossest}"
            )
        unknown = sorted(set(self.kinds) - set(DEFECTS))
        if unknown:
            raise NightsiftError(
                f"no such defect: {', '.join(unknown)}; expected some of "
                f"{', '.join(kinds_in_order())} (plugins=[package] adds those of another package)"
            )

    def draw_level(self, rng: np.random.Generator) -> float:
        """A level between the faintest and the grossest."""
        return float(rng.uniform(self.faintest, self.grossest))

    def kinds_with(self, suits: Callable[[Defect], bool]) -> list[str]:
        """Those that are asked for and of which `suits` is true, in the order of the draw."""
        return [
            kind
            for kind in kinds_in_order()
            if (not self.kinds or kind in self.kinds) and suits(DEFECTS[kind])
        ]


Plan = list[list[Occurrence]]


def plan_defects(rng: np.random.Generator, time_s: Image, spec: DefectSpec) -> Plan:
    """The defects of each frame of a night.

    Spells and singles of ever different kinds are added until the wanted number of frames
    would be rejected, at least 3 where `bad_fraction` is not 0.

    Args:
        rng: draws everything.
        time_s: (T,) start of each frame.
        spec: how many and how strong.
    """
    plan: Plan = [[] for _ in time_s]
    if not spec.bad_fraction:
        return plan
    if spec.lasting and rng.random() < spec.lasting:
        _add_lasting(plan, time_s, spec, rng)
        return plan
    wanted = max(3, round(time_s.size * spec.bad_fraction))
    singles = max(2, round(spec.singles * wanted))
    spells = spec.kinds_with(lambda defect: defect.course is not None)
    order = _Order(rng, spells)
    for _ in range(_TRIES if spells else 0):
        left = wanted - singles - _count_bad(plan)
        if left <= 0:
            break
        _add_spell(plan, order.next(), left, time_s, spec, rng)
    order = _Order(rng, spec.kinds_with(lambda defect: defect.course is None) or spells)
    for _ in range(_TRIES):
        if _count_bad(plan) >= wanted and _count_kinds(plan) >= min(_FEWEST_KINDS, order.size):
            break
        kind, i = order.next(), int(rng.integers(time_s.size))
        if not plan[i]:
            plan[i].append(_occurrence(kind, DEFECTS[kind].strength(spec.draw_level(rng)), rng))
    _combine(plan, spec, rng)
    return plan


def plan_single(rng: np.random.Generator, spec: DefectSpec) -> list[Occurrence]:
    """The defect of a loose frame, or none; what only neighbours show is left out."""
    if rng.random() >= spec.bad_fraction:
        return []
    kinds = spec.kinds_with(lambda defect: defect.shows_alone)
    if not kinds:
        return []
    kind = str(rng.choice(kinds))
    return [_occurrence(kind, DEFECTS[kind].strength(spec.draw_level(rng)), rng)]


class _Order:
    """Kinds in random order, all of them before one comes again."""

    def __init__(self, rng: np.random.Generator, kinds: Sequence[str]) -> None:
        self.rng, self.kinds = rng, kinds
        self.size = len(kinds)
        self.queue: list[str] = []

    def next(self) -> str:
        if not self.queue:
            self.queue = [str(kind) for kind in self.rng.permutation(self.kinds)]
        return self.queue.pop()


def _occurrence(kind: str, strength: float, rng: np.random.Generator) -> Occurrence:
    return Occurrence(kind, strength, int(rng.integers(2**62)))


def _count_bad(plan: Plan) -> int:
    return sum(
        any(DEFECTS[o.kind].label(o.strength) == "bad" for o in occurrences) for occurrences in plan
    )


def _count_kinds(plan: Plan) -> int:
    return len({o.kind for occurrences in plan for o in occurrences})


def _add_spell(
    plan: Plan, kind: str, left: int, time_s: Image, spec: DefectSpec, rng: np.random.Generator
) -> None:
    """One spell where the night is still free, or none if the place drawn is taken."""
    defect, n = DEFECTS[kind], time_s.size
    assert defect.course is not None
    length = min(int(rng.integers(3, max(5, n // 3))), left + 2, n)
    start = int(rng.integers(0, n - length + 1))
    if defect.course.ends_night:
        start = n - length
    if any(plan[max(0, start - 2) : start + length + 2]):
        return
    peak = defect.strength(spec.draw_level(rng))
    first = _occurrence(kind, peak, rng)
    strengths = peak * defect.course.shares(length, rng)
    _spread(plan, first, strengths, time_s, start)


def _add_lasting(plan: Plan, time_s: Image, spec: DefectSpec, rng: np.random.Generator) -> None:
    """One defect all night: steady and strong, or growing, shrinking or passing its least."""
    kinds = spec.kinds_with(lambda defect: defect.lasts != "never")
    # Defocus is drawn first: a seed gives the frames that it always gave.
    kinds.sort(key=lambda kind: DEFECTS[kind].cause != "defocus")
    kinds = kinds or spec.kinds_with(lambda defect: defect.course is not None)
    if not kinds:
        return
    kind = str(rng.choice(kinds))
    level = spec.draw_level(rng)
    t = np.linspace(-1, 1, time_s.size)
    share = np.exp(rng.normal(0, 0.05, time_s.size))
    form = rng.random()
    if form < 0.4 and DEFECTS[kind].lasts != "changing":
        level = min(max(level, _STEADY_LEVEL), spec.grossest)
    elif form < 0.7:  # a focus run, a cloud that thins and thickens again
        share *= np.abs(t - rng.uniform(-0.5, 0.5)) + 0.05
    else:  # grows or shrinks by a factor of 12 to 55
        share *= np.exp(rng.uniform(1.25, 2.0) * rng.choice([-1, 1]) * t)
    peak = DEFECTS[kind].strength(level) * share / share.max()
    _spread(plan, _occurrence(kind, 0.0, rng), peak, time_s, 0)


def _spread(plan: Plan, first: Occurrence, strengths: Image, time_s: Image, start: int) -> None:
    """Put one defect onto the frames from `start` on, with the strength of each."""
    for i, strength in enumerate(strengths, start=start):
        elapsed = float(time_s[i] - time_s[start])
        plan[i].append(first._replace(strength=float(strength), elapsed_s=elapsed))


def _combine(plan: Plan, spec: DefectSpec, rng: np.random.Generator) -> None:
    """Put a second defect onto some frames that have one."""
    kinds = spec.kinds_with(lambda defect: defect.cause != "readout")
    for occurrences in plan:
        if occurrences and kinds and rng.random() < _COMBINED_SHARE:
            kind = str(rng.choice(kinds))
            if DEFECTS[kind].cause != DEFECTS[occurrences[0].kind].cause:
                strength = DEFECTS[kind].strength(spec.draw_level(rng))
                occurrences.append(_occurrence(kind, strength, rng))
