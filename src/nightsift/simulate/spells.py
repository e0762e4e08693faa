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
_TRIES, _TRIES_PER_FRAME = 300, 20
# A night of so many frames has at least so many bad ones: fewer measure nothing.
_LONG_NIGHT, _FEWEST_BAD = 12, 3
# Frames with a weaker defect, in units of those with one that makes them bad; no more frames
# than this share of the night have any, unless more are to be bad.
_WEAKER, _TOUCHED = 1.0, 0.85
# One defect that changes all night makes no more frames bad than this: the others show what the
# night would be.
_LASTING_BAD = 0.5
# A steady one must be as strong as this, or nobody could tell it from how the telescope is.
_STEADY_LEVEL = 0.5


@dataclass(frozen=True, kw_only=True)
class DefectSpec:
    """How many defects, and how strong.

    Attributes:
        bad_fraction: share of frames an observer would reject, 0-0.8, on average over nights
            also where they are short.
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
    would be rejected (`_wanted_bad`), never more. At most as many frames have a weaker defect.

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
    wanted = _wanted_bad(time_s.size, spec.bad_fraction, rng)
    singles = min(wanted, max(2, round(spec.singles * wanted)))
    spells = spec.kinds_with(lambda defect: defect.course is not None)
    order = _Order(rng, spells)
    for _ in range(_TRIES if spells else 0):
        left = wanted - singles - _count_bad(plan)
        if left <= 0:
            break
        trial = _with_spell(plan, order.next(), left, time_s, spec, rng)
        if _fits(trial, wanted - singles, _most_weaker(wanted, time_s.size)):
            plan = trial
    order = _Order(rng, spec.kinds_with(lambda defect: defect.course is None) or spells)
    _add_singles(plan, wanted, order, spec, rng)
    _combine(plan, spec, rng)
    return plan


def _wanted_bad(n: int, share: float, rng: np.random.Generator) -> int:
    """How many of `n` frames are to be bad: `n * share`, rounded up or down at random.

    The average over many nights is the share, however short they are: of six frames at a share
    of a quarter one is bad on one night and two on the next. A night of a dozen frames or more
    has at least three, and no night consists of bad frames only.
    """
    wanted = int(n * share + rng.random())
    return max(wanted, _FEWEST_BAD) if n >= _LONG_NIGHT else min(wanted, n - 1)


def _most_weaker(wanted: int, n: int) -> int:
    """How many frames may have a weaker defect where `wanted` of `n` are to be bad."""
    return max(0, min(max(1, round(_WEAKER * wanted)), round(_TOUCHED * n) - wanted))


def _fits(plan: Plan, wanted: int, weaker: int) -> bool:
    """Whether no more than `wanted` frames are bad and no more than `weaker` less than that."""
    bad = _count_bad(plan)
    return bad <= wanted and sum(map(bool, plan)) - bad <= weaker


def _add_singles(
    plan: Plan, wanted: int, order: _Order, spec: DefectSpec, rng: np.random.Generator
) -> None:
    """Defects on single frames until `wanted` are bad."""
    bad, weaker = _count_bad(plan), sum(map(bool, plan)) - _count_bad(plan)
    most = _most_weaker(wanted, len(plan))
    for _ in range(max(_TRIES, _TRIES_PER_FRAME * wanted) if order.size else 0):
        if bad >= wanted:
            break
        kind, i = order.next(), int(rng.integers(len(plan)))
        single = _occurrence(kind, DEFECTS[kind].strength(spec.draw_level(rng)), rng)
        is_bad = _count_bad([[single]]) == 1
        if not plan[i] and (is_bad or weaker < most):
            plan[i].append(single)
            bad, weaker = bad + is_bad, weaker + (not is_bad)


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
        any(DEFECTS[o.kind].label(o.strength, steady=o.steady) == "bad" for o in occurrences)
        for occurrences in plan
    )


def _with_spell(
    plan: Plan, kind: str, left: int, time_s: Image, spec: DefectSpec, rng: np.random.Generator
) -> Plan:
    """One spell more where the night is still free, or none if the place drawn is taken."""
    defect, n = DEFECTS[kind], time_s.size
    assert defect.course is not None
    length = min(int(rng.integers(3, max(5, n // 3))), left + 2, n)
    start = int(rng.integers(0, n - length + 1))
    if defect.course.ends_night:
        start = n - length
    if any(plan[max(0, start - 2) : start + length + 2]):
        return plan
    peak = defect.strength(spec.draw_level(rng))
    first = _occurrence(kind, peak, rng)
    strengths = peak * defect.course.shares(length, rng)
    longer = [list(occurrences) for occurrences in plan]
    _spread(longer, first, strengths, time_s, start)
    return longer


def _add_lasting(plan: Plan, time_s: Image, spec: DefectSpec, rng: np.random.Generator) -> None:
    """One defect all night: steady and strong, or growing, shrinking or passing its least.

    A steady one is how the telescope is that night, and not bad (`Defect.label`); of one that
    changes at most half of the frames are bad.
    """
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
    steady = form < 0.4 and DEFECTS[kind].lasts != "changing"
    if steady:
        level = min(max(level, _STEADY_LEVEL), spec.grossest)
    elif form < 0.7:  # a focus run, a cloud that thins and thickens again
        share *= np.abs(t - rng.uniform(-0.5, 0.5)) + 0.05
    else:  # grows or shrinks by a factor of 12 to 55
        share *= np.exp(rng.uniform(1.25, 2.0) * rng.choice([-1, 1]) * t)
    peak = DEFECTS[kind].strength(level) * share / share.max()
    if not steady:
        strongest_good = np.quantile(peak, 1 - _LASTING_BAD, method="lower")
        peak *= min(1.0, 0.999 * DEFECTS[kind].bad / float(strongest_good))
    first = _occurrence(kind, 0.0, rng)._replace(steady=steady)
    _spread(plan, first, peak, time_s, 0)


def _spread(plan: Plan, first: Occurrence, strengths: Image, time_s: Image, start: int) -> None:
    """Put one defect onto the frames from `start` on, with the strength of each."""
    for i, strength in enumerate(strengths, start=start):
        elapsed = float(time_s[i] - time_s[start])
        plan[i].append(first._replace(strength=float(strength), elapsed_s=elapsed))


def _combine(plan: Plan, spec: DefectSpec, rng: np.random.Generator) -> None:
    """Put a second defect onto some frames that are bad by their first."""
    kinds = spec.kinds_with(lambda defect: defect.cause != "readout")
    for occurrences in plan:
        if kinds and _count_bad([occurrences]) and rng.random() < _COMBINED_SHARE:
            kind = str(rng.choice(kinds))
            if DEFECTS[kind].cause != DEFECTS[occurrences[0].kind].cause:
                strength = DEFECTS[kind].strength(spec.draw_level(rng))
                occurrences.append(_occurrence(kind, strength, rng))
