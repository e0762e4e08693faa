"""Quick differential aperture photometry: what rejecting the bad frames buys.

Verdicts are made before and without it: no frame is judged by the light of the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nightsift.look.look import Look
from nightsift.photometry.apertures import aperture_fluxes, aperture_radius_px
from nightsift.photometry.comparison_stars import choose_stars, relative_flux
from nightsift.photometry.field import FEWEST_KEPT, Bools, Floats, fwhm_px, recognise_field


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

    def summary(self) -> str:
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
    if len(flux) < FEWEST_KEPT:
        return float("nan")
    return 1000 * float(np.sqrt(np.mean(np.diff(flux) ** 2) / 2))


def measure_lightcurve(
    looks: Sequence[Look],
    kept: Bools,
    *,
    target: tuple[float, float] | None = None,
    inside: Bools | None = None,
    workers: int = 2,
) -> LightCurve:
    """Photometry of one night.

    Args:
        looks: at the frames of one night, in time order, with features and stars.
        kept: (N,) frames that are not rejected.
        target: x and y on the first kept frame, px, counted from 0; None for the steadiest of
            the bright stars.
        inside: (N,) frames within the transit.
        workers: frames read at the same time, in threads.

    Raises:
        NightsiftError: too few frames or stars, or the target is none of the stars.
    """
    field = recognise_field(looks, kept)
    radius = aperture_radius_px(fwhm_px(looks)[kept])
    stars = choose_stars(field, radius, target)
    own = [looks[i].path for i in field.numbers]
    places = [field.on_frame(i, stars) for i in range(len(own))]
    flux = aperture_fluxes(own, places, radius, workers=workers)
    curve = _steadiest(flux, field.kept) if target is None else relative_flux(flux, field.kept, 0)
    known = np.isfinite(curve)
    numbers = field.numbers[known]
    return LightCurve(
        tuple(looks[i].path for i in numbers),
        _hours(looks)[numbers],
        curve[known],
        kept[numbers],
        np.zeros(len(numbers), dtype=bool) if inside is None else inside[numbers],
        len(stars) - 1,
    )


def _steadiest(flux: Floats, kept: Bools) -> Floats:
    """The curve, of all stars', that scatters least over the kept frames."""
    curves = [relative_flux(flux, kept, star) for star in range(flux.shape[1])]
    scatter = [scatter_ppt(curve[kept & np.isfinite(curve)]) for curve in curves]
    return curves[int(np.argmin(np.nan_to_num(scatter, nan=np.inf)))]


def _hours(looks: Sequence[Look]) -> Floats:
    """(N,) since the first frame that has a time, NaN without one."""
    times = [item.info.time if item.info else None for item in looks]
    first = next((time for time in times if time is not None), None)
    return np.array([(t - first).total_seconds() / 3600 if t and first else np.nan for t in times])
