"""What goes wrong with the optics: defocus, dew, condensation, dome and trees.

A disc of 1.6 FWHM makes stars 1.45 times as wide, which nobody takes for seeing; one of 0.9 FWHM
makes them 1.15 times as wide, what the seeing does by itself. A quarter of a magnitude is a fifth
of the light.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from nightsift.simulate.courses import (
    COMES_AND_GOES,
    GROWS,
    STEADY_OR_COMES_AND_GOES,
    UNTIL_MORNING,
)
from nightsift.simulate.defects.catalogue import Made, defect
from nightsift.simulate.effect import Effect, Facts, Moment
from nightsift.simulate.psf import disc_kernel
from nightsift.simulate.sky import Image
from nightsift.simulate.waves import Waves


@defect(
    "defocus_disc",
    "defocus",
    unit="FWHM",
    faint=0.5,
    gross=9.0,
    marginal=0.9,
    bad=1.6,
    course=STEADY_OR_COMES_AND_GOES,
    lasts="steady",
)
def defocus_disc(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """A refractor out of focus; strength is the disc's diameter in FWHM."""
    return _defocus(facts, strength, inner=0.0)


@defect(
    "defocus_donut",
    "defocus",
    unit="FWHM",
    faint=0.5,
    gross=12.0,
    marginal=0.9,
    bad=1.6,
    course=STEADY_OR_COMES_AND_GOES,
    lasts="steady",
)
def defocus_donut(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Out of focus behind a secondary mirror; strength is the outer diameter in FWHM."""
    return _defocus(facts, strength, inner=float(rng.uniform(0.3, 0.5)))


def _defocus(facts: Facts, strength: float, *, inner: float) -> Made:
    diameter = strength * facts.fwhm_px
    kernel = disc_kernel(diameter, inner) if diameter > 0.05 else None
    return Effect(kernel=kernel), {"diameter_px": diameter, "inner": inner}


def _aureole(share: float, facts: Facts, size_fwhm: float) -> Image | None:
    """A kernel that throws `share` of a star's light into a wide glow around it."""
    if share <= 0:
        return None
    half = int(np.ceil(size_fwhm * facts.fwhm_px))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    r2 = (x**2 + y**2) / (0.4 * half) ** 2
    glow = np.clip((1 + r2) ** -1.5 - (1 + 6.25) ** -1.5, 0, None)
    kernel: Image = share * glow / glow.sum()
    kernel[half, half] += 1 - share
    return kernel


@defect(
    "dew",
    "obstruction",
    unit="mag",
    faint=0.03,
    gross=2.5,
    marginal=0.1,
    bad=0.25,
    course=UNTIL_MORNING,
    lasts="steady",
)
def dew(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Dew or frost on the glass; strength is the loss of light in magnitudes, with a glow."""
    lost = 1 - 10 ** (-0.4 * strength)
    height, width = facts.shape
    u = (np.arange(width) / width - rng.uniform(0.2, 0.8)) ** 2
    v = (np.arange(height) / height - rng.uniform(0.2, 0.8)) ** 2
    # A corrector fogs from its middle.
    uneven = 0.75 + 0.5 * np.exp(-2 * (v[:, None] + u[None, :]))
    shade = np.clip(1 - lost * uneven, 0.01, 1)
    share = min(0.8, 0.6 * lost)
    return Effect(kernel=_aureole(share, facts, 8), shade=shade), {
        "lost": lost,
        "aureole_share": share,
    }


@defect(
    "halo",
    "obstruction",
    unit="share",
    faint=0.03,
    gross=0.7,
    marginal=0.12,
    bad=0.3,
    course=COMES_AND_GOES,
    lasts="steady",
)
def halo(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Condensation on a window: glows around stars; strength is the light's share in them."""
    size = float(rng.uniform(6, 14))
    return Effect(kernel=_aureole(strength, facts, size)), {"size_fwhm": size}


@defect(
    "dome",
    "obstruction",
    unit="share",
    faint=0.01,
    gross=0.95,
    marginal=0.03,
    bad=0.08,
    course=GROWS,
)
def dome(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """The slit's edge; strength is the share of the frame's light that is lost."""
    angle, soft = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.9)
    return _cover(_slope(facts, angle), strength, soft), _placed(angle, soft)


@defect(
    "tree",
    "obstruction",
    unit="share",
    faint=0.01,
    gross=0.8,
    marginal=0.03,
    bad=0.08,
    course=COMES_AND_GOES,
)
def tree(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Branches, clumpy and swaying; strength is the share of the frame's light that is lost."""
    angle, soft = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.7)
    sway = moment.rng.normal(0, 0.02 * max(facts.shape), 2)
    clumps = Waves(rng, max(facts.shape) / 8).field(facts.shape, moved_px=(sway[0], sway[1]))
    slope = _slope(facts, angle) + 0.1 * clumps
    return _cover(slope, strength, soft), _placed(angle, soft)


def _placed(angle: float, soft: float) -> dict[str, float]:
    return {"angle_deg": float(np.degrees(angle)), "soft": soft}


def _slope(facts: Facts, angle: float) -> Image:
    """(H, W) distance along `angle` in units of the frame."""
    height, width = facts.shape
    y, x = np.arange(height) / height * np.sin(angle), np.arange(width) / width * np.cos(angle)
    slope: Image = y[:, None] + x[None, :]
    return slope


def _cover(slope: Image, lost: float, soft: float) -> Effect:
    """Take `lost` of the light where `slope` is low, with an edge as wide as `soft`.

    Things so near are far out of focus: their edges are as wide as the aperture looks from
    there, a good part of a telescope's field.
    """
    if lost <= 0:
        return Effect()
    step = max(1, min(slope.shape) // 100)
    coarse = slope[step // 2 :: step, step // 2 :: step]
    low, high = float(coarse.min()) - 3 * soft, float(coarse.max()) + 3 * soft
    for _ in range(40):  # bisection: the further the edge, the more is lost
        edge = (low + high) / 2
        if np.mean(_lost(coarse, edge, soft)) < lost:
            low = edge
        else:
            high = edge
    return Effect(shade=1 - _lost(slope, edge, soft))


def _lost(slope: Image, edge: float, soft: float) -> Image:
    share: Image = 0.99 * expit((edge - slope) / (soft / 5))
    return share
