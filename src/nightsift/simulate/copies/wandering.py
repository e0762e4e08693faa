"""The field wanders over the detector: slowly, or from frame to frame on purpose."""

from __future__ import annotations

import numpy as np

from nightsift.simulate.copies.catalogue import Change, ChangeOf, GivenNight, copy_kind

_STEP_PX = 20
# Of the shorter side, in either direction: what comes in at the edges is cut off.
_FARTHEST = 0.1


@copy_kind("drift")
def drift(night: GivenNight, rng: np.random.Generator) -> ChangeOf:
    """Along a line, at most 20 px from frame to frame and a fifth of the shorter side in all."""
    angle = rng.uniform(0, 2 * np.pi)
    far = min(_farthest(night), _STEP_PX / 2 * max(1, night.frames - 1))
    return _moved([_whole(far * (2 * night.phase(i) - 1), angle) for i in range(night.frames)])


@copy_kind("dither")
def dither(night: GivenNight, rng: np.random.Generator) -> ChangeOf:
    """To another place for every frame, at most 20 px from the mean one."""
    angles = rng.uniform(0, 2 * np.pi, night.frames)
    far = rng.uniform(0, min(_farthest(night), _STEP_PX / 2), night.frames)
    return _moved([_whole(r, angle) for r, angle in zip(far, angles, strict=True)])


def _farthest(night: GivenNight) -> float:
    return _FARTHEST * min(night.shape)


def _whole(length: float, angle: float) -> tuple[int, int]:
    return round(length * np.cos(angle)), round(length * np.sin(angle))


def _moved(shifts: list[tuple[int, int]]) -> ChangeOf:
    """The frames without the margin that any of them lacks; noise stays on the detector."""
    margin = max(abs(part) for shift in shifts for part in shift)

    def change(frame: int) -> Change:
        dx, dy = shifts[frame]
        return Change(
            shift_px=(dx, dy),
            crop_px=margin,
            facts={"shift_x_px": float(dx), "shift_y_px": float(dy)},
        )

    return change
