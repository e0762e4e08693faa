"""The field turns slowly, as on an alt-azimuth mount without a derotator."""

from __future__ import annotations

import numpy as np

from nightsift.simulate.copies.catalogue import Change, ChangeOf, GivenNight, copy_kind

_TURN_DEG = 12.0


@copy_kind("rotation")
def rotation(night: GivenNight, rng: np.random.Generator) -> ChangeOf:
    """By 12 degrees through the night, about the centre or, half of the time, another point."""
    direction = float(rng.choice([-1, 1]))
    x, y = rng.uniform(0.2, 0.8, 2) if rng.random() < 0.5 else (0.5, 0.5)

    def change(frame: int) -> Change:
        turn = direction * _TURN_DEG * night.phase(frame)
        return Change(
            turn_deg=turn,
            centre=(float(x), float(y)),
            facts={"turn_deg": turn, "centre_x": float(x), "centre_y": float(y)},
        )

    return change
