"""A night defocused on purpose, as for the transit of a bright star."""

from __future__ import annotations

import numpy as np

from nightsift.simulate.copies.catalogue import Change, ChangeOf, GivenNight, copy_kind
from nightsift.simulate.effect import Effect
from nightsift.simulate.psf import disc_kernel

_SMALLEST_PX, _LARGEST_PX = 10.0, 40.0


@copy_kind("defocus")
def defocus(night: GivenNight, rng: np.random.Generator) -> ChangeOf:
    """Rings of 3 to 8 FWHM and 10 to 40 px, a few percent larger or smaller through the night."""
    wanted = rng.uniform(3, 8) * night.fwhm_px
    diameter = float(np.clip(wanted, _SMALLEST_PX, _LARGEST_PX))
    inner, drift = float(rng.uniform(0.3, 0.45)), float(rng.uniform(-0.04, 0.04))

    def change(frame: int) -> Change:
        now = diameter * (1 + drift * night.phase(frame))
        return Change(
            effect=Effect(kernel=disc_kernel(now, inner)),
            facts={"diameter_px": now, "inner": inner},
        )

    return change
