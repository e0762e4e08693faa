"""The moon rises, the target sinks, the seeing drifts, and the mount flips in the middle."""

from __future__ import annotations

import numpy as np

from nightsift.simulate.copies.catalogue import Change, ChangeOf, GivenNight, copy_kind
from nightsift.simulate.effect import Effect
from nightsift.simulate.psf import gaussian_kernel
from nightsift.simulate.sky import Image

# Sigma of a Gaussian of FWHM 1.
_SIGMA = 1 / np.sqrt(8 * np.log(2))


@copy_kind("moon_extinction_flip")
def moon_extinction_flip(night: GivenNight, rng: np.random.Generator) -> ChangeOf:
    """Sky 1.5 to 4 times as bright and steeper, up to half a magnitude lost, FWHM up to 1.4."""
    brightest, lost_mag = rng.uniform(1.5, 4.0), rng.uniform(0.2, 0.5)
    widest, rises_at = rng.uniform(1.15, 1.4), rng.uniform(0.0, 0.5)
    slope, angle = rng.uniform(0.05, 0.25), rng.uniform(0, 2 * np.pi)
    across = _across(night.shape, angle)

    def change(frame: int) -> Change:
        phase = night.phase(frame)
        moon = (brightest - 1) * _smooth((phase - rises_at) / (1 - rises_at))
        wider = 1 + (widest - 1) * np.sin(np.pi * phase) ** 2
        lost = lost_mag * phase**2
        sigma = _SIGMA * night.fwhm_px * np.sqrt(wider**2 - 1)
        turn = 180.0 * (phase >= 0.5 and night.frames > 1)
        return Change(
            turn_deg=turn,
            effect=Effect(
                kernel=gaussian_kernel(sigma) if sigma > 0.05 else None,
                transmission=10 ** (-0.4 * lost),
                sky_factor=1 + moon * (1 + slope * across),
            ),
            facts={
                "sky_factor": float(1 + moon),
                "lost_mag": float(lost),
                "seeing_factor": float(wider),
                "turn_deg": turn,
            },
        )

    return change


def _smooth(x: float) -> float:
    """From 0 at 0 to 1 at 1 without a kink."""
    clipped = min(max(x, 0.0), 1.0)
    return clipped**2 * (3 - 2 * clipped)


def _across(shape: tuple[int, int], angle: float) -> Image:
    """(H, W) distance from the middle along `angle`, -1 to 1."""
    y, x = np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1])
    slope: Image = (y[:, None] * np.sin(angle) + x[None, :] * np.cos(angle)) / np.sqrt(2)
    return slope
