"""The published formula, kept for comparison, with its faults (design, section 7).

`streak` is the share of pixels above their own 90th percentile, so always about 0.10;
`fwhm_proxy` is the spread of the brightest pixels over the whole frame; the centroid has no
background subtracted; `disp` and `flux_jump` compare with the frame before, so that the good
frame after a bad one is accused. The published text names these columns, that `streak` weighs
most, and no more: the weights and the scaling below are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.heuristics.table import PUBLISHED_COLUMNS, aside_rows
from nightsift.look.measure import Decoded, Measure, Measurements
from nightsift.look.statistics import robust_sigma
from nightsift.night.night import NightSet

Pixels = npt.NDArray[Any]

FEATURES = ("median", "mean", "std", "max", "xc", "yc", "fwhm_proxy", "streak")
SCORED = ("disp", "fwhm_proxy", "streak", "flux_jump")
_BRIGHT_PERCENT = 99.5
_FLAG_SCORE = 0.5
# Score of a frame whose weighted deviation is this many sigma: 0.5.
_TYPICAL_SIGMA = 3.0


@dataclass(frozen=True, kw_only=True)
class PublishedScore:
    """`heuristics=published`: a weighted sum of deviations from the median of the night.

    Attributes:
        weights: factor on the deviation of each of `SCORED`.
    """

    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if set(self.weights) != set(SCORED) or min(self.weights.values()) < 0:
            raise NightsiftError(
                f"heuristics.weights: expected a number of at least 0 for each of "
                f"{', '.join(SCORED)}, got {dict(self.weights)}"
            )

    @property
    def measure(self) -> Measure:
        """Level, centroid, spread and share of the brightest pixels."""
        return PublishedFeatures()

    def table(self, nights: NightSet) -> pd.DataFrame:
        """The published columns of each file, `night`, `error`, `compared_with`, `series`."""
        parts = []
        for night in nights.nights:
            columns = ["file", "night", "date_obs", *FEATURES, "compared_with", "series"]
            table = night.features[columns].assign(error="")
            table["disp"] = np.hypot(table["xc"].diff().fillna(0), table["yc"].diff().fillna(0))
            before = table["median"].shift().bfill()
            table["flux_jump"] = (table["median"] - before).abs() / (before.abs() + 1e-6)
            parts.append(table)
        whole = pd.concat([*parts, aside_rows(nights)], ignore_index=True)
        whole["index"] = np.arange(len(whole))
        return whole[[*PUBLISHED_COLUMNS, "night", "error", "compared_with", "series"]]

    def judge(self, features: pd.DataFrame) -> pd.DataFrame:
        """Score 0-1 and flag of each row; the reason is the column that deviates most."""
        out = pd.DataFrame({"candidate_score": 0.0}, index=features.index)
        parts = np.zeros((len(features), len(SCORED)))
        for night in features["night"].unique():
            own = (features["night"] == night).to_numpy()
            for i, name in enumerate(SCORED):
                values = features.loc[own, name].to_numpy(dtype=float)
                middle = np.median(values)
                sigma = robust_sigma(values, middle) + 1e-6
                parts[own, i] = self.weights[name] * np.abs(values - middle) / sigma
        total = np.nan_to_num(parts).sum(axis=1) / max(sum(self.weights.values()), 1e-9)
        unreadable = (features["error"] != "").to_numpy()
        out["candidate_score"] = np.where(unreadable, 1.0, total / (total + _TYPICAL_SIGMA))
        out["flag_any"] = (out["candidate_score"] >= _FLAG_SCORE).astype(int)
        most = [SCORED[i] for i in np.argmax(np.nan_to_num(parts), axis=1).tolist()]
        out["reason"] = np.where(unreadable, "unreadable", np.where(total > 0, most, ""))
        out["explanation"] = [
            f"unreadable: {error}" if error else f"{name} deviates most"
            for error, name in zip(features["error"], most, strict=True)
        ]
        return out


@dataclass(frozen=True)
class PublishedFeatures:
    """The published columns of one frame that need no other frame."""

    compared: bool = False
    key: str = "published-1"

    def __call__(self, frame: Decoded) -> Measurements:
        """Measure one frame; it finds no stars."""
        return Measurements(published_features(frame.pixels))


def published_features(pixels: Pixels) -> dict[str, float]:
    """Level, centroid, spread of the brightest pixels and share of the brightest tenth."""
    image = pixels.astype(np.float64)
    places: npt.NDArray[np.float64] = np.indices(image.shape, dtype=np.float64)
    rows, cols = places[0], places[1]
    high = float(np.percentile(image, 90))
    total = image.sum() or 1.0
    bright = image >= np.percentile(image, _BRIGHT_PERCENT)
    return {
        "median": float(np.median(image)),
        "mean": float(image.mean()),
        "std": float(image.std()),
        "max": float(image.max()),
        "xc": float((cols * image).sum() / total),
        "yc": float((rows * image).sum() / total),
        "fwhm_proxy": 2.3548 * float(np.sqrt((rows[bright].var() + cols[bright].var()) / 2)),
        "streak": float(np.mean(image > high)),
    }
