"""Lines through each frame of a night that the others do not have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.look.lines import GRID, cell_px, without_wide
from nightsift.look.look import Look
from nightsift.look.reduction import reduction_factor
from nightsift.look.store import read_lines
from nightsift.night.alignment import Alignment
from nightsift.night.mesh import Mesh
from nightsift.night.streaks import Streak, find_streak
from nightsift.night.template import make_template

# A line covers any one cell in few frames of a night; what most of the others have there, such as
# the edge of a filter whose stars are found or not, is no news.
_STEADY = 0.85

Floats = npt.NDArray[np.float64]


def measure_changed_lines(
    table: pd.DataFrame,
    looks: Sequence[Look],
    poses: Sequence[Alignment | None],
    shape: tuple[int, int],
) -> dict[str, Floats]:
    """The most significant line of each frame beyond what all of them have.

    Args:
        table: from `nightsift.night.features.single_features`.
        looks: of the same frames, in time order.
        poses: how each frame lies on the reference frame; None where that is not known.
        shape: (H, W) of the frames, px.

    Returns:
        `streak_significance`, `streak_angle_deg`, `streak_length_px`, `piece_significance`, (N,)
        each, as in `nightsift.night.streaks.Streak`.
    """
    side = float(cell_px(shape, reduction_factor(shape)))
    mesh = Mesh((GRID, GRID), (side, side), shape)
    gains = star_gains(table)
    template = make_template(
        lambda rows: read_lines(looks[row] for row in rows)[:, None],
        mesh,
        poses,
        gains,
        [True],
        steady_share=_STEADY,
    )
    if template is None:
        return measure_lines(looks)
    found = []
    for look, pose, gain in zip(looks, poses, gains, strict=True):
        change = template.change(read_lines([look]), pose, float(gain))
        found.append(find_streak(without_wide(change[0]), round(side)))
    return _columns(found)


def measure_lines(looks: Sequence[Look]) -> dict[str, Floats]:
    """The same for frames that are compared with no others."""
    found = []
    for look in looks:
        side = 1
        if look.info is not None:
            shape = look.info.height, look.info.width
            side = cell_px(shape, reduction_factor(shape))
        found.append(find_streak(read_lines([look])[0], side))
    return _columns(found)


def star_gains(table: pd.DataFrame) -> Floats:
    """(N,) light of stars over the noise of the sky, relative to the night's median, by exposure.

    What a cloud takes away is not part of it: that is to be seen.
    """
    noise = table["noise_adu"].to_numpy(dtype=float)
    seconds = table["exposure_s"].to_numpy(dtype=float)
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        seconds = np.ones(len(table))
    gain = seconds / np.where(noise > 0, noise, np.nan)
    middle = np.nanmedian(gain) if np.isfinite(gain).any() else 1.0
    return np.clip(np.nan_to_num(gain / middle, nan=1.0), 0.02, 50.0)


def _columns(found: Iterable[Streak]) -> dict[str, Floats]:
    values = np.array(list(found), dtype=float).reshape(-1, 4)
    names = ("streak_significance", "streak_angle_deg", "streak_length_px", "piece_significance")
    return dict(zip(names, values.T, strict=True))
