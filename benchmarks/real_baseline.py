"""The untrained baseline: ten numbers of `sep` per frame and how far they are from the folder's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import sep

from nightsift.fits.reader import UnreadableFrame, read_frame

NUMBERS = (
    "background",
    "rms",
    "objects",
    "flux",
    "fwhm",
    "a",
    "b",
    "elongation",
    "elongation_scatter",
    "peak_share",
)
# Mean of the three largest deviations, in robust sigma, at which a frame is rejected. Stated
# once, tuned on nothing: five sigma.
LIMIT_SIGMA = 5.0
THRESHOLD = 0.5
_LARGEST = 3
Floats = npt.NDArray[np.float64]


def baseline_scores(files: Sequence[Path], cache: Path) -> Floats:
    """(N,) scores 0-1 of frames that are judged together, 0.5 at the limit.

    The score of a mean deviation d is d / (d + 5).

    Args:
        files: of one folder.
        cache: table of what was measured before; written again.
    """
    table = _measured(files, cache).loc[[str(path) for path in files], list(NUMBERS)].to_numpy()
    table = np.where(np.isfinite(table).any(axis=0), table, 0.0)
    with np.errstate(invalid="ignore"):
        middle = np.nanmedian(table, axis=0)
        spread = 1.4826 * np.nanmedian(np.abs(table - middle), axis=0)
        # A number that hardly differs within the folder is no evidence.
        z = np.abs(table - middle) / np.maximum(spread, 1e-3 * np.abs(middle) + 1e-9)
    z = np.sort(np.nan_to_num(z, nan=0.0), axis=1)[:, -_LARGEST:].mean(axis=1)
    return z / (z + LIMIT_SIGMA)


def _measured(files: Iterable[Path], cache: Path) -> pd.DataFrame:
    known = pd.read_csv(cache, index_col="file") if cache.is_file() else pd.DataFrame()
    missing = [path for path in files if str(path) not in known.index]
    if missing:
        rows = pd.DataFrame(
            [measure(path) for path in missing],
            index=pd.Index([str(path) for path in missing], name="file"),
            columns=list(NUMBERS),
        )
        known = pd.concat([known, rows])
        cache.parent.mkdir(parents=True, exist_ok=True)
        known.to_csv(cache, index_label="file")
    return known


def measure(path: Path) -> list[float]:
    """The ten numbers, NaN where there are none."""
    try:
        data = np.ascontiguousarray(read_frame(path).pixels, dtype=np.float64)
    except UnreadableFrame:
        return [np.nan] * len(NUMBERS)
    back = sep.Background(data)
    sep.set_extract_pixstack(max(300_000, data.size // 2))
    found = sep.extract(data - back.back(), 3.0, err=max(back.globalrms, 1e-9), minarea=5)
    numbers = [back.globalback, back.globalrms, float(len(found))]
    if not len(found):
        return numbers + [np.nan] * (len(NUMBERS) - len(numbers))
    elongation = found["a"] / np.maximum(found["b"], 1e-6)
    return numbers + [
        float(np.median(values))
        for values in (
            found["flux"],
            2 * np.sqrt(np.log(2) * (found["a"] ** 2 + found["b"] ** 2)),
            found["a"],
            found["b"],
            elongation,
            np.abs(elongation - np.median(elongation)),
            found["peak"] / np.maximum(found["flux"], 1e-6),
        )
    ]
