"""What goes wrong with the mount: trails, shake, lost guiding, a jump of the field.

Lengths are in FWHM, so that a strength looks the same on every camera; a line of 1.6 FWHM makes
stars 1.5 times as long as wide.
"""

from __future__ import annotations

import numpy as np

from nightsift.simulate.courses import GROWS, UNEVEN
from nightsift.simulate.defects.catalogue import Made, defect
from nightsift.simulate.effect import Effect, Facts, Moment
from nightsift.simulate.psf import line_kernel
from nightsift.simulate.sky import Image

_STEPS = 96


def _path_effect(x: Image, y: Image, shift_px: tuple[float, float] = (0.0, 0.0)) -> Effect:
    """The effect of stars that stood at (x, y) px for equal times, if they moved at all."""
    x, y = x - x.mean(), y - y.mean()
    if max(np.abs(x).max(), np.abs(y).max()) < 0.01:
        return Effect(shift_px=shift_px)
    return Effect(kernel=line_kernel(x, y), shift_px=shift_px)


@defect(
    "trail",
    "trailing",
    unit="FWHM",
    faint=0.5,
    gross=10.0,
    marginal=1.0,
    bad=1.6,
    course=UNEVEN,
    lasts="steady",
)
def trail(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """A straight drift; strength is its length."""
    length = strength * facts.fwhm_px
    angle = rng.uniform(0, np.pi) + moment.rng.normal(0, 0.05)
    along = np.linspace(-0.5, 0.5, max(_STEPS, int(4 * length))) * length
    return _path_effect(along * np.cos(angle), along * np.sin(angle)), {
        "length_px": length,
        "angle_deg": float(np.degrees(angle)),
    }


@defect(
    "periodic_error",
    "trailing",
    unit="FWHM",
    faint=0.5,
    gross=6.0,
    marginal=0.9,
    bad=1.3,
    course=UNEVEN,
    lasts="steady",
)
def periodic_error(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """A worm gear's sine along right ascension; strength is its length from peak to peak."""
    length, angle = strength * facts.fwhm_px, rng.uniform(0, np.pi)
    cycles, phase = rng.uniform(0.6, 3), moment.rng.uniform(0, 2 * np.pi)
    time = np.linspace(0, 1, max(_STEPS, int(6 * length)))
    along = np.sin(2 * np.pi * cycles * time + phase)
    # Less than a whole cycle must reach the same length.
    along *= length / max(float(np.ptp(along)), 1e-6)
    return _path_effect(along * np.cos(angle), along * np.sin(angle)), {
        "length_px": length,
        "angle_deg": float(np.degrees(angle)),
        "cycles": cycles,
    }


@defect(
    "wind_shake",
    "trailing",
    unit="FWHM",
    faint=0.5,
    gross=6.0,
    marginal=1.2,
    bad=2.0,
    course=UNEVEN,
    lasts="steady",
)
def wind_shake(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Gusts move the tube to and fro; strength is the extent of the path."""
    extent, stretch = strength * facts.fwhm_px, rng.uniform(1, 4)
    steps = max(4 * _STEPS, int(20 * extent))
    path = np.zeros((2, steps))
    for axis in range(2):
        for cycles in moment.rng.uniform(1, 25, 6):
            phase = moment.rng.uniform(0, 2 * np.pi)
            path[axis] += np.sin(np.linspace(0, 2 * np.pi * cycles, steps) + phase) / np.sqrt(
                cycles
            )
    path[1] /= stretch
    angle = rng.uniform(0, np.pi)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ path
    turned *= extent / max(float(np.ptp(path[0])), 1e-6)
    return _path_effect(turned[0], turned[1]), {"extent_px": extent, "stretch": stretch}


@defect("double_image", "trailing", unit="FWHM", faint=0.5, gross=9.0, marginal=0.9, bad=1.3)
def double_image(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """The mount jumped once during the exposure; strength is the distance of the images."""
    distance, angle = strength * facts.fwhm_px, moment.rng.uniform(0, 2 * np.pi)
    share = moment.rng.uniform(0.25, 0.75)
    along = np.where(np.arange(_STEPS) < share * _STEPS, 0.0, distance)
    return _path_effect(along * np.cos(angle), along * np.sin(angle)), {
        "distance_px": distance,
        "angle_deg": float(np.degrees(angle)),
        "share": share,
    }


@defect(
    "guiding_lost",
    "trailing",
    unit="FWHM",
    faint=0.5,
    gross=12.0,
    marginal=1.0,
    bad=1.6,
    course=GROWS,
)
def guiding_lost(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """The field runs away; strength is the way per exposure, and the frames add up."""
    length, angle = strength * facts.fwhm_px, rng.uniform(0, 2 * np.pi)
    away = length * moment.elapsed_s / facts.exposure_s
    away = min(away, 0.7 * max(facts.shape))
    along = np.linspace(0, length, max(_STEPS, int(4 * length)))
    shift = (float(away * np.cos(angle)), float(away * np.sin(angle)))
    effect = _path_effect(along * np.cos(angle), along * np.sin(angle), shift)
    return effect, {
        "length_px": length,
        "angle_deg": float(np.degrees(angle)),
        "away_px": away,
    }


@defect(
    "jump",
    "pointing",
    unit="frame",
    faint=0.02,
    gross=0.8,
    marginal=0.04,
    bad=0.08,
    shows_alone=False,
)
def jump(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """The field is elsewhere; strength is the distance over the frame's shorter side."""
    distance, angle = strength * min(facts.shape), rng.uniform(0, 2 * np.pi)
    shift = (float(distance * np.cos(angle)), float(distance * np.sin(angle)))
    return Effect(shift_px=shift), {
        "distance_px": distance,
        "angle_deg": float(np.degrees(angle)),
    }
