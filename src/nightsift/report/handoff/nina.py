"""N.I.N.A.: the table of its Session Metadata plugin."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from nightsift.report.handoff import HANDOFFS
from nightsift.report.handoff.measured import csv_text, eccentricity, with_features


def image_metadata(table: pd.DataFrame, features: pd.DataFrame) -> dict[str, str]:
    """`ImageMetaData.csv`: those columns of the plugin's table that are known.

    Names and order after `SessionMetaDataWatcher.cs` of the plugin (HFR and FWHM in px, times
    of the beginning of the exposure); then `NSPROB`, `NSBAD` and `NSREASON`.

    Args:
        table: predictions with verdicts.
        features: of the same frames.
    """
    judged = with_features(table, features)
    times = zip(judged["time"], judged["exposure_s"], strict=True)
    rows = pd.DataFrame(
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
            "Eccentricity": eccentricity(judged),
            "ExposureStartUTC": [_start(middle, exposure_s) for middle, exposure_s in times],
            "ImageType": "LIGHT",
            "NSPROB": judged["prob_bad"].to_numpy(),
            "NSBAD": (judged["verdict"] == "bad").astype(int).to_numpy(),
            "NSREASON": judged["reason"].to_numpy(),
        }
    )
    return {"ImageMetaData.csv": csv_text(rows)}


def _start(middle: str, exposure_s: float) -> str:
    if not middle or not np.isfinite(exposure_s):
        return middle
    return (datetime.fromisoformat(middle) - timedelta(seconds=exposure_s / 2)).isoformat()


HANDOFFS.add("nina", image_metadata)
