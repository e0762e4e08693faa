"""Where each frame of a night points: shift, turn, jumps, another field, rows out of place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.look.scene import StarList
from nightsift.night.alignment import frame_centre
from nightsift.night.displaced import displaced_stars
from nightsift.night.poses import Numbers, passing_turns, pose_numbers, unwrapped
from nightsift.night.reference import NightField
from nightsift.night.trend import MIN_FRAMES, local_deviation, slow_deviation

Floats = npt.NDArray[np.float64]

POINTING_COLUMNS = (
    "shift_x_px",
    "shift_y_px",
    "shift_px",
    "rotation_deg",
    "flipped",
    "xc",
    "yc",
    "jump_px",
    "jump_share",
    "unrecognised",
    "displaced_stars",
)
# Below this share of recognised frames the reference, not the frames, is to blame.
_MOSTLY_RECOGNISED = 0.5
# Mean distance of the stars of a square frame from its middle, of its side.
_ARM_SHARE = 0.38


def measure_pointing(
    table: pd.DataFrame, field: NightField, stars: Sequence[StarList], shape: tuple[int, int]
) -> dict[str, Floats]:
    """Columns of a night's feature table, (N,) each; NaN where the field was not recognised.

    `shift_x_px`, `shift_y_px`, `shift_px` and `rotation_deg` of the field against the reference
    frame; `flipped` 1 where the camera is another way round than in the reference frame (a
    meridian flip, another parity; slow turning of the field is none), else 0; `xc`, `yc`, where
    the reference frame's centre lies, px; `jump_px` off the night's course, by shift or turn,
    and as `jump_share` of the shorter side; `unrecognised`, evidence of another field, 0-2;
    `displaced_stars` in rows that are moved sideways.

    Args:
        table: with `hours` and `n_shapes`.
        field: from `nightsift.night.reference.align_night`.
        stars: one list per frame.
        shape: (H, W) of the frames, px.
    """
    centre = frame_centre(shape)
    shifts = np.full((len(table), 2), np.nan)
    rotation = np.full(len(table), np.nan)
    for i, alignment in enumerate(field.alignments):
        if alignment is not None:
            shifts[i] = alignment.to_frame(centre[None], centre)[0] - centre
            rotation[i] = alignment.rotation_deg
    poses = pose_numbers(field.alignments, field.reference)
    arm_px = np.radians(_ARM_SHARE * min(shape))
    jumps = _jumps(table["hours"].to_numpy(), shifts, rotation, poses, arm_px)
    columns = (
        *shifts.T,
        np.hypot(*shifts.T),
        rotation,
        (poses > 0).astype(float),
        *(shifts + centre).T,
        jumps,
        jumps / min(shape),
        _unrecognised(table, field),
        _displaced(field, stars, shape),
    )
    return dict(zip(POINTING_COLUMNS, columns, strict=True))


def _jumps(
    hours: Floats, shifts: Floats, rotation_deg: Floats, poses: Numbers, arm_px: float
) -> Floats:
    """Distance from the smooth drift or from the frames around, whichever is less, px.

    A new pointing that stays is none: the field is still there. A turn counts by what it moves
    a star by, `arm_px` per degree.
    """
    out = np.full(len(hours), np.nan)
    for pose in range(int(poses.max(initial=-1)) + 1):
        own = np.flatnonzero(poses == pose)
        if len(own) > MIN_FRAMES:
            course = (*shifts[own].T, unwrapped(rotation_deg[own]) * arm_px)
            slow = np.stack([slow_deviation(hours[own], axis).value for axis in course])
            near = np.stack([local_deviation(axis).value for axis in course])
            out[own] = np.minimum(np.linalg.norm(slow, axis=0), np.linalg.norm(near, axis=0))
    passing = passing_turns(poses, rotation_deg) * arm_px
    return np.where(passing > 0, np.fmax(out, passing), out)


def _unrecognised(table: pd.DataFrame, field: NightField) -> Floats:
    """Evidence that stars are there but not those of the night: 0-2; NaN where nobody knows."""
    known = np.array([alignment is not None for alignment in field.alignments])
    if known.mean() < _MOSTLY_RECOGNISED or len(known) <= MIN_FRAMES:
        return np.where(known, 0.0, np.nan)
    shaped = table["n_shapes"].to_numpy(dtype=float)
    usual = float(np.median(shaped[known]))
    strange = np.clip(2 * shaped / max(usual, 1.0), 0.0, 2.0)
    # A handful of stars fits nowhere, wherever the telescope points.
    strange = np.where(shaped >= 10, strange, np.nan)
    return np.where(known, 0.0, strange)


def _displaced(field: NightField, stars: Sequence[StarList], shape: tuple[int, int]) -> Floats:
    """Stars in rows that are moved sideways; NaN where the field was not recognised."""
    out = np.full(len(stars), np.nan)
    centre = frame_centre(shape)
    known = [alignment.pairs[:, 1] for alignment in field.alignments if alignment is not None]
    seen = np.bincount(np.concatenate([*known, []]).astype(int), minlength=len(field.position))
    for i, alignment in enumerate(field.alignments):
        if alignment is None:
            continue
        own, star = alignment.pairs.T
        # A star that no other frame has, came into the list with this one.
        placed = own[seen[star] > 1]
        points = np.column_stack([stars[i].x, stars[i].y])
        here = alignment.to_frame(field.position, centre)
        wanted = (seen > 2) & np.all((here > 0) & (here < 2 * centre), axis=1)
        wanted[star] = False
        out[i] = displaced_stars(
            np.delete(points, placed, axis=0), here[wanted], points[placed, 1], shape[1]
        )
    return out
