"""The camera: what is fixed for a night, and electrons to ADU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nightsift.simulate.instrument import Instrument
from nightsift.simulate.sky import Light
from nightsift.simulate.structure import Maps, Structure
from nightsift.simulate.waves import Waves

# Below this many electrons the normal approximation of photon noise would show.
_POISSON_BELOW_E = 20.0
_HOT_FACTOR = 30.0


@dataclass(frozen=True)
class FixedPattern:
    """What every frame of a night shares, (H, W) each.

    Attributes:
        flat: sensitivity against the centre's, with vignetting, dust and colour matrix.
        dark_e_s: dark current with hot pixels and amplifier glow.
        bias_adu: offset with columns and amplifiers.
        fringes: -1 to 1, in units of the fringes' amplitude.
    """

    flat: Light
    dark_e_s: Light
    bias_adu: Light
    fringes: Light


def draw_pattern(instrument: Instrument, rng: np.random.Generator) -> FixedPattern:
    """The fixed pattern of one night's camera."""
    detector, shape = instrument.detector, instrument.detector.shape
    fringes = np.zeros((1, 1), dtype=np.float32)
    if detector.fringing:
        # Contours of the silicon's thickness.
        thickness = Waves(rng, max(shape) / 4).field(shape)
        fringes = np.sin(2 * np.pi * 3 * thickness.astype(np.float64)).astype(np.float32)
    flat, dark_e_s, bias_adu = (
        _flat(instrument, rng),
        _dark(instrument, rng),
        _bias(instrument, rng),
    )
    if instrument.structure != Structure():
        areas = amplifier_areas(instrument)
        Maps(flat, dark_e_s, bias_adu).add(instrument.structure, areas, rng)
    return FixedPattern(flat, dark_e_s, bias_adu, fringes)


def _flat(instrument: Instrument, rng: np.random.Generator) -> Light:
    height, width = shape = instrument.detector.shape
    u = (np.arange(width) / width - 0.5 - rng.normal(0, 0.03)) ** 2
    v = (np.arange(height) / height - 0.5 - rng.normal(0, 0.03)) ** 2
    flat = (1 - instrument.optics.vignetting * 2 * (v[:, None] + u[None, :])).astype(np.float32)
    flat *= 1 + 0.004 * Waves(rng, max(shape) / 8).field(shape)
    flat *= 1 + instrument.detector.prnu * rng.standard_normal(shape, dtype=np.float32)
    for _ in range(rng.poisson(instrument.optics.donuts)):
        _shade_donut(flat, instrument, rng)
    for number, sensitivity in enumerate(instrument.detector.colour_matrix):
        flat[number // 2 :: 2, number % 2 :: 2] *= np.float32(sensitivity)
    return np.clip(flat, 0.02, None)


def _shade_donut(flat: Light, instrument: Instrument, rng: np.random.Generator) -> None:
    """The shadow of a grain of dust: a disc with a hole the size of the secondary's."""
    height, width = flat.shape
    optics = instrument.optics
    focal_ratio = optics.focal_mm / (1000 * optics.aperture_m)
    # Dust lies on the window of the camera, rarely on the filter behind it.
    distance_mm = rng.uniform(8, 14) if rng.random() < 0.85 else rng.uniform(20, 30)
    radius = 0.5 * distance_mm / focal_ratio * 1000 / instrument.detector.pixel_um
    radius = float(np.clip(radius, 3, min(flat.shape) / 4))
    cx, cy = rng.uniform(0, width), rng.uniform(0, height)
    x0, x1 = int(max(0, cx - radius - 3)), int(min(width, cx + radius + 4))
    y0, y1 = int(max(0, cy - radius - 3)), int(min(height, cy + radius + 4))
    r = np.hypot(np.arange(x0, x1)[None, :] - cx, np.arange(y0, y1)[:, None] - cy)
    ring = np.clip((radius - r) / 4 + 0.5, 0, 1)
    ring *= np.clip((r - optics.obstruction * radius) / 4 + 0.5, 0, 1)
    # Most shadows are faint.
    flat[y0:y1, x0:x1] *= 1 - min(0.003 + rng.exponential(0.01), 0.08) * ring


def _dark(instrument: Instrument, rng: np.random.Generator) -> Light:
    height, width = shape = instrument.detector.shape
    detector = instrument.detector
    dark = np.full(shape, detector.dark_e_s, dtype=np.float32)
    hot = rng.poisson(detector.hot_per_mpx * height * width / 1e6)
    rows, columns = rng.integers(0, height, hot), rng.integers(0, width, hot)
    # Many warm pixels and a few that saturate: a Pareto tail, as in dark frames.
    excess = np.minimum(_HOT_FACTOR * (1 + rng.pareto(1.1, hot)), 1e4)
    dark[rows, columns] += excess * max(detector.dark_e_s, 0.005)
    if detector.glow_e_s:
        x = np.exp(-np.arange(width) / (0.12 * width))
        y = np.exp(-np.arange(height)[::-1] / (0.12 * height))
        dark += (detector.glow_e_s * y[:, None] * x[None, :]).astype(np.float32)
    return dark


def _bias(instrument: Instrument, rng: np.random.Generator) -> Light:
    height, width = instrument.detector.shape
    detector = instrument.detector
    columns = rng.normal(0, detector.bias_structure_adu, width)
    bias = np.full((height, width), detector.bias_adu, dtype=np.float32)
    bias += columns.astype(np.float32)
    for number, (rows, cols) in enumerate(amplifier_areas(instrument)):
        if number:
            bias[rows, cols] += rng.normal(0, 3 * detector.bias_structure_adu)
    return bias


def amplifier_areas(instrument: Instrument) -> list[tuple[slice, slice]]:
    """Rows and columns that each amplifier reads."""
    height, width = instrument.detector.shape
    halves_x = [slice(0, width // 2), slice(width // 2, width)]
    halves_y = [slice(0, height // 2), slice(height // 2, height)]
    whole_x, whole_y = slice(0, width), slice(0, height)
    if instrument.detector.amplifiers == 1:
        return [(whole_y, whole_x)]
    if instrument.detector.amplifiers == 2:
        return [(whole_y, half) for half in halves_x]
    return [(y, x) for y in halves_y for x in halves_x]


def detect(
    light_e: Light, instrument: Instrument, exposure_s: float, rng: np.random.Generator
) -> Light:
    """Electrons in each pixel from their expectation: photon noise, cosmic rays, full well.

    Args:
        light_e: (H, W) expected electrons; overwritten.
        instrument: its pixels overflow or stop at their full well.
        exposure_s: for the number of cosmic rays.
        rng: draws the noise.
    """
    detector = instrument.detector
    np.maximum(light_e, 0, out=light_e)
    dim = np.flatnonzero(light_e < _POISSON_BELOW_E)
    counted = rng.poisson(light_e.ravel()[dim])
    noise = rng.standard_normal(light_e.shape, dtype=np.float32)
    noise *= np.sqrt(light_e)
    light_e += noise
    light_e.ravel()[dim] = counted
    add_cosmic_rays(light_e, instrument, exposure_s, rng)
    if detector.bleeds:
        bleed(light_e, detector.full_well_e)
    np.clip(light_e, 0, detector.full_well_e, out=light_e)
    if detector.nonlinearity:
        light_e *= 1 - detector.nonlinearity / detector.full_well_e**2 * light_e**2
    return light_e


def add_cosmic_rays(
    electrons: Light, instrument: Instrument, exposure_s: float, rng: np.random.Generator
) -> None:
    """Short straight tracks and single hits, unblurred; their energy falls as a power law."""
    height, width = electrons.shape
    detector = instrument.detector
    area_cm2 = height * width * (detector.pixel_um * 1e-4) ** 2
    for _ in range(rng.poisson(detector.cosmic_rays * area_cm2 * exposure_s / 60)):
        length = min(1 + rng.pareto(1.5), 60.0)
        angle = rng.uniform(0, 2 * np.pi)
        steps = np.arange(0, length, 0.5)
        x = (rng.uniform(0, width) + steps * np.cos(angle)).astype(int)
        y = (rng.uniform(0, height) + steps * np.sin(angle)).astype(int)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        charge = 400 * (1 + rng.pareto(1.3))
        np.add.at(electrons, (y[inside], x[inside]), 0.5 * min(charge, 3e4))


def bleed(electrons: Light, full_well_e: float) -> None:
    """Move what a pixel cannot hold along its column, half up and half down, in place."""
    over = electrons > full_well_e
    for column in np.flatnonzero(over.any(axis=0)):
        line = electrons[:, column]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], over[:, column].view(np.int8), [0]])))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            excess = float(np.sum(line[start:stop] - full_well_e))
            line[start:stop] = full_well_e
            _fill(line[stop:], excess / 2, full_well_e)
            _fill(line[:start][::-1], excess / 2, full_well_e)


def _fill(line: Light, charge: float, full_well_e: float) -> None:
    """Pour `charge` into `line` from its start; what passes the end of the chip is lost."""
    room = np.maximum(full_well_e - line, 0)
    before = np.cumsum(room) - room
    line += np.clip(charge - before, 0, room)


def digitise(
    electrons: Light, instrument: Instrument, pattern: FixedPattern, rng: np.random.Generator
) -> Light:
    """Whole ADU as the converter gives them: read noise, bias, gain, steps, saturation."""
    detector = instrument.detector
    noise = rng.standard_normal(electrons.shape, dtype=np.float32)
    # A tenth of the read noise is common to a row: real amplifiers flicker.
    noise += 0.1 * rng.standard_normal((electrons.shape[0], 1), dtype=np.float32)
    electrons += detector.read_noise_e * noise
    electrons /= detector.gain_e_adu
    for number, area in enumerate(amplifier_areas(instrument)):
        if number:
            electrons[area] *= 1 + 0.004 * (-1) ** number
    electrons += pattern.bias_adu
    electrons /= detector.step_adu
    np.rint(electrons, out=electrons)
    electrons *= detector.step_adu
    return np.clip(electrons, 0, detector.saturation_adu, out=electrons)


def calibrate(
    adu: Light, instrument: Instrument, pattern: FixedPattern, exposure_s: float
) -> npt.NDArray[np.float32]:
    """What a reduction pipeline makes of it: bias and dark subtracted, divided by the flat."""
    dark_adu = pattern.dark_e_s * exposure_s / instrument.detector.gain_e_adu
    # Where no light falls there is nothing to divide by.
    flat = np.where(pattern.flat > 0, pattern.flat, np.float32(1))
    reduced: npt.NDArray[np.float32] = ((adu - pattern.bias_adu - dark_adu) / flat).astype(
        np.float32
    )
    return reduced
