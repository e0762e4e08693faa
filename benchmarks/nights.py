"""Nights that the benchmarks make for themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from astropy.io import fits

from nightsift import simulate_night


def quick_night(folder: Path, *, seed: int = 0, frames: int = 12) -> Path:
    """A small simulated night with labels and truth, for `--quick`; made in a second."""
    kinds = ("thick_cloud", "trail", "satellite")
    return simulate_night(
        folder,
        instrument="wide_0p15m",
        frames=frames,
        kinds=kinds,
        bad_fraction=0.4,
        seed=seed,
        max_side=192,
    )


def large_night(folder: Path, frames: int, side: int) -> Path:
    """Frames of noise and stars, shifted against each other, one a minute; quickly made."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    image = rng.normal(1000, 30, (side, side))
    for y, x in rng.integers(10, side - 10, (side, 2)):
        image[y - 2 : y + 3, x - 2 : x + 3] += 3000
    pixels = image.astype(np.uint16)
    for number in range(frames):
        time = datetime(2025, 1, 1) + timedelta(minutes=number)
        header = fits.Header({"DATE-OBS": time.isoformat(), "EXPTIME": 50.0})
        shifted = np.roll(pixels, 7 * number, axis=1)
        fits.writeto(folder / f"frame{number:04}.fits", shifted, header)
    return folder
