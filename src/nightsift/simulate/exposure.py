"""One exposure: stars, sky and what is wrong with them, to raw pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nightsift.simulate.detector import FixedPattern, calibrate, detect, digitise
from nightsift.simulate.effect import CLEAR_SNR, Effect, Facts
from nightsift.simulate.instrument import Instrument
from nightsift.simulate.pipeline import Place, debayer, finish
from nightsift.simulate.psf import Psf, convolve, render_stars
from nightsift.simulate.scenery import Scenery
from nightsift.simulate.sky import BANDS, Image, Light

Pixels = npt.NDArray[np.uint16] | npt.NDArray[np.int16] | npt.NDArray[np.float32]
# Wings of stars are drawn down to this share of the sky's noise.
_WINGS = 0.03


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that one exposure shows.

    Attributes:
        instrument: takes it.
        band: of `nightsift.simulate.sky.BANDS`.
        exposure_s: seconds.
        x: (N,) places of the stars on the detector, px. y: likewise.
        flux_e: (N,) electrons of each star in the whole exposure, below the atmosphere.
        psf: profile of the stars.
        sky_e: sky at the centre, electrons per pixel.
        gradient: fractional change of the sky from edge to edge, (x, y).
        effect: what is wrong.
        purpose: kernel that the stars are spread with on purpose, of unit sum; None for none.
        ring_px: diameter of the rings of a deliberate defocus, 0 for none.
        place: of the field on the detector.
        scenery: light beside that of the stars; None for none.
    """

    instrument: Instrument
    band: str
    exposure_s: float
    x: Image
    y: Image
    flux_e: Image
    psf: Psf
    sky_e: float
    gradient: tuple[float, float] = (0.0, 0.0)
    effect: Effect = field(default_factory=Effect)
    purpose: Image | None = None
    ring_px: float = 0.0
    place: Place = field(default_factory=Place)
    scenery: Scenery | None = None

    @property
    def facts(self) -> Facts:
        """What defects must know."""
        detector = self.instrument.detector
        dark_e = detector.dark_e_s * self.exposure_s
        noise_e = float(np.sqrt(self.sky_e + dark_e + detector.read_noise_e**2))
        return Facts(
            shape=detector.shape,
            # A defect shows on a ring only where it is not small against it.
            fwhm_px=float(np.hypot(self.psf.fwhm_px, 0.7 * self.ring_px)),
            sky_e=self.sky_e,
            noise_e=noise_e,
            exposure_s=self.exposure_s,
            saturation_adu=detector.saturation_adu,
            gain_e_adu=detector.gain_e_adu,
            clear_stars=self._clear_stars(noise_e),
        )

    def _clear_stars(self, noise_e: float) -> int:
        """Stars within the frame that stand out by `CLEAR_SNR` in an aperture of 3 FWHM."""
        height, width = self.instrument.detector.shape
        inside = (self.x >= 0) & (self.x < width) & (self.y >= 0) & (self.y < height)
        aperture_px = np.pi * (1.5 * self.psf.fwhm_px) ** 2
        return int(np.sum(self.flux_e[inside] > CLEAR_SNR * noise_e * np.sqrt(aperture_px)))


def expose(scene: Scene, pattern: FixedPattern, rng: np.random.Generator) -> Pixels:
    """Pixels in ADU, in the data type of the instrument's files."""
    detector = scene.instrument.detector
    electrons = detect(light(scene, pattern), scene.instrument, scene.exposure_s, rng)
    adu = digitise(electrons, scene.instrument, pattern, rng)
    if scene.effect.readout is not None:
        adu = np.clip(np.rint(scene.effect.readout(adu, rng)), 0, detector.saturation_adu)
    usage = scene.instrument.usage
    if detector.dtype == "float32":
        reduced = calibrate(adu, scene.instrument, pattern, scene.exposure_s)
        return finish(debayer(reduced) if usage.debayered else reduced, usage, scene.place)
    if usage.debayered:
        adu = np.rint(debayer(adu))
    if detector.dtype == "int16":
        return adu.astype(np.int16)
    return adu.astype(np.uint16)


def light(scene: Scene, pattern: FixedPattern) -> Light:
    """(H, W) expected electrons, without noise."""
    effect = scene.effect
    out = starlight(scene)
    if scene.scenery is not None:
        noise_e = scene.facts.noise_e
        out += scene.scenery.gas_and_galaxies(out.shape, _moved(scene), noise_e)
    out *= effect.transmission
    sky = sky_light(scene, pattern)
    sky *= effect.sky_factor
    out += sky
    out += effect.light_e
    out *= effect.shade
    out *= pattern.flat
    out += pattern.dark_e_s * np.float32(scene.exposure_s)
    return out


def starlight(scene: Scene) -> Light:
    """(H, W) electrons of the stars before clouds."""
    height, width = shape = scene.instrument.detector.shape
    effect = scene.effect
    kernels = [kernel for kernel in (scene.purpose, effect.kernel) if kernel is not None]
    pad = sum(kernel.shape[0] // 2 for kernel in kernels)
    dx, dy = effect.shift_px
    canvas = render_stars(
        shape,
        scene.x + dx,
        scene.y + dy,
        scene.flux_e,
        scene.psf,
        threshold=_WINGS * scene.facts.noise_e,
        pad=pad,
    )
    if scene.scenery is not None:
        x, y = scene.x + dx, scene.y + dy
        inner = canvas[pad : pad + height, pad : pad + width]
        inner += scene.scenery.around_bright_stars(shape, x, y, scene.flux_e, scene.facts.noise_e)
    for kernel in kernels:
        canvas = convolve(canvas, kernel)
    return canvas[pad : pad + height, pad : pad + width]


def _moved(scene: Scene) -> Place:
    """Where the field lies, with the jump of a defect."""
    (x, y), (dx, dy) = scene.place.shift_px, scene.effect.shift_px
    return scene.place._replace(shift_px=(x + dx, y + dy))


def sky_light(scene: Scene, pattern: FixedPattern) -> Light:
    """(H, W) electrons of the sky, with its gradient and fringes."""
    height, width = scene.instrument.detector.shape
    u = (np.arange(width) / width - 0.5) * scene.gradient[0]
    v = (np.arange(height) / height - 0.5) * scene.gradient[1]
    columns = (scene.sky_e * u).astype(np.float32)
    sky = columns + (scene.sky_e * (1 + v)).astype(np.float32)[:, None]
    if BANDS[scene.band].red and scene.instrument.detector.fringing:
        sky *= 1 + np.float32(scene.instrument.detector.fringing) * pattern.fringes
    return sky
