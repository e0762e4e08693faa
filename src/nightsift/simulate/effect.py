"""What a defect does to the light of a frame, whether that frame is simulated or real."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nightsift.simulate.psf import convolve
from nightsift.simulate.sky import Image, Light

Maps = Image | Light | float
ReadOut = Callable[[Light, np.random.Generator], Light]
# A star must stand out of the noise by this much for its width to be known to a tenth.
CLEAR_SNR = 20.0


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A change of the light; the default changes nothing.

    Attributes:
        kernel: of unit sum, convolved with the light of the stars.
        transmission: of starlight, a number or (H, W), 0-1.
        sky_factor: of the sky's light, a number or (H, W).
        light_e: further light on the camera, electrons per pixel, a number or (H, W).
        shade: share of all light that reaches the camera, a number or (H, W), 0-1.
        shift_px: (dx, dy) by which the stars are displaced.
        readout: changes the finished pixels, in ADU.
    """

    kernel: Image | None = None
    transmission: Maps = 1.0
    sky_factor: Maps = 1.0
    light_e: Maps = 0.0
    shade: Maps = 1.0
    shift_px: tuple[float, float] = (0.0, 0.0)
    readout: ReadOut | None = None

    def then(self, other: Effect) -> Effect:
        """Both at once."""
        return Effect(
            kernel=_both_kernels(self.kernel, other.kernel),
            transmission=self.transmission * other.transmission,
            sky_factor=self.sky_factor * other.sky_factor,
            light_e=self.light_e + other.light_e,
            shade=self.shade * other.shade,
            shift_px=(
                self.shift_px[0] + other.shift_px[0],
                self.shift_px[1] + other.shift_px[1],
            ),
            readout=_both_readouts(self.readout, other.readout),
        )


def _both_kernels(first: Image | None, second: Image | None) -> Image | None:
    if first is None or second is None:
        return second if first is None else first
    half = second.shape[0] // 2
    both = convolve(np.pad(first, half), second).astype(np.float64)
    unit: Image = both / both.sum()
    return unit


def _both_readouts(first: ReadOut | None, second: ReadOut | None) -> ReadOut | None:
    if first is None or second is None:
        return second if first is None else first
    return lambda adu, rng: second(first(adu, rng), rng)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a defect must know of the frame, so that a strength means the same everywhere.

    Attributes:
        shape: (H, W).
        fwhm_px: of its stars.
        sky_e: level of the sky, electrons per pixel.
        noise_e: RMS of blank sky, electrons.
        exposure_s: seconds.
        saturation_adu: the largest number a pixel can have.
        gain_e_adu: electrons per ADU.
        clear_stars: stars bright enough to show what happens to them (`CLEAR_SNR`).
    """

    shape: tuple[int, int]
    fwhm_px: float
    sky_e: float
    noise_e: float
    exposure_s: float
    saturation_adu: float
    gain_e_adu: float
    clear_stars: int


@dataclass(frozen=True)
class Moment:
    """Where in its spell a frame stands.

    Attributes:
        elapsed_s: since the spell began.
        rng: for what differs from frame to frame.
    """

    elapsed_s: float
    rng: np.random.Generator
