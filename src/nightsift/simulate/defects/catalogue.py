"""All defects: what they are called, how strong they can be, and from where they are bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nightsift.simulate.defects import camera, optics, sky, tracking
from nightsift.simulate.effect import Effect, Facts, Moment

Make = Callable[[Facts, float, Moment, np.random.Generator], tuple[Effect, dict[str, float]]]
LABELS = ("good", "marginal", "bad")


class Defect(NamedTuple):
    """A kind of defect.

    Attributes:
        cause: word of the verdicts' vocabulary.
        unit: of its strength.
        faint: strength at level 0. gross: strength at level 1; between them it is geometric.
        marginal: strength from which an observer would hesitate.
        bad: strength from which an observer would reject the frame.
        spells: whether it comes over several frames (else over one or two).
        make: the effect of a strength.
    """

    cause: str
    unit: str
    faint: float
    gross: float
    marginal: float
    bad: float
    spells: bool
    make: Make

    def strength(self, level: float) -> float:
        """Physical strength of a level between 0 (faint) and 1 (gross)."""
        return float(self.faint * (self.gross / self.faint) ** level)

    def label(self, strength: float) -> str:
        """What an observer would call a frame with it."""
        if strength >= self.bad:
            return "bad"
        return "marginal" if strength >= self.marginal else "good"


# From where a trail is bad: a line of 1.6 FWHM makes stars 1.5 times as long as wide; a disc of
# 1.9 FWHM makes them 1.5 times as wide; a quarter of a magnitude costs a fifth of the light.
DEFECTS: dict[str, Defect] = {
    "thin_cloud": Defect("cloud", "mag", 0.03, 0.6, 0.1, 0.25, True, sky.cloud),
    "thick_cloud": Defect("cloud", "mag", 0.5, 4.0, 0.1, 0.25, True, sky.cloud),
    "trail": Defect("trailing", "FWHM", 0.5, 10.0, 1.0, 1.6, True, tracking.trail),
    "periodic_error": Defect("trailing", "FWHM", 0.5, 6.0, 0.9, 1.3, True, tracking.periodic_error),
    "wind_shake": Defect("trailing", "FWHM", 0.5, 6.0, 1.2, 2.0, True, tracking.wind_shake),
    "double_image": Defect("trailing", "FWHM", 0.5, 9.0, 0.9, 1.3, False, tracking.double_image),
    "guiding_lost": Defect("trailing", "FWHM", 0.5, 12.0, 1.0, 1.6, True, tracking.guiding_lost),
    "jump": Defect("pointing", "frame", 0.02, 0.8, 0.04, 0.08, False, tracking.jump),
    "defocus_disc": Defect("defocus", "FWHM", 0.5, 9.0, 1.2, 1.9, True, optics.defocus_disc),
    "defocus_donut": Defect("defocus", "FWHM", 0.5, 12.0, 1.2, 1.9, True, optics.defocus_donut),
    "dew": Defect("obstruction", "mag", 0.03, 2.5, 0.1, 0.25, True, optics.dew),
    "halo": Defect("obstruction", "share", 0.03, 0.7, 0.12, 0.25, True, optics.halo),
    "dome": Defect("obstruction", "share", 0.01, 0.95, 0.03, 0.08, True, optics.dome),
    "tree": Defect("obstruction", "share", 0.01, 0.8, 0.03, 0.08, True, optics.tree),
    "twilight": Defect("bright_sky", "sky", 0.8, 80.0, 3.0, 8.0, True, sky.twilight),
    "lamp": Defect("bright_sky", "sky", 0.2, 40.0, 0.4, 1.5, False, sky.lamp),
    "satellite": Defect("streak", "sigma", 0.4, 60.0, 0.8, 1.5, False, sky.satellite),
    "several_satellites": Defect(
        "streak", "sigma", 0.4, 40.0, 0.8, 1.5, False, sky.several_satellites
    ),
    "aircraft": Defect("streak", "sigma", 0.4, 100.0, 0.8, 1.5, False, sky.aircraft),
    "flash": Defect("streak", "sigma", 0.6, 60.0, 1.5, 3.0, False, sky.flash),
    "curved_streak": Defect("streak", "sigma", 0.4, 40.0, 0.8, 1.5, False, sky.curved_streak),
    "shutter_closed": Defect(
        "no_stars", "share", 0.98, 1.0, 0.3, 0.9, False, camera.shutter_closed
    ),
    "shifted_rows": Defect("readout", "rows", 0.03, 0.9, 0.01, 0.02, False, camera.shifted_rows),
    "banding": Defect("readout", "sigma", 0.15, 8.0, 0.5, 1.0, False, camera.banding),
    "half_frame": Defect("readout", "rows", 0.03, 0.9, 0.01, 0.02, False, camera.half_frame),
    "saturated": Defect("readout", "saturation", 0.9, 2.0, 0.1, 0.5, False, camera.saturated),
    "constant": Defect("readout", "plane", 1.0, 1.0, 0.5, 0.5, False, camera.constant),
}
CAUSES = tuple(dict.fromkeys(defect.cause for defect in DEFECTS.values()))


class Occurrence(NamedTuple):
    """One defect on one frame.

    Attributes:
        kind: key of `DEFECTS`.
        strength: in the defect's unit, >= 0.
        seed: of its geometry, shared by the frames of a spell.
        elapsed_s: since the spell began.
    """

    kind: str
    strength: float
    seed: int
    elapsed_s: float = 0.0


class Truth(NamedTuple):
    """What was done to a frame."""

    kind: str
    cause: str
    strength: float
    unit: str
    label: str
    parameters: dict[str, float]


def apply(
    occurrences: Sequence[Occurrence], facts: Facts, rng: np.random.Generator
) -> tuple[Effect, list[Truth]]:
    """The effect of all `occurrences` on a frame, and the truth about each."""
    effect, truths = Effect(), []
    for occurrence in occurrences:
        defect = DEFECTS[occurrence.kind]
        spell = np.random.default_rng(occurrence.seed)
        moment = Moment(occurrence.elapsed_s, rng)
        made, parameters = defect.make(facts, occurrence.strength, moment, spell)
        effect = effect.then(made)
        label = defect.label(occurrence.strength)
        truths.append(
            Truth(
                occurrence.kind, defect.cause, occurrence.strength, defect.unit, label, parameters
            )
        )
    return effect, truths


def worst_label(truths: Sequence[Truth]) -> str:
    """The label of a frame with all of `truths`."""
    return max((truth.label for truth in truths), key=LABELS.index, default="good")
