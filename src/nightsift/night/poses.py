"""Which frames of a night show the field the same way round, slow turning allowed for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from nightsift.night.alignment import Alignment

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]

# No two frames of different poses are closer: slow turning leaves no such gap.
_GAP_DEG = 20.0
# So few frames in a row, between frames of one other pose, are a turn that does not stay.
_MOST_PASSING = 2


def pose_numbers(alignments: Sequence[Alignment | None], reference: int) -> Numbers:
    """(N,) which frames have the camera the same way round; -1 where nobody knows.

    Rotations without a gap of 20 degrees between them are one pose: a field that turns slowly
    stays in its own, whatever it adds up to. A meridian flip, a camera put back another way and
    a mirrored frame are others.

    Args:
        alignments: one per frame, None where the field was not recognised.
        reference: number of the frame whose pose is 0.
    """
    out = np.full(len(alignments), -1, dtype=np.intp)
    count = 0
    for mirrored in (False, True):
        own = [i for i, item in enumerate(alignments) if item and item.mirrored == mirrored]
        angles = np.array([item.rotation_deg for i in own if (item := alignments[i])])
        groups = _around_the_circle(angles)
        out[own] = groups + count
        count += int(groups.max(initial=-1)) + 1
    if reference >= 0 and out[reference] > 0:
        first, zero = out == out[reference], out == 0
        out[zero], out[first] = out[reference], 0
    return out


def unwrapped(rotation_deg: Floats) -> Floats:
    """The rotations of one pose without the step from 180 to -180; NaN stays NaN."""
    out = rotation_deg.copy()
    known = np.flatnonzero(np.isfinite(rotation_deg))
    out[known] = np.unwrap(rotation_deg[known], period=360.0)
    return out


def passing_turns(poses: Numbers, rotation_deg: Floats) -> Floats:
    """(N,) degrees by which one or two frames are turned between frames of one other pose; else 0.

    Args:
        poses: from `pose_numbers`.
        rotation_deg: (N,) of the frames, NaN where unknown.
    """
    out = np.zeros(len(poses))
    known = np.flatnonzero(poses >= 0)
    runs = [list(run) for _, run in groupby(known, key=lambda i: int(poses[i]))]
    for before, run, after in zip(runs, runs[1:], runs[2:], strict=False):
        if len(run) <= _MOST_PASSING and poses[before[-1]] == poses[after[0]]:
            turn = rotation_deg[run] - rotation_deg[before[-1]]
            out[run] = np.abs((turn + 180) % 360 - 180)
    return out


def _around_the_circle(angles: Floats) -> Numbers:
    """(M,) numbers of the groups that angles in degrees fall into between wide gaps."""
    groups = np.zeros(len(angles), dtype=np.intp)
    if len(angles) < 2:
        return groups
    order = np.argsort(angles, kind="stable")
    steps = np.diff(angles[order])
    numbers = np.concatenate([[0], np.cumsum(steps > _GAP_DEG)])
    if angles[order[0]] + 360 - angles[order[-1]] <= _GAP_DEG:
        numbers[numbers == numbers[-1]] = 0
    groups[order] = numbers
    return groups
