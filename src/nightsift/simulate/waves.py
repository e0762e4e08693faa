"""Smooth random fields as sums of plane waves: exact at any size, and they can move."""

from __future__ import annotations

import numpy as np

from nightsift.simulate.sky import Light

_WAVES = 24


class Waves:
    """A Gaussian-like random field of zero mean and unit variance.

    A plane wave separates into x and y, so that a field of any size is one small matrix
    product, has no edge, and moves by a change of phase.

    Args:
        rng: draws the waves.
        scale_px: typical size of the structure; wavelengths lie between one and eight times
            that, longer ones stronger, as in turbulence.
    """

    def __init__(self, rng: np.random.Generator, scale_px: float) -> None:
        lengths = scale_px * 8 ** rng.uniform(0, 1, _WAVES)
        angles = rng.uniform(0, 2 * np.pi, _WAVES)
        self.kx = 2 * np.pi * np.cos(angles) / lengths
        self.ky = 2 * np.pi * np.sin(angles) / lengths
        self.phase = rng.uniform(0, 2 * np.pi, _WAVES)
        weight = lengths ** (5 / 6)
        self.weight = weight * np.sqrt(2 / np.sum(weight**2))

    def field(self, shape: tuple[int, int], *, moved_px: tuple[float, float] = (0, 0)) -> Light:
        """(H, W) values after the field moved by (dx, dy) px."""
        x = np.arange(shape[1]) - moved_px[0]
        y = np.arange(shape[0]) - moved_px[1]
        column = np.outer(y, self.ky) + self.phase
        row = np.outer(self.kx, x)
        left = np.hstack([self.weight * np.cos(column), -self.weight * np.sin(column)])
        right = np.vstack([np.cos(row), np.sin(row)])
        out: Light = (left @ right).astype(np.float32)
        return out
