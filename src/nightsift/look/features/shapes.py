"""How many stars there are, how wide, how round, and in which direction they are long."""

from __future__ import annotations

import numpy as np

from nightsift.look.features import FEATURES, Feature
from nightsift.look.scene import Scene
from nightsift.look.shapes import Stars
from nightsift.look.statistics import robust_sigma

# Stars fainter than this have no shape worth a median.
_SHAPE_SNR = 15.0
_NAMES = (
    "fwhm_px",
    "minor_fwhm_px",
    "hfr_px",
    "elongation",
    "trail",
    "pa_deg",
    "pa_coherence",
    "fwhm_scatter",
    "concentration",
    "dip",
)


def measure_shapes(scene: Scene) -> dict[str, float]:
    """Counts of objects, and `shape_features` of the stars."""
    objects = len(scene.found.table) - scene.cosmic_rays
    return {
        "cosmic_rays": float(scene.cosmic_rays),
        "n_stars": float(max(objects, 0)),
        **shape_features(scene.stars),
    }


def shape_features(stars: Stars) -> dict[str, float]:
    """Medians over the stars that are bright enough, and their scatter over the field.

    `trail` is the length of the mean ellipticity vector: stars that are all long in the same
    direction keep it, stars that are long in all directions (focus, coma, noise) cancel.
    `pa_coherence` is that length over the mean length of the single vectors, 0-1.
    """
    bright = stars.snr > _SHAPE_SNR
    kept = Stars(*(column[bright] for column in stars))
    if not len(kept.x):
        return {"n_shapes": 0.0, **dict.fromkeys(_NAMES, float("nan"))}
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


FEATURES.add("shapes", Feature(measure_shapes))
