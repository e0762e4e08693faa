"""Which nights show the same stars, where no header says what they point at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.look.scene import StarList
from nightsift.night.reference import align_night

# Fewer frames are another field by accident: a lost pointing, a cloud.
_LEAST_FRAMES = 2
_MOST_FIELDS = 8


def reference_quality(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """(N,) how fit each frame is as the one that others are laid on: many sharp stars."""
    quality = table["n_shapes"] / table["fwhm_px"].clip(lower=1.0)
    return quality.to_numpy(dtype=float)


def fields_by_stars(
    stars: Sequence[StarList],
    shape: tuple[int, int],
    quality: npt.NDArray[np.float64],
    night: npt.NDArray[np.intp],
) -> npt.NDArray[np.intp]:
    """(N,) number of the field of each frame, from 0; nights are not divided.

    Frames that are laid on one list of stars are one field; those left over are tried among
    themselves. What fits nowhere stays with the first field, as frames that lost it do.

    Args:
        stars: one list per frame.
        shape: (H, W) of the frames, px.
        quality: from `reference_quality`.
        night: (N,) number of the night of each frame.
    """
    fields = np.zeros(len(stars), dtype=np.intp)
    left = np.arange(len(stars))
    for number in range(_MOST_FIELDS):
        if len(left) < _LEAST_FRAMES:
            break
        found = align_night([stars[i] for i in left.tolist()], shape, quality[left])
        known = np.array([alignment is not None for alignment in found.alignments])
        here = [own for own in np.unique(night[left]) if known[night[left] == own].mean() >= 0.5]
        members = left[np.isin(night[left], here)]
        if len(members) < _LEAST_FRAMES:
            break
        fields[members] = number
        left = np.setdiff1d(left, members)
    return fields
