"""What the frames of a night have in common, and how each of them differs from it.

Two pictures of cells make it up: the camera's, which stands still on the detector (filter edges,
vignetting, dust, hot pixels), and the sky's, which moves with the field. What is left of a frame
without both is news.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter
from scipy.special import ndtri

from nightsift.look.statistics import MAD_TO_SIGMA
from nightsift.night import trend
from nightsift.night.alignment import Alignment
from nightsift.night.mesh import Mesh

Floats = npt.NDArray[np.float32]
# Cells of the frames with these numbers, (n, P, h, w) float32, NaN where nothing is known.
ReadCells = Callable[[Sequence[int]], Floats]

# Fewer frames have no template: each would be compared with little but itself.
MIN_FRAMES = trend.MIN_FRAMES + 1
# So many frames, spread over the night, make the template: memory stays bounded.
_MOST_FRAMES = 48
# Cells of the sky count where so many frames have seen them.
_MIN_SEEN = 4
# A field that drifts makes the picture of its sky this many frames wide at most.
_LARGEST_SKY = 3.0
# A field that moves by no more than this, cells, stands still on the detector.
_LEAST_MOVE = 0.5
# Structure of the sky weaker than this, sigma, is not worth moving about.
_WORTH = 3.0
# From this absolute value on, sigma, a cell tells how strong the camera's structure is.
_STRUCTURE = 2.0
_FEWEST_CELLS = 30
_LARGEST = 300.0


class Sky(NamedTuple):
    """The picture of the sky in the coordinates of the reference frame.

    Attributes:
        cells: (P, h, w).
        origin: (2,) row and column of the reference frame's first cell, cells.
        scatter: (P,) how much of its own light a cell varies by.
    """

    cells: Floats
    origin: npt.NDArray[np.float64]
    scatter: Floats

    def seen(self, pose: Alignment, gain: float, mesh: Mesh) -> tuple[Floats, Floats]:
        """What a frame sees of it, and how much that scatters, (P, h, w) each."""
        seen = gain * mesh.from_canvas(self.cells, pose, self.origin)
        # A star may stand on either side of a border between cells.
        near = maximum_filter(np.abs(seen), size=(1, 3, 3))
        return seen, near * self.scatter[:, None, None]


class Template(NamedTuple):
    """What the frames of a night have in common.

    Attributes:
        mesh: the cells.
        camera: (P, h, w) what stands still on the detector, sigma.
        scatter: (P, h, w) of what is left without it, at least as given, sigma.
        sky: None where no star moves over the detector.
        follows_sky: for each plane, whether all of the camera's structure grows with the sky's
            light; otherwise only what is darker than its surroundings does, for stars that stand
            still are part of it.
    """

    mesh: Mesh
    camera: Floats
    scatter: Floats
    sky: Sky | None
    follows_sky: tuple[bool, ...]

    def change(self, cells: Floats, pose: Alignment | None, gain: float) -> Floats:
        """How a frame differs, (P, h, w) in units of what is usual there; NaN where unknown.

        Args:
            cells: (P, h, w) of the frame.
            pose: how it lies on the reference frame; None where the field is not recognised.
            gain: light of the stars over their noise, relative to the night's.
        """
        rest = cells - _camera_part(self.camera, cells, gain, self.follows_sky)
        scatter = self.scatter
        if self.sky is not None and pose is not None:
            seen, own = self.sky.seen(pose, gain, self.mesh)
            rest = rest - seen
            scatter = np.hypot(scatter, own)
        return np.asarray(np.clip(rest / scatter, -_LARGEST, _LARGEST))


def make_template(
    read: ReadCells,
    mesh: Mesh,
    poses: Sequence[Alignment | None],
    gains: npt.NDArray[np.float64],
    follows_sky: Sequence[bool],
    *,
    steady_share: float = 0.5,
    least_scatter: Sequence[float] = (1.0,),
) -> Template | None:
    """The template of a night; None for fewer than `MIN_FRAMES` frames.

    Medians: a third of the frames may be bad.

    Args:
        read: gives cells.
        mesh: what the cells cover.
        poses: of each frame, as from `nightsift.night.reference.align_night`.
        gains: (N,) light of the stars over their noise, relative to the night's median.
        follows_sky: as in `Template`, for each plane.
        steady_share: share of the frames, at most 0.5 to 1, whose differences decide what is
            usual in a cell; more than a half where the news covers few cells of a frame.
        least_scatter: of each plane, sigma.
    """
    if len(poses) < MIN_FRAMES:
        return None
    chosen = np.array(spread(len(poses)))
    stack = read(chosen.tolist())
    camera = np.nan_to_num(_quantile(stack))
    rest = np.stack(
        [
            cells - _camera_part(camera, cells, gains[i], tuple(follows_sky))
            for i, cells in zip(chosen, stack, strict=True)
        ]
    )
    own_poses = [poses[i] for i in chosen]
    sky = _sky(rest, own_poses, gains[chosen], mesh)
    if sky is not None:
        for item, pose, i in zip(rest, own_poses, chosen, strict=True):
            if pose is not None:
                seen, own = sky.seen(pose, gains[i], mesh)
                item -= seen
                # Where stars are, the picture of the sky tells how much they scatter.
                item /= np.hypot(1, own)
    usual = _quantile(np.abs(rest), steady_share) / float(ndtri(0.5 + steady_share / 2))
    scatter = np.nan_to_num(usual)
    least = np.array(least_scatter, dtype=np.float32)[:, None, None]
    scatter = np.maximum(maximum_filter(scatter, size=(1, 3, 3)), least)
    return Template(mesh, camera, scatter, sky, tuple(follows_sky))


def spread(frames: int) -> list[int]:
    """Numbers of the frames that a template is made of, spread over the night."""
    places = np.linspace(0, frames - 1, _MOST_FRAMES).round()
    return [int(place) for place in np.unique(places)]


def _camera_part(
    camera: Floats, cells: Floats, gain: float, follows_sky: tuple[bool, ...]
) -> Floats:
    """The camera's structure at the strength that it has in one frame, (P, h, w)."""
    out = np.empty_like(camera)
    for plane, own, result, whole in zip(camera, cells, out, follows_sky, strict=True):
        used = np.abs(plane) > _STRUCTURE if whole else plane < -_STRUCTURE
        used &= np.isfinite(own)
        strength = 1.0
        if np.count_nonzero(used) >= _FEWEST_CELLS:
            strength = float(np.clip(np.median(own[used] / plane[used]), 0.2, 5.0))
        result[:] = plane * strength
        if not whole:
            # Stars that stand still, or a bright border that follows the sky: both are usual.
            bright = plane > 0
            low, high = sorted((gain, strength))
            result[bright] = own[bright].clip(plane[bright] * low, plane[bright] * high)
    return out


def _sky(
    rest: Floats,
    poses: Sequence[Alignment | None],
    gains: npt.NDArray[np.float64],
    mesh: Mesh,
) -> Sky | None:
    """The median of the frames laid on each other; None where nothing is left to be seen."""
    known = {i: pose for i, pose in enumerate(poses) if pose is not None}
    if len(known) < MIN_FRAMES:
        return None
    corners = np.stack([mesh.corners(pose) for pose in known.values()])
    if (np.ptp(corners, axis=0) <= _LEAST_MOVE * min(mesh.cell)).all():
        return None
    canvas = mesh.canvas(corners, _LARGEST_SKY)
    laid = np.stack([mesh.to_canvas(rest[i], pose, canvas) / gains[i] for i, pose in known.items()])
    seen = np.isfinite(laid).sum(axis=0) >= _MIN_SEEN
    cells = np.where(seen, np.nan_to_num(_quantile(laid)), 0).astype(np.float32)
    if np.abs(cells).max() < _WORTH:
        return None
    left = np.abs(laid - cells)
    scatter = np.ones(len(cells), dtype=np.float32)
    for plane, value in enumerate(cells):
        strong = np.abs(value) > 2 * _WORTH
        share = left[:, plane][:, strong] / np.abs(value[strong])
        share = share[np.isfinite(share)]
        if share.size:
            scatter[plane] = MAD_TO_SIGMA * np.median(share)
    return Sky(cells, canvas.origin, scatter)


def _quantile(stack: Floats, share: float = 0.5) -> Floats:
    """The quantile over the first axis of what is known; NaN where nothing is."""
    ranked = np.sort(stack, axis=0)  # NaN last
    count = np.isfinite(stack).sum(axis=0)
    place = share * np.maximum(count - 1, 0)
    low = np.floor(place).astype(int)[None]
    high = np.ceil(place).astype(int)[None]
    middle = np.take_along_axis(ranked, low, 0) + np.take_along_axis(ranked, high, 0)
    return np.where(count > 0, middle[0] / 2, np.nan).astype(np.float32)
