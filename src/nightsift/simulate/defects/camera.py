"""What goes wrong in the camera: a closed shutter, broken read-outs."""

from __future__ import annotations

import numpy as np

from nightsift.simulate.defects.catalogue import Made, defect
from nightsift.simulate.effect import Effect, Facts, Moment
from nightsift.simulate.sky import Light


@defect("shutter_closed", "no_stars", unit="share", faint=0.98, gross=1.0, marginal=0.3, bad=0.9)
def shutter_closed(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """The shutter or the dome stayed closed; strength is the share of light that is missing."""
    return Effect(shade=1 - strength), {}


@defect("shifted_rows", "readout", unit="rows", faint=0.03, gross=0.9, marginal=0.01, bad=0.02)
def shifted_rows(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """The last rows read are displaced sideways; strength is their share."""
    rows = round(strength * facts.shape[0])
    shift = int(moment.rng.uniform(0.05, 0.5) * facts.shape[1])

    def readout(adu: Light, _: np.random.Generator) -> Light:
        out = adu.copy()
        if rows:
            out[-rows:] = np.roll(adu[-rows:], shift, axis=1)
        return out

    return Effect(readout=readout), {"rows": float(rows), "shift_px": float(shift)}


@defect("banding", "readout", unit="sigma", faint=0.15, gross=8.0, marginal=0.3, bad=1.0)
def banding(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Each row, or column, has its own offset; strength is their RMS over the sky's noise."""
    axis, period = int(rng.integers(2)), rng.uniform(3, 40)
    rms_adu = strength * facts.noise_e / facts.gain_e_adu
    regular = rng.random() < 0.5

    def readout(adu: Light, rng: np.random.Generator) -> Light:
        n = adu.shape[axis]
        wave = np.sqrt(2) * np.sin(2 * np.pi * np.arange(n) / period + rng.uniform(0, 6.28))
        band = wave if regular else rng.normal(size=n)
        offsets = np.asarray(rms_adu * band, dtype=np.float32)
        return adu + (offsets[:, None] if axis == 0 else offsets[None, :])

    return Effect(readout=readout), {"rms_adu": rms_adu, "columns": float(axis)}


@defect("half_frame", "readout", unit="rows", faint=0.03, gross=0.9, marginal=0.01, bad=0.02)
def half_frame(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """The read-out stopped: the last rows hold one value; strength is their share."""
    rows = round(strength * facts.shape[0])
    zero = bool(moment.rng.random() < 0.5)

    def readout(adu: Light, _: np.random.Generator) -> Light:
        out = adu.copy()
        if rows:
            out[-rows:] = 0 if zero else np.median(adu[:8])
        return out

    return Effect(readout=readout), {"rows": float(rows)}


@defect("saturated", "readout", unit="saturation", faint=0.9, gross=2.0, marginal=0.1, bad=0.5)
def saturated(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """The whole frame is lifted; strength is the offset over the saturation level."""
    offset = strength * facts.saturation_adu
    return Effect(readout=lambda adu, _: adu + offset), {"offset_adu": offset}


@defect("constant", "readout", unit="plane", faint=1.0, gross=1.0, marginal=0.5, bad=0.5)
def constant(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """A plane of one value; strength is 1, or 0 for none."""
    value = float(moment.rng.choice([0.0, 100.0, 0.5 * facts.saturation_adu]))

    def readout(adu: Light, _: np.random.Generator) -> Light:
        return np.full_like(adu, value) if strength else adu

    return Effect(readout=readout), {"value_adu": value}
