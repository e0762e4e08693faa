"""PixInsight: the table that SubframeSelector exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nightsift.report.handoff import HANDOFFS
from nightsift.report.handoff.measured import csv_text, eccentricity, with_features


def subframe_selector(table: pd.DataFrame, features: pd.DataFrame) -> dict[str, str]:
    """`subframe_selector.csv`: the columns of PixInsight's table, as far as measured.

    `Approved` is what the verdict says, `Weight` 1 minus the probability of bad; FWHM in px,
    median and noise in adu. Names and order after `SubframeSelectorInstance.cpp` of the
    PixInsight class library; programs that read them look for names.

    Args:
        table: predictions with verdicts.
        features: of the same frames.
    """
    judged = with_features(table, features)
    rows = pd.DataFrame(
        {
            "Index": np.arange(1, len(judged) + 1),
            "Approved": np.where(judged["verdict"] == "bad", "false", "true"),
            "Locked": "false",
            "File": [str(Path(file).absolute()) for file in judged["file"]],
            "Weight": (1 - judged["prob_bad"]).to_numpy(),
            "FWHM": judged["fwhm_px"].to_numpy(),
            "Eccentricity": eccentricity(judged),
            "Median": judged["median"].to_numpy(),
            "Noise": judged["noise_adu"].to_numpy(),
            "Stars": judged["n_stars"].to_numpy(),
        }
    )
    return {"subframe_selector.csv": csv_text(rows)}


HANDOFFS.add("pixinsight", subframe_selector)
