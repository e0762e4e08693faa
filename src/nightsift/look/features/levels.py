"""Level and noise of the whole frame, and the shape of its sky."""

from __future__ import annotations

import numpy as np

from nightsift.look.background import GRID_COLS, GRID_ROWS
from nightsift.look.features import FEATURES, Feature
from nightsift.look.reduction import Pixels
from nightsift.look.scene import Scene
from nightsift.look.statistics import quick_median

GRID_COLUMNS = tuple(f"sky_r{row}c{col}" for row in range(GRID_ROWS) for col in range(GRID_COLS))


def measure_levels(scene: Scene) -> dict[str, float]:
    """Statistics of the pixels, the sky, saturated and hot pixels."""
    return {
        **_published_statistics(scene.pixels),
        "background_adu": scene.sky.level_adu,
        "noise_adu": scene.reduced.noise_adu,
        "gradient": scene.sky.gradient,
        "saturated_fraction": scene.reduced.saturated_fraction,
        "hot_pixels": float(scene.reduced.hot_pixels),
        **dict(zip(GRID_COLUMNS, scene.sky.grid_adu.ravel().tolist(), strict=True)),
    }


def _published_statistics(pixels: Pixels) -> dict[str, float]:
    """The published level statistics of the whole frame."""
    step = max(1, int(np.sqrt(pixels.size / 100_000)))
    part = pixels[::step, ::step].astype(np.float64)
    return {
        "median": float(quick_median(part)),
        "mean": float(pixels.mean(dtype=np.float64)),
        "std": float(part.std()),
        "max": float(pixels.max()),
    }


FEATURES.add("levels", Feature(measure_levels))
