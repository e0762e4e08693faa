"""The feature table of a night: each frame alone, then its stars against those of the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.look.background import GRID_COLS, GRID_ROWS
from nightsift.look.features.levels import GRID_COLUMNS
from nightsift.look.look import Look
from nightsift.look.scene import StarList
from nightsift.look.store import read_stars
from nightsift.night.alignment import Alignment
from nightsift.night.comparison import exposure_groups
from nightsift.night.fields import reference_quality
from nightsift.night.lines import measure_changed_lines, measure_lines
from nightsift.night.photometry import Photometry, measure_photometry
from nightsift.night.pointing import POINTING_COLUMNS, measure_pointing
from nightsift.night.reference import align_night
from nightsift.night.trend import MIN_FRAMES, slow_deviation

Floats = npt.NDArray[np.float64]

# A change of the sky's shape must be this share of it, and this many sigma of one pixel.
_SHAPE_SHARE, _SHAPE_SIGMA = 0.025, 0.8
# Levels of two frames differ where they lie this far apart, sigma of one pixel.
_RISE_SIGMA = 1.0


def single_features(name: str, looks: Sequence[Look], *, timed: bool) -> pd.DataFrame:
    """One row per frame with what needs no other frame.

    `file`, `night`, the features of the looks, `date_obs`, `hours` since the first frame (frame
    numbers where one has no time), `exposure_s`, `filter`, `group` of the exposure time.
    """
    infos = [look.info for look in looks if look.info is not None]
    table = pd.DataFrame([look.features for look in looks], index=range(len(looks)))
    table.insert(0, "file", [str(look.path) for look in looks])
    table.insert(1, "night", name)
    times = [info.time for info in infos]
    table["date_obs"] = [time.isoformat() if time else "" for time in times]
    table["hours"] = _hours(times, timed=timed)
    table["exposure_s"] = [_number(info.exposure_s) for info in infos]
    table["filter"] = [info.filter or "" for info in infos]
    table["group"] = exposure_groups(table["exposure_s"].to_numpy())
    return table


def compared_features(
    table: pd.DataFrame, looks: Sequence[Look], shape: tuple[int, int]
) -> tuple[pd.DataFrame, tuple[Alignment | None, ...]]:
    """The table with what the matched stars of all frames tell, and how each frame lies.

    Args:
        table: from `single_features`.
        looks: of the same frames, in time order.
        shape: (H, W) of the frames, px.
    """
    listed = read_stars(looks)
    stars = _per_second(listed, table["exposure_s"].to_numpy())
    field = align_night(stars, shape, reference_quality(table))
    table = table.assign(**measure_changed_lines(table, looks, field.alignments, shape))
    columns: dict[str, Floats] = dict(measure_photometry(field, stars, shape)._asdict())
    columns["missing_share"] = columns["missing_stars"] / columns["expected_stars"].clip(min=1)
    columns |= measure_pointing(table, field, stars, shape)
    table = table.assign(**columns)
    return table.assign(sky_shape=_sky_shape(table)), tuple(field.alignments)


def uncompared_features(table: pd.DataFrame, looks: Sequence[Look]) -> pd.DataFrame:
    """The same columns for frames that have no night: NaN, but for lines through the frame."""
    names = [*Photometry._fields, "missing_share", *POINTING_COLUMNS, "sky_shape"]
    table = table.assign(**measure_lines(looks))
    return table.assign(**dict.fromkeys(names, np.nan), hours=np.nan)


def _hours(times: Sequence[datetime | None], *, timed: bool) -> Floats:
    first = times[0]
    if not timed or first is None:
        return np.arange(len(times), dtype=float)
    return np.array([(time - first).total_seconds() / 3600 for time in times if time])


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _per_second(stars: list[StarList], exposure_s: Floats) -> list[StarList]:
    """Fluxes per second, where every frame says how long it was exposed."""
    if not (np.isfinite(exposure_s) & (exposure_s > 0)).all():
        return stars
    return [
        item._replace(flux=item.flux / seconds)
        for item, seconds in zip(stars, exposure_s, strict=True)
    ]


def _sky_shape(table: pd.DataFrame) -> Floats:
    """How far the shape of the background is from the night's, 1 where it begins to matter.

    Of 3x4 cells relative to the level, each against its own course: the second largest. What a
    cell gains as the whole sky rises (vignetting, a bias that does not) is part of no change.
    """
    cells = table[list(GRID_COLUMNS)].to_numpy(dtype=float)
    grid = cells.reshape(-1, GRID_ROWS // 2, 2, GRID_COLS // 2, 2).mean(axis=(2, 4))
    grid = grid.reshape(len(table), -1)
    level = table["background_adu"].to_numpy(dtype=float)
    noise = table["noise_adu"].to_numpy(dtype=float)
    scale = np.maximum(np.maximum(np.abs(level), noise)[:, None], 1e-6)
    hours = table["hours"].to_numpy()
    flipped = table["flipped"].to_numpy() > 0
    out = np.full(len(table), np.nan)
    for side in (False, True):
        own = np.flatnonzero(flipped == side)
        if len(own) <= MIN_FRAMES:
            continue
        shape = (grid[own] - _share_of_sky(grid[own], level[own], noise[own])) / scale[own]
        deviation = np.stack([slow_deviation(hours[own], cell).value for cell in shape.T])
        share = np.abs(deviation) / _SHAPE_SHARE
        sigma = np.abs(deviation) * scale[own].T / np.maximum(noise[own], 1e-6) / _SHAPE_SIGMA
        out[own] = np.sort(np.minimum(share, sigma), axis=0)[-2]
    return out


def _share_of_sky(grid: Floats, level: Floats, noise: Floats) -> Floats:
    """(n, C) what the level of the sky lets expect in each cell, up to a constant.

    The slope of each cell is the median of those through pairs of frames with different levels
    (after Theil 1950 and Sen 1968, J. Am. Stat. Assoc. 63, 1379); 1 where the level stays.
    """
    order = np.argsort(level, kind="stable")
    half = len(level) // 2
    low, high = order[:half], order[len(level) - half :]
    rise = level[high] - level[low]
    different = rise > _RISE_SIGMA * np.median(noise)
    slope = np.ones(grid.shape[1])
    if np.count_nonzero(different) >= 3:
        steps = (grid[high] - grid[low])[different] / rise[different, None]
        slope = np.median(steps, axis=0)
    return level[:, None] * slope
