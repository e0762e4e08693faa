"""What observers do on purpose, and what they point at: none of it makes a frame bad."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nightsift.simulate.psf import convolve, disc_kernel, line_kernel
from nightsift.simulate.sky import Image


@dataclass(kw_only=True)
class Usage:
    """How a telescope is used, the same all night; the default is nothing special.

    Attributes:
        defocus_px: outer diameter of the rings of a night that is defocused for a bright star.
        defocus_drift: its fractional change over the night.
        trail_px: length of the stars' trails where the mount follows an asteroid.
        trail_deg: their direction.
        turn_deg: rotation of the field over the whole night, beside the mount's own.
        crowding: density of the stars against that of a usual field, > 0; 1 for none.
        fewest_stars: well seen in the frame, so that an observer would take the field.
        poor_seeing: share of frames with stars 1.2-1.3 times as wide as the others, 0-0.5.
        sky_unrest: RMS of the logarithm of the sky's level from frame to frame.
        series: a frame or so a night for weeks, in one folder.
        spikes: share of a star's light in its diffraction spikes.
        halo: share of a star's light in a ring around it.
        ghosts: share of a star's light in a reflection on the other side of the frame.
        nebula: height of clouds of gas over the noise of the sky.
        galaxies: mean number of galaxies in the frame.
        debayered: luminance of a colour camera, made from its matrix.
        sky_subtracted: calibrated floats from which the sky was taken.
        aligned: moved onto the night's first frame by a pipeline, with blank borders.
        blank_nan: whether the blank borders are NaN; else 0.
    """

    defocus_px: float = 0.0
    defocus_drift: float = 0.0
    trail_px: float = 0.0
    trail_deg: float = 0.0
    turn_deg: float = 0.0
    crowding: float = 1.0
    fewest_stars: float = 25.0
    poor_seeing: float = 0.0
    sky_unrest: float = 0.0
    series: bool = False
    spikes: float = 0.0
    halo: float = 0.0
    ghosts: float = 0.0
    nebula: float = 0.0
    galaxies: float = 0.0
    debayered: bool = False
    sky_subtracted: bool = False
    aligned: bool = False
    blank_nan: bool = False


def ring_px(usage: Usage, shape: tuple[int, int], progress: float) -> float:
    """Diameter of the rings after a share of the night; never more than an eighth of the frame."""
    diameter = usage.defocus_px * (1 + usage.defocus_drift * progress)
    return min(diameter, min(shape) / 8)


def purpose_kernel(
    usage: Usage, shape: tuple[int, int], obstruction: float, progress: float
) -> Image | None:
    """What the stars are spread with on purpose, of unit sum; None where they are not.

    Args:
        usage: of the telescope.
        shape: (H, W) of the frame.
        obstruction: diameter of the secondary over the aperture's; the hole in the rings.
        progress: share of the night that has passed, 0-1.
    """
    kernel: Image | None = None
    if usage.defocus_px:
        kernel = disc_kernel(ring_px(usage, shape, progress), obstruction)
    if usage.trail_px:
        along = np.linspace(-0.5, 0.5, int(4 * usage.trail_px) + 2)
        along *= min(usage.trail_px, min(shape) / 5)
        angle = np.radians(usage.trail_deg)
        trail = line_kernel(along * np.cos(angle), along * np.sin(angle))
        if kernel is None:
            return trail
        kernel = convolve(np.pad(kernel, trail.shape[0] // 2), trail).astype(np.float64)
    return kernel
