"""How one frame lies on another: turned, mirrored, scaled and shifted."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# With fewer pairs the scale, with still fewer the rotation stays what it was.
_PAIRS_FOR_SCALE, _PAIRS_FOR_ROTATION = 6, 4
_LEAST_SPREAD_PX = 30.0
# A pair whose members are farther apart than this many times the median does not count.
_OUTLIER = 2.5


class Alignment(NamedTuple):
    """How a frame lies on a reference: reference = rotation(frame - centre) + centre + offset.

    Attributes:
        rotation_deg: -180 to 180, of the frame's coordinates into the reference's.
        scale: close to 1.
        offset: (2,) x and y, px.
        pairs: (M, 2) indices into the frame's and the reference's list.
        mirrored: whether y runs the other way in the frame; it is reversed before the rotation.
    """

    rotation_deg: float
    scale: float
    offset: Points
    pairs: npt.NDArray[np.intp]
    mirrored: bool = False

    def to_reference(self, points: Points, centre: Points) -> Points:
        """(N, 2) points of the frame in the reference's coordinates."""
        moved = self._oriented(_complex(points - centre)) * self._factor
        return _real(moved) + centre + self.offset

    def to_frame(self, points: Points, centre: Points) -> Points:
        """(N, 2) points of the reference in the frame's coordinates."""
        turned = _complex(points - centre - self.offset) / self._factor
        return _real(self._oriented(turned)) + centre

    def after(self, first: Alignment) -> Alignment:
        """This alignment of B on C after `first`, of A on B: that of A on C, without pairs."""
        offset = self._oriented(_complex(first.offset[None])) * self._factor
        turn = self._oriented(np.array([first._factor])) * self._factor
        return Alignment(
            float(np.degrees(np.angle(turn[0]))),
            float(abs(turn[0])),
            _real(offset)[0] + self.offset,
            np.empty((0, 2), dtype=np.intp),
            self.mirrored != first.mirrored,
        )

    def fitted(self, own: Points, other: Points) -> Alignment:
        """The similarity that lays `own` on `other`, by least squares without outliers.

        With few or huddled pairs only the rotation and the shift, or the shift alone.

        Args:
            own: (M, 2) points of the frame, relative to its centre.
            other: (M, 2) their partners in the reference, relative to the centre.
        """
        a, b = self._oriented(_complex(own)), _complex(other)
        factor = self._factor
        kept = np.ones(len(a), dtype=bool)
        offset = 0j
        for _ in range(3):
            factor = self._fitted_factor(a[kept], b[kept])
            offset = b[kept].mean() - factor * a[kept].mean()
            apart = np.abs(factor * a + offset - b)
            kept = apart <= max(_OUTLIER * float(np.median(apart)), 1e-6)
        return self._replace(
            rotation_deg=float(np.degrees(np.angle(factor))),
            scale=float(abs(factor)),
            offset=np.array([offset.real, offset.imag]),
        )

    @property
    def _factor(self) -> complex:
        return complex(np.exp(1j * np.radians(self.rotation_deg)) * self.scale)

    def _fitted_factor(self, a: Complex, b: Complex) -> complex:
        a, b = a - a.mean(), b - b.mean()
        spread = float(np.mean(np.abs(a) ** 2))
        if len(a) < _PAIRS_FOR_ROTATION or spread < _LEAST_SPREAD_PX**2:
            return self._factor
        factor = complex(np.vdot(a, b) / (len(a) * spread))
        if len(a) < _PAIRS_FOR_SCALE:
            factor *= self.scale / abs(factor) if factor else 1.0
        return factor

    def _oriented(self, points: Complex) -> Complex:
        return np.conj(points) if self.mirrored else points


def frame_centre(shape: tuple[int, int]) -> Points:
    """(2,) x and y of the middle of a frame of (H, W) px."""
    return np.array([shape[1], shape[0]]) / 2 - 0.5


def _complex(points: Points) -> Complex:
    return np.asarray(points[:, 0] + 1j * points[:, 1])


def _real(points: npt.NDArray[Any]) -> Points:
    return np.column_stack([points.real, points.imag])
