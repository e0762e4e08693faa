"""One frame to one row of features, and the list of its stars for comparison with the night."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.fits.header import FrameInfo
from nightsift.fits.reader import UnreadableFrame, read_frame
from nightsift.look.background import GRID_COLS, GRID_ROWS
from nightsift.look.patterns import paired_share
from nightsift.look.prepare import Prepared, prepare
from nightsift.look.readout import acf_width_px, measure_readout
from nightsift.look.reduction import Pixels, Reduced
from nightsift.look.shapes import Stars, measure_stars
from nightsift.look.stars import Detections, detect, typical_width
from nightsift.look.statistics import quick_median, robust_sigma
from nightsift.look.streaks import find_streak

GRID_COLUMNS = tuple(f"sky_r{row}c{col}" for row in range(GRID_ROWS) for col in range(GRID_COLS))
# Stars fainter than this have no shape worth a median.
_SHAPE_SNR = 15.0
# Narrower than any star: hits of cosmic rays on a few pixels.
_SHARP_SHARE = 0.55
_MIN_WIDTH_PX = 2.5


class StarList(NamedTuple):
    """Stars of a frame for matching: (N,) px, px, adu, brightest first; saturated ones not."""

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    flux: npt.NDArray[np.float64]
    snr: npt.NDArray[np.float64]


class Measured(NamedTuple):
    """What is known of one file after it has been read, once.

    Attributes:
        info: header facts; None for a file without a usable frame.
        features: name to value; NaN where there is nothing to measure it on.
        stars: for `nightsift.night.matching`.
        error: why there is no frame, "" where there is one.
    """

    info: FrameInfo | None
    features: dict[str, float]
    stars: StarList
    error: str = ""


NO_STARS = StarList(*(np.empty(0) for _ in range(4)))


def measure_file(path: Path) -> Measured:
    """Read and measure one file; never raises because of what it holds."""
    try:
        frame = read_frame(path)
        return measure_frame(frame.info, prepare(frame.pixels))
    except UnreadableFrame as error:
        return Measured(None, {}, NO_STARS, str(error))
    except OSError as error:
        return Measured(None, {}, NO_STARS, error.strerror or str(error))


def measure_frame(info: FrameInfo, prepared: Prepared) -> Measured:
    """All features of one frame that need no other frame."""
    pixels, reduced, sky = prepared
    found = detect(sky.residual, sky.sigma, reduced.factor)
    typical = typical_width(found.table)
    width = max(typical * found.factor, _MIN_WIDTH_PX)
    stars = _stars(pixels, reduced, found, width)
    sharp = stars.peak_share > _SHARP_SHARE
    shaped = Stars(*(column[~sharp] for column in stars))
    pattern = np.column_stack([found.table["x"], found.table["y"]])
    streak = find_streak(sky.residual, sky.sigma, reduced.factor, found)
    readout = measure_readout(pixels, reduced.image, sky.residual, sky.sigma)
    features = {
        **_level_features(pixels, reduced),
        "background_adu": sky.level_adu,
        "noise_adu": reduced.noise_adu,
        "gradient": sky.gradient,
        "saturated_fraction": reduced.saturated_fraction,
        "hot_pixels": float(reduced.hot_pixels),
        "cosmic_rays": float(sharp.sum()),
        "n_stars": float(max(len(found.table) - int(sharp.sum()), 0)),
        **shape_features(shaped),
        "paired_share": paired_share(pattern, max(typical, _MIN_WIDTH_PX)),
        "streak_significance": streak.significance,
        "streak_angle_deg": streak.angle_deg,
        "streak_length_px": streak.length_px,
        "piece_significance": streak.piece_significance,
        **readout._asdict(),
        "acf_width_px": acf_width_px(pixels, reduced.noise_adu),
        **dict(zip(GRID_COLUMNS, sky.grid_adu.ravel().tolist(), strict=True)),
    }
    order = np.argsort(-shaped.flux, kind="stable")
    listed = StarList(*(column[order] for column in (shaped.x, shaped.y, shaped.flux, shaped.snr)))
    return Measured(info, features, listed)


def shape_features(stars: Stars) -> dict[str, float]:
    """Medians over the stars that are bright enough, and their scatter over the field.

    `trail` is the length of the mean ellipticity vector: stars that are all long in the same
    direction keep it, stars that are long in all directions (focus, coma, noise) cancel.
    `pa_coherence` is that length over the mean length of the single vectors, 0-1.
    """
    bright = stars.snr > _SHAPE_SNR
    kept = Stars(*(column[bright] for column in stars))
    if not len(kept.x):
        names = "fwhm_px minor_fwhm_px hfr_px elongation trail pa_deg pa_coherence fwhm_scatter"
        return dict.fromkeys([*names.split(), "concentration", "dip"], float("nan")) | {
            "n_shapes": 0.0
        }
    length = np.hypot(kept.e1, kept.e2)
    e1, e2 = float(np.median(kept.e1)), float(np.median(kept.e2))
    trail = float(np.hypot(e1, e2))
    fwhm = float(np.median(kept.fwhm))
    typical = min(float(np.median(length)), 0.99)
    return {
        "n_shapes": float(len(kept.x)),
        "fwhm_px": fwhm,
        # Across the trail, if there is one: focus and seeing alone.
        "minor_fwhm_px": float(np.median(kept.fwhm * ((1 - length) / (1 + length)) ** 0.25)),
        "hfr_px": float(np.median(kept.hfr)),
        # (a^2 - b^2) / (a^2 + b^2) to a / b.
        "elongation": float(np.sqrt((1 + typical) / (1 - typical))),
        "trail": trail,
        "pa_deg": float(np.degrees(np.arctan2(e2, e1)) / 2),
        "pa_coherence": min(trail / max(typical, 1e-6), 1.0),
        "fwhm_scatter": robust_sigma(kept.fwhm, fwhm) / fwhm,
        "concentration": float(np.median(kept.concentration)),
        "dip": float(np.median(kept.dip)),
    }


def _stars(pixels: Pixels, reduced: Reduced, found: Detections, width: float) -> Stars:
    centre = [(found.table[axis].astype(float) + 0.5) * found.factor - 0.5 for axis in "xy"]
    return measure_stars(
        pixels,
        *centre,
        width_px=width,
        noise_adu=reduced.noise_adu,
        saturation_adu=reduced.saturation_adu,
    )


def _level_features(pixels: Pixels, reduced: Reduced) -> dict[str, float]:
    """The published level statistics of the whole frame."""
    step = max(1, int(np.sqrt(pixels.size / 100_000)))
    part = pixels[::step, ::step].astype(np.float64)
    return {
        "median": float(quick_median(part)),
        "mean": float(pixels.mean(dtype=np.float64)),
        "std": float(part.std()),
        "max": float(pixels.max()),
    }
