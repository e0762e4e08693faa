"""Frames of a night side by side: matched stars, and how each feature deviates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.judge.rules import RULES
from nightsift.look.background import GRID_COLS, GRID_ROWS
from nightsift.look.measure import GRID_COLUMNS, Measured, StarList
from nightsift.night.grouping import Night
from nightsift.night.photometry import measure_photometry
from nightsift.night.pointing import measure_pointing
from nightsift.night.reference import align_night
from nightsift.night.trend import MIN_FRAMES, Deviation, local_deviation, slow_deviation

Floats = npt.NDArray[np.float64]

# Exposure times within this ratio are compared with each other.
_SAME_EXPOSURE = 1.1
# A change of the sky's shape must be this share of it, and this many sigma of one pixel.
_SHAPE_SHARE, _SHAPE_SIGMA = 0.025, 0.8


def night_features(night: Night, measured: Sequence[Measured]) -> pd.DataFrame:
    """One row per frame of a night in time order, with everything that needs the other frames.

    Args:
        night: from `nightsift.night.grouping.group_nights`.
        measured: one per file of the night, in its order.
    """
    table = pd.DataFrame([item.features for item in measured])
    table.insert(0, "file", [str(path) for path in night.files])
    table.insert(1, "night", night.name)
    times = [info.time for info in night.infos]
    table["date_obs"] = [time.isoformat() if time else "" for time in times]
    table["hours"] = _hours(times, timed=night.timed)
    table["exposure_s"] = [_number(info.exposure_s) for info in night.infos]
    table["filter"] = [info.filter or "" for info in night.infos]
    table["group"] = exposure_groups(table["exposure_s"].to_numpy())
    shape = (night.infos[0].height, night.infos[0].width)
    stars = _per_second([item.stars for item in measured], table["exposure_s"].to_numpy())
    quality = table["n_shapes"] / table["fwhm_px"].clip(lower=1.0)
    field = align_night(stars, shape, quality.to_numpy(dtype=float))
    for name, values in measure_photometry(field, stars, shape)._asdict().items():
        table[name] = values
    table["missing_share"] = table["missing_stars"] / table["expected_stars"].clip(lower=1)
    for name, values in measure_pointing(table, field, stars, shape).items():
        table[name] = values
    table["sky_shape"] = _sky_shape(table, table["flipped"].to_numpy() > 0)
    return table


class Compared(NamedTuple):
    """One feature against the night.

    Attributes:
        feature: column of the feature table.
        kind: `slow` or `local` (`nightsift.night.trend`).
        log: compare natural logarithms.
        worse: 1 if larger is worse, -1 if smaller is, 0 if both are.
        limit: deviation that matters.
    """

    feature: str
    kind: str
    log: bool = False
    worse: int = 0
    limit: float = 1.0

    @property
    def column(self) -> str:
        """Column of the deviation."""
        return f"{self.kind}_{self.feature}"

    @property
    def scale_column(self) -> str:
        """Column of the scatter of the others."""
        return f"{self.kind}_scale_{self.feature}"


@cache
def compared_by_rules() -> tuple[Compared, ...]:
    """Every comparison that a rule looks at, once."""
    found: dict[tuple[str, str], Compared] = {}
    for rule in RULES:
        key = (rule.feature, rule.kind)
        if rule.kind == "level" or key in found:
            continue
        same = [item for item in RULES if (item.feature, item.kind) == key]
        worse = {item.worse for item in same}
        found[key] = Compared(
            rule.feature,
            rule.kind,
            log=rule.log,
            worse=worse.pop() if len(worse) == 1 else 0,
            limit=min(item.limit for item in same),
        )
    return tuple(found.values())


def compare_night(features: pd.DataFrame) -> pd.DataFrame:
    """Deviation and scatter of each feature that a rule looks at, in columns of their own.

    `<kind>_<feature>` is the deviation, `<kind>_scale_<feature>` the scatter of the others; in
    natural logarithms where the rule is. Frames are compared within their exposure time; NaN
    where there are fewer than six.

    Args:
        features: rows of one night from `night_features`.
    """
    columns = deviation_columns(features, compared_by_rules())
    return pd.concat([features, pd.DataFrame(columns, index=features.index)], axis=1)


def deviation_columns(features: pd.DataFrame, items: Sequence[Compared]) -> dict[str, Floats]:
    """Two columns for each of `items`: deviation and scatter."""
    columns: dict[str, Floats] = {}
    for item in items:
        values = comparable(features[item.feature].to_numpy(dtype=float), log=item.log)
        deviation = _by_group(features, values, item.kind, item.worse)
        columns[item.column], columns[item.scale_column] = deviation
    return columns


def comparable(values: Floats, *, log: bool) -> Floats:
    """The values, or their logarithms; what has none counts as very small."""
    if not log:
        return values
    # Half a star, or a millionth of an adu: far below anything, and finite.
    return np.asarray(np.log(np.where(values > 0, values, np.where(np.isnan(values), np.nan, 0.5))))


def exposure_groups(exposure_s: Floats) -> npt.NDArray[np.intp]:
    """(N,) number of the group of exposure times that differ by at most 10 %; 0 where unknown."""
    groups = np.zeros(len(exposure_s), dtype=np.intp)
    known = np.flatnonzero(np.isfinite(exposure_s))
    number, start = 0, None
    for i in known[np.argsort(exposure_s[known], kind="stable")]:
        if start is None or exposure_s[i] > _SAME_EXPOSURE * start:
            number, start = number + 1, float(exposure_s[i])
        groups[i] = number
    return groups


def _hours(times: Sequence[datetime | None], *, timed: bool) -> Floats:
    """Hours since the first frame, or frame numbers where a frame has no time."""
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


def _sky_shape(table: pd.DataFrame, flipped: npt.NDArray[np.bool_]) -> Floats:
    """How far the shape of the background is from the night's, 1 where it begins to matter.

    Of 3x4 cells relative to the level, each against its own course: the second largest.
    """
    cells = table[list(GRID_COLUMNS)].to_numpy(dtype=float)
    grid = cells.reshape(-1, GRID_ROWS // 2, 2, GRID_COLS // 2, 2).mean(axis=(2, 4))
    grid = grid.reshape(len(table), -1)
    level = table["background_adu"].to_numpy(dtype=float)
    noise = table["noise_adu"].to_numpy(dtype=float)
    scale = np.maximum(np.abs(level), noise)[:, None]
    shape = grid / np.maximum(scale, 1e-6)
    hours = table["hours"].to_numpy()
    out = np.full(len(table), np.nan)
    for side in (False, True):
        own = np.flatnonzero(flipped == side)
        if len(own) <= MIN_FRAMES:
            continue
        deviation = np.stack([slow_deviation(hours[own], cell).value for cell in shape[own].T])
        share = np.abs(deviation) / _SHAPE_SHARE
        sigma = np.abs(deviation) * scale[own].T / np.maximum(noise[own], 1e-6) / _SHAPE_SIGMA
        out[own] = np.sort(np.minimum(share, sigma), axis=0)[-2]
    return out


def _by_group(features: pd.DataFrame, values: Floats, kind: str, worse: int) -> Deviation:
    value, scale = (np.full(len(values), np.nan) for _ in range(2))
    hours, groups = features["hours"].to_numpy(), features["group"].to_numpy()
    for number in np.unique(groups):
        own = np.flatnonzero(groups == number)
        if kind == "slow":
            found = slow_deviation(hours[own], values[own], worse=worse)
        else:
            found = local_deviation(values[own])
        value[own], scale[own] = found
    return Deviation(value, scale)
