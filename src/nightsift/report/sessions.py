"""Verdicts and measurements under the column names that other programs' tables have."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd


def pixinsight_table(judged: pd.DataFrame) -> pd.DataFrame:
    """The columns of the table that PixInsight's SubframeSelector exports, as far as measured.

    `Approved` is what the verdict says, `Weight` 1 minus the probability of bad; FWHM in px,
    median and noise in adu. Names and order after `SubframeSelectorInstance.cpp` of the
    PixInsight class library; programs that read them look for names.

    Args:
        judged: from `joined`.
    """
    approved = np.where(judged["verdict"] == "bad", "false", "true")
    return pd.DataFrame(
        {
            "Index": np.arange(1, len(judged) + 1),
            "Approved": approved,
            "Locked": "false",
            "File": [str(Path(file).absolute()) for file in judged["file"]],
            "Weight": (1 - judged["prob_bad"]).to_numpy(),
            "FWHM": judged["fwhm_px"].to_numpy(),
            "Eccentricity": _eccentricity(judged),
            "Median": judged["median"].to_numpy(),
            "Noise": judged["noise_adu"].to_numpy(),
            "Stars": judged["n_stars"].to_numpy(),
        }
    )


def nina_table(judged: pd.DataFrame) -> pd.DataFrame:
    """The columns of `ImageMetaData.csv` of N.I.N.A.'s Session Metadata plugin that are known.

    Names and order after `SessionMetaDataWatcher.cs` of the plugin (HFR and FWHM in px, times
    of the beginning of the exposure); then `NSPROB`, `NSBAD` and `NSREASON`.

    Args:
        judged: from `joined`.
    """
    bad = (judged["verdict"] == "bad").astype(int).to_numpy()
    return pd.DataFrame(
        {
            "ExposureNumber": np.arange(1, len(judged) + 1),
            "FilePath": [str(Path(file).absolute()) for file in judged["file"]],
            "FilterName": judged["filter"].to_numpy(),
            "Duration": judged["exposure_s"].to_numpy(),
            "ADUStDev": judged["std"].to_numpy(),
            "ADUMean": judged["mean"].to_numpy(),
            "ADUMedian": judged["median"].to_numpy(),
            "ADUMax": judged["max"].to_numpy(),
            "DetectedStars": judged["n_stars"].to_numpy(),
            "HFR": judged["hfr_px"].to_numpy(),
            "FWHM": judged["fwhm_px"].to_numpy(),
            "Eccentricity": _eccentricity(judged),
            "ExposureStartUTC": [
                _start(time, seconds)
                for time, seconds in zip(judged["time"], judged["exposure_s"], strict=True)
            ],
            "ImageType": "LIGHT",
            "NSPROB": judged["prob_bad"].to_numpy(),
            "NSBAD": bad,
            "NSREASON": judged["reason"].to_numpy(),
        }
    )


def joined(table: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Judged frames with what was measured on them.

    Args:
        table: predictions with verdicts.
        features: of `nightsift.sorting.night.Sorted`.
    """
    judged = table[table["verdict"] != ""]
    known = features[[name for name in features if name == "file" or name not in table]]
    return judged.merge(known, on="file", how="left")


def _eccentricity(judged: pd.DataFrame) -> np.ndarray:
    """0 for round stars: sqrt(1 - (b/a)^2)."""
    ratio = judged["elongation"].to_numpy(dtype=float)
    return np.asarray(np.sqrt(1 - 1 / np.maximum(ratio, 1.0) ** 2))


def _start(middle: str, exposure_s: float) -> str:
    if not middle or not np.isfinite(exposure_s):
        return middle
    return (datetime.fromisoformat(middle) - timedelta(seconds=exposure_s / 2)).isoformat()
