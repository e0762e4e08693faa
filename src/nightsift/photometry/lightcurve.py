"""Quick differential aperture photometry: what rejecting the bad frames buys.

Verdicts are made before and without it: no frame is judged by the light of the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import sep

from nightsift.errors import NightsiftError
from nightsift.fits.reader import read_frame
from nightsift.look.measure import Measured
from nightsift.night.matching import Alignment, frame_centre
from nightsift.night.reference import align_night

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Stars that are compared with each other, the target included.
_STARS = 12
_FEWEST_STARS, _FEWEST_FRAMES = 3, 8
# Aperture and annulus in FWHM; the smallest aperture in px.
_APERTURE, _INNER, _OUTER, _SMALLEST_PX = 1.6, 2.6, 4.5, 3.0
# A star must lie on this share of the frames, and be measured, unsaturated, on that of the kept.
_INSIDE, _USUAL = 0.95, 0.85
_SAME_STAR_PX = 6.0
_ROUNDS = 5


class LightCurve(NamedTuple):
    """Relative flux of one star along a night.

    Attributes:
        files: frames on which it was measured, in time order.
        hours: since the first frame.
        flux: over that of the comparison stars; its median over the kept frames is 1.
        kept: frames that are not rejected.
        inside: frames within the transit; all False where none was given.
        stars: comparison stars used.
    """

    files: tuple[Path, ...]
    hours: Floats
    flux: Floats
    kept: Bools
    inside: Bools
    stars: int

    @property
    def before_ppt(self) -> float:
        """Scatter of all frames, parts per thousand."""
        return scatter_ppt(self.flux)

    @property
    def after_ppt(self) -> float:
        """Scatter of the kept frames, parts per thousand."""
        return scatter_ppt(self.flux[self.kept])

    def told(self) -> str:
        """One line for terminal and page."""
        rejected = ~self.kept
        text = (
            f"scatter {self.before_ppt:.2f} ppt before, {self.after_ppt:.2f} ppt after "
            f"rejecting {rejected.sum()} of {len(self.kept)} frames ({self.stars} comparison stars)"
        )
        if self.inside.any():
            within, outside = (rejected & self.inside).sum(), (rejected & ~self.inside).sum()
            text += (
                f"; {within} of {self.inside.sum()} rejected inside the transit, "
                f"{outside} of {(~self.inside).sum()} outside"
            )
        return text


def scatter_ppt(flux: Floats) -> float:
    """Scatter from one frame to the next, parts per thousand, blind to slow changes.

    The root mean square of successive differences over sqrt(2) (von Neumann 1941, Ann. Math.
    Stat. 12, 367); NaN for fewer than three frames.
    """
    if len(flux) < 3:
        return float("nan")
    return 1000 * float(np.sqrt(np.mean(np.diff(flux) ** 2) / 2))


def measure_lightcurve(
    files: Sequence[Path],
    measured: Sequence[Measured],
    kept: Bools,
    *,
    target: tuple[float, float] | None = None,
    inside: Bools | None = None,
    workers: int = 2,
) -> LightCurve:
    """Photometry of one night.

    Args:
        files: frames of one night that could be read, in time order.
        measured: what was measured on each.
        kept: (N,) frames that are not rejected.
        target: x and y on the first kept frame, px, counted from 0; None for the steadiest of
            the bright stars.
        inside: (N,) frames within the transit.
        workers: frames read at the same time, in threads.

    Raises:
        NightsiftError: too few frames or stars, or the target is none of the stars.
    """
    info = measured[0].info
    assert info is not None
    shape = (info.height, info.width)
    centre = frame_centre(shape)
    fwhm = np.array([item.features.get("fwhm_px", np.nan) for item in measured])
    quality = np.array([item.features.get("n_shapes", np.nan) for item in measured])
    quality = np.where(kept, quality / np.maximum(fwhm, 1.0), np.nan)
    field = align_night([item.stars for item in measured], shape, quality)
    seen = [i for i, alignment in enumerate(field.alignments) if alignment is not None]
    if field.reference < 0 or len(seen) < _FEWEST_FRAMES or not kept[seen].any():
        raise NightsiftError("too few frames of one field for a light curve")
    radius = max(_APERTURE * float(np.nanmedian(fwhm[kept])), _SMALLEST_PX)
    stars = measured[field.reference].stars
    usual = _usually_measured(len(stars.x), [field.alignments[i] for i in seen if kept[i]])
    order = usual[np.argsort(-stars.flux[usual])]
    position = np.column_stack([stars.x, stars.y])[order]
    moved = np.array([_moved(position, field.alignments[i], centre) for i in seen])
    inside_frame = ((moved > 2 * radius) & (moved < 2 * centre - 2 * radius)).all(axis=2)
    position = position[inside_frame.mean(axis=0) >= _INSIDE]
    position = _target_first(position, target, field.alignments, kept, centre)
    if len(position) < _FEWEST_STARS:
        raise NightsiftError(f"only {len(position)} stars for a light curve")
    jobs = [(files[i], _moved(position, field.alignments[i], centre), radius) for i in seen]
    with ThreadPoolExecutor(workers) as pool:
        flux = np.array(list(pool.map(lambda job: _aperture_fluxes(*job), jobs)))
    keeps = kept[seen]
    curves = [_differential(np.roll(flux, -i, axis=1), keeps) for i in range(flux.shape[1])]
    steadiest = int(np.nanargmin([scatter_ppt(c[keeps & np.isfinite(c)]) for c in curves]))
    curve = curves[0 if target is not None else steadiest]
    good = np.isfinite(curve)
    times = [m.info.time if m.info else None for m in measured]
    first = next((t for t in times if t is not None), None)
    hours = np.array([(t - first).total_seconds() / 3600 if t and first else np.nan for t in times])
    within = np.zeros(len(files), dtype=bool) if inside is None else inside
    return LightCurve(
        tuple(files[i] for i, ok in zip(seen, good, strict=True) if ok),
        hours[seen][good],
        curve[good],
        keeps[good],
        within[seen][good],
        len(position) - 1,
    )


def _usually_measured(count: int, alignments: Sequence[Alignment | None]) -> npt.NDArray[np.intp]:
    """Numbers of the reference's stars that most frames have too: inside, and not saturated."""
    seen = np.zeros(count)
    for alignment in alignments:
        if alignment is not None:
            seen[[star for star in alignment.pairs[:, 1] if star < count]] += 1
    return np.flatnonzero(seen >= _USUAL * len(alignments))


def _moved(position: Floats, alignment: Alignment | None, centre: Floats) -> Floats:
    assert alignment is not None
    return alignment.to_frame(position, centre)


def _target_first(
    position: Floats,
    target: tuple[float, float] | None,
    alignments: Sequence[Alignment | None],
    kept: Bools,
    centre: Floats,
) -> Floats:
    """The target, then the brightest of the others."""
    if target is None:
        return position[:_STARS]
    first = next(a for a, keep in zip(alignments, kept, strict=True) if a is not None and keep)
    place = first.to_reference(np.array([target], dtype=float), centre)
    apart = np.hypot(*(position - place).T) if len(position) else np.empty(0)
    if not len(apart) or apart.min() > _SAME_STAR_PX:
        raise NightsiftError(f"target={list(target)}: no star there that most frames hold")
    order = np.r_[np.argmin(apart), np.delete(np.arange(len(position)), np.argmin(apart))]
    return position[order][:_STARS]


def _aperture_fluxes(path: Path, position: Floats, radius: float) -> Floats:
    """(K,) light in an aperture less the median-like sky around it; NaN off the frame."""
    pixels = np.ascontiguousarray(read_frame(path).pixels, dtype=np.float32)
    x, y, _ = sep.winpos(pixels - np.median(pixels[::4, ::4]), *position.T, radius / 2)
    # A centroid that ran away is worse than the place the other stars give.
    away = ~(np.hypot(x - position[:, 0], y - position[:, 1]) < radius)
    x, y = np.where(away, position[:, 0], x), np.where(away, position[:, 1], y)
    annulus = (radius * _INNER / _APERTURE, radius * _OUTER / _APERTURE)
    flux, _, flag = sep.sum_circle(pixels, x, y, radius, bkgann=annulus, subpix=5)
    return np.where((flag & sep.APER_TRUNC) != 0, np.nan, flux)


def _differential(flux: Floats, kept: Bools) -> Floats:
    """(N,) flux of the first star over a weighted sum of the others.

    Weights are inverse variances of each star's own curve, found by iteration (Broeg,
    Fernandez & Neuhaeuser 2005, AN 326, 134).
    """
    relative = flux / np.nanmedian(flux[kept], axis=0)
    relative[~(relative > 0)] = np.nan
    others = relative[:, 1:]
    weight = np.ones(others.shape[1])
    for _ in range(_ROUNDS):
        level = _weighted(others, weight)
        steps = np.diff((others / level[:, None])[kept], axis=0)
        variance = np.nanmedian(steps**2, axis=0) / 0.91
        weight = 1 / np.maximum(variance, np.nanmedian(variance) * 0.05)
    curve = relative[:, 0] / _weighted(others, weight)
    return np.asarray(curve / np.nanmedian(curve[kept]))


def _weighted(values: Floats, weight: Floats) -> Floats:
    known = np.isfinite(values)
    total = (known * weight).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, values, 0.0) @ weight / total)
