"""What one telescope has and its neighbour has not: random structure and random use."""

from __future__ import annotations

import numpy as np

from nightsift.simulate.instrument import Detector
from nightsift.simulate.structure import EDGES, Structure
from nightsift.simulate.usage import Usage

# Chance that a camera shows structure at all, at a variety of 1, and of each sort where it does.
_STRUCTURE = 0.65
_EDGE, _RINGS, _AMPLIFIERS, _DARK_STRIPS, _COLUMNS, _CLUSTERS = 0.3, 0.35, 0.8, 0.25, 0.45, 0.3
_ROWS, _GLOW = 0.25, 0.15
# Chance of each at a variety of 1.
_DEFOCUS, _TRAIL, _TURN, _CROWDED, _SPARSE, _SERIES = 0.17, 0.055, 0.11, 0.12, 0.1, 0.05
_POOR_SEEING, _SKY_UNREST, _SPIKES, _HALO, _GHOSTS = 0.35, 0.2, 0.25, 0.25, 0.2
_NEBULA, _GALAXIES = 0.06, 0.11
_CALIBRATED, _SKY_SUBTRACTED, _ALIGNED, _COARSE = 0.12, 0.35, 0.22, 0.08


def draw_structure(rng: np.random.Generator, detector: Detector, variety: float) -> Structure:
    """What stands still on the detector, in strengths that real cameras show.

    Args:
        rng: draws everything.
        detector: its read noise and gain set the scale of offsets; files that are calibrated
            have no dark strips.
        variety: scales the chance of any, 0-1.
    """

    def happens(chance: float) -> bool:
        return bool(rng.random() < chance)

    noise_adu = detector.read_noise_e / detector.gain_e_adu
    structure = Structure()
    if not happens(_STRUCTURE * variety):
        return structure
    if happens(_EDGE):
        structure.edge = str(rng.choice(EDGES[1:]))
        structure.edge_loss = float(rng.choice([rng.uniform(0.03, 0.4), rng.uniform(0.4, 0.97)]))
        structure.edge_reach = float(rng.uniform(0.03, 0.22))
        structure.edge_soft_px = float(10 ** rng.uniform(0, 1.5))
    if happens(_RINGS):
        structure.filter_rings = float(rng.uniform(1, 8))
    if detector.amplifiers > 1 and happens(_AMPLIFIERS):
        structure.amplifier_offset_adu = float(noise_adu * 10 ** rng.uniform(-0.7, 0.9))
        structure.amplifier_gain = float(10 ** rng.uniform(-3, -1.4))
    if detector.dtype != "float32" and happens(_DARK_STRIPS):
        structure.overscan_px = int(rng.integers(0, 60))
        structure.dark_rows_px = int(rng.integers(0, 24)) * int(rng.random() < 0.5)
    if happens(_COLUMNS):
        structure.bad_columns = float(10 ** rng.uniform(0, 1.2))
    if happens(_CLUSTERS):
        structure.hot_clusters = float(10 ** rng.uniform(0, 1.5))
    if happens(_ROWS):
        structure.row_pattern_adu = float(noise_adu * 10 ** rng.uniform(-1, 0.1))
    if happens(_GLOW):
        structure.side_glow_e_s = float(10 ** rng.uniform(-1, 1))
    return structure


def draw_usage(rng: np.random.Generator, detector: Detector, variety: float) -> Usage:
    """What the observer does and points at.

    Args:
        rng: draws everything.
        detector: whose files are taken or not taken through a pipeline.
        variety: scales the chances, 0-1.
    """

    def happens(chance: float) -> bool:
        return bool(rng.random() < chance * variety)

    usage = Usage()
    _on_purpose(usage, rng, happens(_DEFOCUS), happens(_TRAIL), happens(_TURN))
    if happens(_CROWDED):
        usage.crowding = float(10 ** rng.uniform(0.7, 2))
    elif happens(_SPARSE):
        usage.crowding, usage.fewest_stars = 0.02, float(rng.uniform(5, 15))
    usage.series = happens(_SERIES) and not usage.turn_deg
    if happens(_POOR_SEEING):
        usage.poor_seeing = float(rng.uniform(0.02, 0.12))
    if happens(_SKY_UNREST):
        # Three times the largest is a jump by a fifth.
        usage.sky_unrest = float(rng.uniform(0.02, 0.07))
    usage.spikes = float(rng.uniform(0.005, 0.05)) if happens(_SPIKES) else 0.0
    usage.halo = float(10 ** rng.uniform(-2.7, -1.2)) if happens(_HALO) else 0.0
    usage.ghosts = float(10 ** rng.uniform(-3.3, -1.8)) if happens(_GHOSTS) else 0.0
    usage.nebula = float(10 ** rng.uniform(-0.5, 1)) if happens(_NEBULA) else 0.0
    usage.galaxies = float(10 ** rng.uniform(-0.2, 1)) if happens(_GALAXIES) else 0.0
    usage.debayered = bool(detector.colour_matrix) and bool(rng.random() < 0.5)
    if detector.dtype == "float32":
        usage.sky_subtracted = happens(_SKY_SUBTRACTED)
        usage.aligned = happens(_ALIGNED)
        usage.blank_nan = usage.aligned and bool(rng.random() < 0.5)
    return usage


def _on_purpose(
    usage: Usage, rng: np.random.Generator, defocus: bool, trail: bool, turn: bool
) -> None:
    if defocus:
        usage.defocus_px = float(8 * 5 ** rng.uniform(0, 1))
        usage.defocus_drift = float(np.clip(rng.normal(0, 0.08), -0.3, 0.3))
    elif trail:
        usage.trail_px = float(10 ** rng.uniform(0.9, 1.7))
        usage.trail_deg = float(rng.uniform(0, 180))
    if turn:
        usage.turn_deg = float(rng.choice([-1, 1]) * 10 ** rng.uniform(0.3, 1.17))


def draw_files(rng: np.random.Generator, detector: Detector, variety: float) -> tuple[str, int]:
    """Data type and `step_adu` of the files: some are calibrated, some converters are coarse."""
    if rng.random() < _CALIBRATED * variety:
        return "float32", detector.step_adu
    if detector.dtype != "float32" and rng.random() < _COARSE * variety:
        noise_adu = detector.read_noise_e / detector.gain_e_adu
        return detector.dtype, int(np.clip(round(noise_adu * rng.uniform(0.5, 3)), 1, 64))
    return detector.dtype, detector.step_adu
