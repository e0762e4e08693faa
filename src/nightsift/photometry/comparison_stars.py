"""Which stars of a field are compared with each other, and how a star does against the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nightsift.errors import NightsiftError
from nightsift.photometry.field import Bools, Field, Floats

# Stars that are compared with each other, the target included.
_STARS, _FEWEST_STARS = 12, 3
# A star must lie on this share of the frames, and be measured, unsaturated, on that of the kept.
_INSIDE, _USUAL = 0.95, 0.85
_SAME_STAR_PX = 6.0
_ROUNDS = 5
# No star weighs as if it were quieter than this share of the typical variance.
_QUIETEST = 0.05


def choose_stars(field: Field, radius_px: float, target: tuple[float, float] | None) -> Floats:
    """(K, 2) places of up to 12 bright stars on the reference, px: the target, or the brightest.

    Args:
        field: the frames, and where the reference's stars lie on them.
        radius_px: of the aperture that is to fit on the frames.
        target: x and y on the first kept frame, px, counted from 0, of the star that comes
            first; None for the brightest.

    Raises:
        NightsiftError: no star at the target, or fewer than 3 stars.
    """
    stars = field.stars
    usual = _usually_measured(field)
    usual = usual[np.argsort(-stars.flux[usual])]
    position = np.column_stack([stars.x, stars.y])[usual]
    position = position[_on_most_frames(field, position, 2 * radius_px)]
    if target is not None:
        position = position[_target_first(field, position, target)]
    position = position[:_STARS]
    if len(position) < _FEWEST_STARS:
        raise NightsiftError(
            f"only {len(position)} stars for a light curve: expected {_FEWEST_STARS} or more "
            f"that most frames hold, unsaturated"
        )
    return position


def relative_flux(flux: Floats, kept: Bools, star: int) -> Floats:
    """(M,) flux of one star over a weighted sum of the others, 1 in the median of the kept frames.

    Weights are inverse variances of each star's own curve, found by iteration (Broeg,
    Fernandez & Neuhaeuser 2005, AN 326, 134).

    Args:
        flux: (M, K) of K stars on M frames, NaN where not measured.
        kept: (M,) frames that are not rejected.
        star: 0 to K - 1.
    """
    relative = np.roll(flux, -star, axis=1)
    relative = relative / np.nanmedian(relative[kept], axis=0)
    relative[~(relative > 0)] = np.nan
    others = relative[:, 1:]
    weight = np.ones(others.shape[1])
    for _ in range(_ROUNDS):
        level = _weighted(others, weight)
        steps = np.diff((others / level[:, None])[kept], axis=0)
        # The median of the squared difference of two normal values is 0.91 of their variance.
        variance = np.nanmedian(steps**2, axis=0) / 0.91
        weight = 1 / np.maximum(variance, np.nanmedian(variance) * _QUIETEST)
    curve = relative[:, 0] / _weighted(others, weight)
    return np.asarray(curve / np.nanmedian(curve[kept]))


def _usually_measured(field: Field) -> npt.NDArray[np.intp]:
    """Numbers of the reference's stars that most kept frames have too: inside, not saturated."""
    count = len(field.stars.x)
    seen = np.zeros(count)
    for alignment, kept in zip(field.alignments, field.kept, strict=True):
        if kept:
            seen[[star for star in alignment.pairs[:, 1] if star < count]] += 1
    return np.flatnonzero(seen >= _USUAL * field.kept.sum())


def _on_most_frames(field: Field, position: Floats, margin_px: float) -> Bools:
    """(K,) whether each star lies within the margin on 95 % of the frames."""
    places = np.array([field.on_frame(i, position) for i in range(len(field.numbers))])
    inside = (places > margin_px) & (places < 2 * field.centre - margin_px)
    return np.asarray(inside.all(axis=2).mean(axis=0) >= _INSIDE)


def _target_first(
    field: Field, position: Floats, target: tuple[float, float]
) -> npt.NDArray[np.intp]:
    """Order of the stars: the one at the target, then the others as they are."""
    apart = np.hypot(*(position - field.from_first_kept(target)).T)
    if not len(apart) or apart.min() > _SAME_STAR_PX:
        raise NightsiftError(f"target={list(target)}: no star there that most frames hold")
    nearest = np.argmin(apart)
    return np.asarray(np.r_[nearest, np.delete(np.arange(len(position)), nearest)])


def _weighted(values: Floats, weight: Floats) -> Floats:
    """(M,) weighted mean of each row over the columns that are known there; NaN without any."""
    known = np.isfinite(values)
    total = (known * weight).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, values, 0.0) @ weight / total)
