"""What the pictures of a night's frames show that the night does not: planes for a network.

The planes that `nightsift.look.transforms.two_scale` makes of each frame are compared with those
of the others: the field in detector and in sky coordinates, the stars with the night's profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.look.look import Look
from nightsift.look.statistics import MAD_TO_SIGMA
from nightsift.look.store import read_tensors
from nightsift.look.transforms.two_scale import CUTOUTS
from nightsift.night.alignment import Alignment
from nightsift.night.comparison import Deviations
from nightsift.night.lines import star_gains
from nightsift.night.mesh import Mesh
from nightsift.night.night import Night
from nightsift.night.template import MIN_FRAMES, Template, make_template, spread

Floats = npt.NDArray[np.float32]

# To be raised when the same night gives other planes; a model card says which it was taught.
VERSION = 1
# Planes that `NightChanges` gives: three of the field, two of the stars.
PLANES = 5
_FIELD = 3
# What noise and interpolation leave of each plane of the field, sigma.
_LEAST_SCATTER = (1.0, 1.0, 0.25)
_CLIP = 8.0
# A cut-out says something of the profile where its brightest pixel reaches this, sigma.
_MIN_PEAK = 12.0
# Pixels above this are a star's light, sigma.
_LIGHT_SIGMA = 5.0
# Shares are those of a peak of at least this, sigma: fainter ones are noise.
_LEAST_PEAK = 15.0
# Factor that brings shares of a star's peak to the order of 1 and more.
_SHARES = 5.0


class NightChanges:
    """Planes of each frame: what differs from its night, or all of it where there is no template.

    Planes 0-2 are those of the field (mean, brightest, smooth sky), as asinh(x / softening) of the
    difference in units of what is usual at its place; 3 and 4 the mosaic of cut-outs without the
    night's profile, as asinh of what is usual over the softening and as asinh of shares of each
    star's peak. Frames with fewer than 6 to be compared with keep their own field and cut-outs.

    Args:
        night: read with the transform `two_scale`, whose tensors are on disk.
        softening: of that transform.
    """

    def __init__(self, night: Night, softening: float) -> None:
        self.night = night
        self.softening = np.float32(softening)
        share = night.share
        self._common = None
        if share is not None:
            # Nights of one series have one template: made for the first of them.
            made = _COMMON.get(share.deviations)
            if made is None:
                made = _common(share.looks, share.poses, share.features, night.shape, softening)
                _COMMON[share.deviations] = made
            self._common, self._rows = made, share.rows
        elif night.ordered and len(night) >= MIN_FRAMES:
            facts = night.looks, night.poses, night.features
            self._common = _common(*facts, night.shape, softening)
            self._rows = np.arange(len(night))

    def planes(self, rows: npt.NDArray[np.intp]) -> Floats:
        """(B, 5, S, S) float32 within +-8 of some frames."""
        signal = _signal([self.night.looks[row] for row in rows], self.softening)
        field = [self._field(row, cells) for row, cells in zip(rows, signal, strict=True)]
        profile = self._common.profile if self._common else None
        stars = [star_planes(item[_FIELD], profile, self.softening) for item in signal]
        planes = np.concatenate([np.stack(field), np.stack(stars)], axis=1)
        return planes.clip(-_CLIP, _CLIP).astype(np.float32)

    def _field(self, row: int, signal: Floats) -> Floats:
        field = signal[:_FIELD]
        if self._common is not None and self._common.template is not None:
            gain = float(self._common.gains[self._rows[row]])
            change = self._common.template.change(field, self.night.poses[row], gain)
            field = np.nan_to_num(change)
        return np.asarray(np.arcsinh(field / self.softening))


class _Common(NamedTuple):
    """What frames that are compared have in common; gains of each of them."""

    template: Template | None
    profile: Profile
    gains: npt.NDArray[np.float64]


# By the deviations that all nights of a series share.
_COMMON: WeakKeyDictionary[Deviations, _Common] = WeakKeyDictionary()


def _common(
    looks: Sequence[Look],
    poses: Sequence[Alignment | None],
    features: pd.DataFrame,
    shape: tuple[int, int],
    softening: float,
) -> _Common:
    gains = star_gains(features)
    scale = np.float32(softening)
    size = looks[0].kept_tensor.shape[-1]
    template = make_template(
        lambda rows: _signal([looks[row] for row in rows], scale)[:, :_FIELD],
        Mesh((size, size), (shape[0] / size, shape[1] / size), shape),
        poses,
        gains,
        (False, False, True),
        least_scatter=_LEAST_SCATTER,
    )
    chosen = [looks[row] for row in spread(len(looks))]
    return _Common(template, night_profile(_signal(chosen, scale)[:, _FIELD]), gains)


def _signal(looks: Sequence[Look], softening: np.float32) -> Floats:
    """(n, 4, S, S) signal over noise."""
    stored = read_tensors(look.kept_tensor for look in looks)
    return np.asarray(softening * np.sinh(stored))


class Profile(NamedTuple):
    """The usual star of each part of the field, of sum 1, and how much it varies.

    Attributes:
        shape: (16, s, s).
        scatter: (16, s, s) from frame to frame.
    """

    shape: Floats
    scatter: Floats


def star_planes(mosaic: Floats, profile: Profile | None, softening: np.float32) -> Floats:
    """(2, S, S): cut-outs without the night's profile, over what is usual and over each peak.

    Args:
        mosaic: (S, S) cut-outs over the noise.
        profile: of the night, or None for the cut-outs as they are, over the noise.
        softening: of asinh.
    """
    cuts = _cuts(mosaic)
    peak = np.maximum(cuts.max(axis=(1, 2)), _LEAST_PEAK)[:, None, None]
    rest, usual = cuts, np.ones_like(cuts)
    if profile is not None:
        light = np.einsum("nij,nij->n", cuts, profile.shape)
        norm = np.einsum("nij,nij->n", profile.shape, profile.shape)
        flux = (light / np.maximum(norm, 1e-12))[:, None, None]
        rest = cuts - flux * profile.shape
        usual = np.hypot(1, flux * profile.scatter)
    over_usual = np.arcsinh(rest / usual / softening)
    over_peak = np.arcsinh(_SHARES * rest / peak)
    return np.stack([_mosaic(over_usual), _mosaic(over_peak)])


def night_profile(mosaics: Floats) -> Profile:
    """The usual stars of a night.

    Args:
        mosaics: (n, S, S) of frames spread over the night, over the noise.
    """
    cuts = np.stack([_cuts(mosaic) for mosaic in mosaics])
    flux = cuts.sum(axis=(2, 3))
    side = cuts.shape[-1]
    # Neighbours and the slope of the sky make the sum of blank cut-outs differ from 0.
    usable = (cuts.max(axis=(2, 3)) > _MIN_PEAK) & (flux > side * _MIN_PEAK)
    shapes = cuts / np.where(usable, flux, 1)[..., None, None]
    usual, scatter = np.zeros_like(cuts[0]), np.ones_like(cuts[0])
    if usable.any():
        usual[:], scatter[:] = _middle(shapes[usable])
    for part in np.flatnonzero(usable.sum(axis=0) >= MIN_FRAMES):
        usual[part], scatter[part] = _middle(shapes[usable[:, part], part])
    return Profile(usual, scatter)


def _middle(shapes: Floats) -> tuple[Floats, Floats]:
    """Median and robust scatter over the first axis."""
    middle = np.median(shapes, axis=0)
    return middle, MAD_TO_SIGMA * np.median(np.abs(shapes - middle), axis=0)


def _cuts(mosaic: Floats) -> Floats:
    """(S, S) to (16, s, s), each moved so that its light is in the middle."""
    side = len(mosaic) // CUTOUTS
    parts = mosaic[: side * CUTOUTS, : side * CUTOUTS].reshape(CUTOUTS, side, CUTOUTS, side)
    cuts = parts.transpose(0, 2, 1, 3).reshape(CUTOUTS**2, side, side)
    return np.stack([_centred(cut) for cut in cuts])


def _centred(cut: Floats) -> Floats:
    """A cut-out rolled by whole pixels: rings and trails are cut out around their brightest one."""
    light = np.where(cut > max(_LIGHT_SIGMA, 0.2 * float(cut.max())), cut, 0)
    total = float(light.sum())
    if total <= 0:
        return cut
    middle = (len(cut) - 1) / 2
    place = np.arange(len(cut))
    rows = round(middle - float(light.sum(axis=1) @ place) / total)
    cols = round(middle - float(light.sum(axis=0) @ place) / total)
    return np.roll(cut, (rows, cols), axis=(0, 1))


def _mosaic(cuts: Floats) -> Floats:
    """(16, s, s) to (S, S)."""
    side = cuts.shape[-1]
    parts = cuts.reshape(CUTOUTS, CUTOUTS, side, side).transpose(0, 2, 1, 3)
    return np.asarray(parts.reshape(CUTOUTS * side, CUTOUTS * side))
