"""What a learned head gets to see of a frame: numbers that mean the same on every camera.

Three sorts stand side by side: the severities of the rules, the deviations from the night in
units of what is bad and of what is usual, and the few values that need no night to be compared
with. What could not be measured is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.judge.rules import RULES
from nightsift.judge.score import severity
from nightsift.look.measure import Measured
from nightsift.night.comparison import (
    Compared,
    compare_night,
    compared_by_rules,
    deviation_columns,
    night_features,
)
from nightsift.night.grouping import Night

Floats = npt.NDArray[np.float32]

# Deviations that no rule looks at; limit: what an observer would notice.
_MORE = (
    Compared("fwhm_px", "slow", log=True, limit=0.3),
    Compared("fwhm_px", "local", log=True, limit=0.25),
    Compared("elongation", "slow", log=True, limit=0.2),
    Compared("elongation", "local", log=True, limit=0.2),
    Compared("trail", "local", limit=0.2),
    Compared("fwhm_scatter", "slow", limit=0.1),
    Compared("concentration", "slow", limit=0.3),
    Compared("transparency", "local", log=True, limit=0.2),
    Compared("transparency_scatter", "local", limit=0.08),
    Compared("missing_share", "local", limit=0.3),
    Compared("n_stars", "local", log=True, limit=0.6),
    Compared("streak_significance", "local", limit=2.5),
    Compared("piece_significance", "local", limit=2.5),
    Compared("paired_share", "local", limit=0.1),
    Compared("sky_shape", "local", limit=1.0),
    Compared("gradient", "slow", limit=0.05),
    Compared("noise_adu", "slow", log=True, limit=0.4),
    Compared("banding_rows", "local", log=True, limit=0.5),
    Compared("banding_cols", "local", log=True, limit=0.5),
    Compared("step_rows", "local", limit=0.45),
    Compared("step_cols", "local", limit=0.45),
    Compared("cosmic_rays", "slow", log=True, limit=1.0),
    Compared("acf_width_px", "local", log=True, limit=0.3),
)
# Values as they stand, and how they are brought to the order of 1.
_LINEAR = {
    "trail": 2.0,
    "pa_coherence": 1.0,
    "fwhm_scatter": 4.0,
    "concentration": 1.0,
    "dip": 1.0,
    "constant_fraction": 4.0,
    "transparency_scatter": 5.0,
    "missing_share": 2.0,
    "missing_cell": 2.0,
    "unrecognised": 1.0,
    "flipped": 1.0,
    "jump_share": 10.0,
    "paired_share": 4.0,
    "displaced_stars": 1.0,
}
_LOGARITHMIC = {
    "elongation": 2.0,
    "saturated_fraction": 0.3,
    "transparency": 1.0,
    "streak_significance": 0.5,
    "piece_significance": 0.5,
    "n_stars": 0.3,
    "n_shapes": 0.3,
    "expected_stars": 0.3,
    "banding_rows": 1.0,
    "banding_cols": 1.0,
    "step_rows": 1.0,
    "step_cols": 1.0,
    "sky_shape": 1.0,
}
# The smallest value that a logarithm tells from zero.
_SMALLEST = {"saturated_fraction": 1e-5, "transparency": 0.02}
_CLIP = 5.0
# The last columns: of the place in the night, not of the frame.
GAPS = ("gap_before", "gap_after")


def night_inputs(night: Night, measured: Sequence[Measured]) -> Floats:
    """The inputs of all frames of a night in time order, (N, F) of `INPUT_NAMES`.

    Args:
        night: from `nightsift.night.grouping.group_nights`.
        measured: one per file of the night, in its order.
    """
    return relative_inputs(compare_night(night_features(night, measured)))


def loose_inputs(measured: Sequence[Measured]) -> Floats:
    """The inputs of frames that have no night, (N, F): every deviation is NaN."""
    return relative_inputs(pd.DataFrame([item.features for item in measured]), compared=False)


def relative_inputs(features: pd.DataFrame, *, compared: bool = True) -> Floats:
    """Features of one night to inputs, (N, F) float32 within +-5, NaN where there is nothing.

    Args:
        features: rows of one night from `nightsift.night.comparison.compare_night`.
        compared: whether there is a night to compare with.
    """
    columns = _columns(features, compared=compared)
    values = np.column_stack([columns[name] for name in INPUT_NAMES])
    return values.clip(-_CLIP, _CLIP).astype(np.float32)


def _columns(features: pd.DataFrame, *, compared: bool) -> dict[str, npt.NDArray[np.float64]]:
    rules = compared_by_rules()
    table = features.reindex(columns=list(dict.fromkeys([*features.columns, *_needed(rules)])))
    if compared:
        table = table.assign(**deviation_columns(table, _MORE))
    columns = {rule.name: np.log1p(severity(rule, table)) for rule in RULES}
    for item in (*rules, *_MORE):
        value = table[item.column].to_numpy(dtype=float)
        scale = np.maximum(table[item.scale_column].to_numpy(dtype=float), 0.02 * item.limit)
        columns[f"{item.column}_by_limit"] = np.arcsinh(value / item.limit)
        columns[f"{item.column}_by_scatter"] = np.arcsinh(value / scale) / 2
    for name, factor in _LINEAR.items():
        columns[f"level_{name}"] = factor * table[name].to_numpy(dtype=float)
    for name, factor in _LOGARITHMIC.items():
        value = table[name].to_numpy(dtype=float)
        columns[f"level_{name}"] = factor * np.log(np.maximum(value, _SMALLEST.get(name, 0.1)))
    return columns | _gaps(table["hours"].to_numpy(dtype=float))


def _gaps(hours: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    """Logarithm of the time to the neighbours over the usual one; NaN at the ends."""
    gap = np.diff(hours)
    usual = float(np.median(gap)) if len(gap) and np.isfinite(gap).all() else float("nan")
    ratio = np.log(np.maximum(gap, 1e-6) / max(usual, 1e-6)) / 2
    before, after = np.r_[np.nan, ratio], np.r_[ratio, np.nan]
    return dict(zip(GAPS, (before[: len(hours)], after[: len(hours)]), strict=True))


def _needed(rules: Sequence[Compared]) -> list[str]:
    """All columns that are read, so that a frame without a night has them too."""
    names = [name for item in (*rules, *_MORE) for name in (item.column, item.scale_column)]
    names += [item.feature for item in _MORE] + [rule.feature for rule in RULES]
    needs = [part for rule in RULES for part in rule.needs.split()]
    names += [part.replace(">=", "<").partition("<")[0] for part in needs]
    return [*names, *_LINEAR, *_LOGARITHMIC, "hours", "group"]


def _names() -> tuple[str, ...]:
    compared = [item.column for item in (*compared_by_rules(), *_MORE)]
    return (
        *(rule.name for rule in RULES),
        *(f"{column}_by_{unit}" for column in compared for unit in ("limit", "scatter")),
        *(f"level_{name}" for name in (*_LINEAR, *_LOGARITHMIC)),
        *GAPS,
    )


# In the order of the columns; the gaps in time come last.
INPUT_NAMES = _names()
