"""Verdicts beside measurements: what several programs want of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd


def with_features(table: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Judged frames with what was measured on them; a column of both is the table's.

    Args:
        table: predictions with verdicts.
        features: of the same frames.
    """
    judged = table[table["verdict"] != ""]
    known = features[[name for name in features if name == "file" or name not in table]]
    return judged.merge(known, on="file", how="left")


def eccentricity(judged: pd.DataFrame) -> npt.NDArray[np.float64]:
    """(N,) sqrt(1 - (b/a)^2) of the stars, 0 for round ones; from `elongation`, a/b."""
    ratio = judged["elongation"].to_numpy(dtype=np.float64)
    return np.asarray(np.sqrt(1 - 1 / np.maximum(ratio, 1.0) ** 2))


def csv_text(rows: pd.DataFrame) -> str:
    """Comma-separated text with a header, numbers to six digits."""
    return rows.to_csv(index=False, float_format="%.6g", lineterminator="\n")
