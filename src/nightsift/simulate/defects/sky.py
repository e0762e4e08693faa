"""What goes wrong above the telescope: clouds, twilight, lamps."""

from __future__ import annotations

import numpy as np

from nightsift.simulate.courses import COMES_AND_GOES, UNTIL_MORNING
from nightsift.simulate.defects.catalogue import Made, defect
from nightsift.simulate.effect import Effect, Facts, Moment
from nightsift.simulate.sky import Image
from nightsift.simulate.waves import Waves


@defect(
    "thick_cloud",
    "cloud",
    unit="mag",
    faint=0.5,
    gross=4.0,
    marginal=0.1,
    bad=0.25,
    course=COMES_AND_GOES,
    lasts="changing",
)
@defect(
    "thin_cloud",
    "cloud",
    unit="mag",
    faint=0.03,
    gross=0.6,
    marginal=0.1,
    bad=0.25,
    course=COMES_AND_GOES,
)
def cloud(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Uneven moving extinction with sky glow; strength is its mean in magnitudes."""
    side = max(facts.shape)
    waves = Waves(rng, rng.uniform(0.15, 0.8) * side)
    # Few are ragged: they drift over the field while the shutter is open.
    contrast = 10 ** rng.uniform(-1.7, -0.45)
    # Over a city a cloud is bright, over a dark site it is darker than the sky.
    glow = rng.uniform(-0.3, 1.6)
    speed, angle = rng.uniform(0.002, 0.03) * side, rng.uniform(0, 2 * np.pi)
    moved = speed * moment.elapsed_s
    field = waves.field(facts.shape, moved_px=(moved * np.cos(angle), moved * np.sin(angle)))
    uneven = np.clip(1 + contrast * field, 0.1, None)
    transmission = 10 ** (-0.4 * strength * uneven / uneven.mean())
    effect = Effect(transmission=transmission, sky_factor=1 + glow * (1 - transmission))
    return effect, {
        "transmission": float(transmission.mean()),
        "contrast": contrast,
        "glow": glow,
    }


@defect(
    "twilight",
    "bright_sky",
    unit="sky",
    faint=0.8,
    gross=80.0,
    marginal=1.0,
    bad=5.0,
    course=UNTIL_MORNING,
)
def twilight(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """The sun is near; strength is the light added to the sky, in units of the sky's own."""
    gx, gy = rng.normal(0, 0.08, 2)
    return Effect(sky_factor=1 + strength * np.clip(_plane(facts, gx, gy), 0.1, None)), {}


def _plane(facts: Facts, gx: float, gy: float) -> Image:
    height, width = facts.shape
    v = (np.arange(height) / height - 0.5)[:, None] * gy
    plane: Image = 1 + v + (np.arange(width) / width - 0.5)[None, :] * gx
    return plane


@defect("lamp", "bright_sky", unit="sky", faint=0.2, gross=40.0, marginal=0.4, bad=1.5)
def lamp(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Light from one side, a lamp or a passing car; strength is its peak in units of the sky."""
    height, width = facts.shape
    side, reach = rng.integers(4), rng.uniform(0.3, 1.2)
    x, y = np.arange(width) / width, np.arange(height) / height
    cx = (0.0, 1.0, rng.uniform(), rng.uniform())[side]
    cy = (rng.uniform(), rng.uniform(), 0.0, 1.0)[side]
    r2 = ((y - cy) ** 2)[:, None] + ((x - cx) ** 2)[None, :]
    return Effect(sky_factor=1 + strength / (1 + r2 / reach**2) ** 2), {"reach": reach}
