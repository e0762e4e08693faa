"""Light of stars in round apertures."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sep

from nightsift.fits.reader import read_frame

Floats = npt.NDArray[np.float64]

# Aperture and annulus in FWHM; the smallest aperture in px.
_APERTURE, _INNER, _OUTER, _SMALLEST_PX = 1.6, 2.6, 4.5, 3.0


def aperture_radius_px(fwhm_px: Floats) -> float:
    """1.6 times the typical width of the stars, 3 px or more; NaN where no frame has stars.

    Args:
        fwhm_px: (N,) of the frames, NaN for those without stars.
    """
    known = fwhm_px[np.isfinite(fwhm_px)]
    return max(_APERTURE * float(np.median(known)), _SMALLEST_PX) if len(known) else float("nan")


def aperture_fluxes(
    files: Sequence[Path], positions: Sequence[Floats], radius_px: float, *, workers: int
) -> Floats:
    """(M, K) light of K stars on M frames, adu.

    Args:
        files: M frames.
        positions: M times (K, 2) x and y of the stars, px, counted from 0.
        radius_px: of the aperture.
        workers: frames read at the same time, in threads.

    Raises:
        UnreadableFrame: a file has changed since it was measured.
    """
    radii = [radius_px] * len(files)
    with ThreadPoolExecutor(workers) as pool:
        return np.array(list(pool.map(_fluxes_on, files, positions, radii)))


def _fluxes_on(path: Path, position: Floats, radius: float) -> Floats:
    """(K,) light in an aperture less the median-like sky around it; NaN off the frame."""
    pixels = np.ascontiguousarray(read_frame(path).pixels, dtype=np.float32)
    x, y, _ = sep.winpos(pixels - np.median(pixels[::4, ::4]), *position.T, radius / 2)
    # A centroid that ran away is worse than the place the other stars give.
    away = ~(np.hypot(x - position[:, 0], y - position[:, 1]) < radius)
    x, y = np.where(away, position[:, 0], x), np.where(away, position[:, 1], y)
    height, width = pixels.shape
    # `sep` refuses all stars where the sky around one of them lies off the frame.
    there = (np.abs(x - width / 2) <= width / 2) & (np.abs(y - height / 2) <= height / 2)
    annulus = (radius * _INNER / _APERTURE, radius * _OUTER / _APERTURE)
    out = np.full(len(position), np.nan)
    flux, _, flag = sep.sum_circle(pixels, x[there], y[there], radius, bkgann=annulus, subpix=5)
    out[there] = np.where((flag & sep.APER_TRUNC) != 0, np.nan, flux)
    return out
