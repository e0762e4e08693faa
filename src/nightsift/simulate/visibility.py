"""Whether a defect shows on a frame at all: what nobody can see must not be taught as bad.

The strengths of `nightsift.simulate.defects` are relative to a frame's FWHM, its noise or its sky.
That is not enough where a frame has next to no stars, or next to no sky.
"""

from __future__ import annotations

import numpy as np

from nightsift.simulate.effect import Effect, Facts, Maps

# Of fewer stars nobody would say whether they are long, wide, dim or elsewhere.
FEWEST_STARS = 3
# Less light than this over the noise of a pixel is not seen as brighter or darker sky, even if
# it is many times the sky of a short exposure.
_LEAST_SIGMA = 2.0
# A change of starlight by less is no change.
_LEAST_SHARE = 0.02


def is_visible(effect: Effect, facts: Facts) -> bool:
    """Whether an effect can be seen: in the read-out, by the stars, or by the light of the sky.

    Args:
        effect: of one defect.
        facts: of the frame that has it.
    """
    if effect.readout is not None:
        return True
    if facts.clear_stars >= FEWEST_STARS and _changes_stars(effect):
        return True
    change = (facts.sky_e * effect.sky_factor + effect.light_e) * effect.shade - facts.sky_e
    # One decimal of tolerance: the peak of a streak lies between pixels.
    return float(np.max(np.abs(change))) >= 0.9 * _LEAST_SIGMA * facts.noise_e


def _changes_stars(effect: Effect) -> bool:
    moved = effect.kernel is not None or effect.shift_px != (0.0, 0.0)
    return moved or any(_dims(share) for share in (effect.transmission, effect.shade))


def _dims(share: Maps) -> bool:
    return float(np.min(share)) < 1 - _LEAST_SHARE
