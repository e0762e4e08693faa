"""The table of defects: what they are called, how strong they can be, from where they are bad.

A module of this room adds a kind by the decorator `defect` of the function that makes it; a
module of another package does the same (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nightsift.errors import NightsiftError
from nightsift.registry import Registry
from nightsift.simulate.courses import Course
from nightsift.simulate.effect import Effect, Facts, Moment

Made = tuple[Effect, dict[str, float]]
Make = Callable[[Facts, float, Moment, np.random.Generator], Made]
Lasts = Literal["never", "changing", "steady"]
# The words of the verdicts that defects cause, in the order in which their kinds are drawn.
CAUSES = (
    "cloud",
    "trailing",
    "pointing",
    "defocus",
    "obstruction",
    "bright_sky",
    "streak",
    "no_stars",
    "readout",
)
# What observers do on purpose, for a whole night.
_OFTEN_ON_PURPOSE = ("defocus", "trailing")


@dataclass(frozen=True, kw_only=True)
class Defect:
    """A kind of defect.

    Attributes:
        make: of (facts, strength, moment, generator): the effect of a strength >= 0 on a frame
            and numbers for its truth; 0 changes nothing. The generator draws the geometry and
            is the same for all frames of a spell. A function of a module, so that other
            processes find it.
        cause: word of the verdicts' vocabulary, `CAUSES` or another package's.
        unit: of the strength.
        faint: strength at level 0, > 0.
        gross: strength at level 1; between them it is geometric.
        marginal: strength from which an observer would hesitate.
        bad: strength from which an observer would reject the frame.
        course: how it comes over several frames; None for what comes over single ones.
        lasts: whether it may be there from the first frame of a night to the last: `never`, only
            `changing` in strength, or also `steady`.
        shows_alone: whether a frame shows it without its neighbours.

    Raises:
        NightsiftError: the strengths are not in order.
    """

    make: Make
    cause: str
    unit: str
    faint: float
    gross: float
    marginal: float
    bad: float
    course: Course | None
    lasts: Lasts
    shows_alone: bool

    def __post_init__(self) -> None:
        if not (0 < self.faint <= self.gross and 0 < self.marginal <= self.bad <= self.gross):
            raise NightsiftError(
                f"defect of {self.cause}: expected 0 < faint <= gross and 0 < marginal <= bad <= "
                f"gross, found faint={self.faint:g} gross={self.gross:g} "
                f"marginal={self.marginal:g} bad={self.bad:g}"
            )

    @property
    def numbers(self) -> dict[str, float]:
        """What its strengths mean, by name."""
        return {name: getattr(self, name) for name in ("faint", "gross", "marginal", "bad")}

    def strength(self, level: float) -> float:
        """Physical strength of a level between 0 (faint) and 1 (gross)."""
        return float(self.faint * (self.gross / self.faint) ** level)

    def label(self, strength: float, *, steady: bool = False) -> str:
        """What an observer would call a frame with it: good, marginal or bad.

        Args:
            strength: in its unit.
            steady: whether it is the same in all frames of the night. Then it is how the
                telescope is, often on purpose: out of focus for a bright transit, following an
                asteroid. Where that cannot be known the frame is left unlabelled.
        """
        if steady:
            harmless = self.cause in _OFTEN_ON_PURPOSE or strength < self.marginal
            return "good" if harmless else "marginal"
        if strength >= self.bad:
            return "bad"
        return "marginal" if strength >= self.marginal else "good"


DEFECTS: Registry[Defect] = Registry("defect", room="nightsift.simulate.defects")


def defect(
    kind: str,
    cause: str,
    *,
    unit: str,
    faint: float,
    gross: float,
    marginal: float,
    bad: float,
    course: Course | None = None,
    lasts: Lasts = "never",
    shows_alone: bool = True,
) -> Callable[[Make], Make]:
    """Add the function below as a defect called `kind`; the arguments are those of `Defect`."""

    def add(make: Make) -> Make:
        DEFECTS.add(
            kind,
            Defect(
                make=make,
                cause=cause,
                unit=unit,
                faint=faint,
                gross=gross,
                marginal=marginal,
                bad=bad,
                course=course,
                lasts=lasts,
                shows_alone=shows_alone,
            ),
        )
        return make

    return add


def kinds_in_order() -> list[str]:
    """All kinds as they are drawn from: a seed gives the same frames while this stays.

    By cause, those of one cause in the order in which they were added.
    """

    def place(kind: str) -> int:
        cause = DEFECTS[kind].cause
        return CAUSES.index(cause) if cause in CAUSES else len(CAUSES)

    return sorted(DEFECTS, key=place)
