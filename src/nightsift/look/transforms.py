"""Pixels to network input: the published normalisation and the robust one.

A transform is a small object with a `name`, its arguments in `spec()` (they name the cache),
and a call `(H, W) -> (S, S)` or `(C, S, S)` float32. The same pixels always give the same tensor.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import sep

from nightsift.errors import NightsiftError
from nightsift.look.blocks import pool_cells
from nightsift.look.reduction import pixel_noise
from nightsift.look.statistics import MAD_TO_SIGMA
from nightsift.look.two_scale import TwoScale

Pixels = npt.NDArray[Any]


class Transform(Protocol):
    """What the cache and the model card need of a transform."""

    def spec(self) -> dict[str, Any]:
        """`{"name": ..., **arguments}`, JSON primitives."""
        ...

    def __call__(self, pixels: Pixels, img_size: int) -> npt.NDArray[np.float32]:
        """Map (H, W) pixels to (img_size, img_size) or (C, img_size, img_size) float32."""
        ...


class Published:
    """The published normalisation, bit for bit.

    (x - median) / (1.4826 MAD + 1e-6) at full size in float32, then bilinear resizing without
    antialiasing, which reads at most four pixels of the full image for each output pixel.
    """

    name = "published"

    def spec(self) -> dict[str, Any]:
        """Name; there is nothing to choose."""
        return {"name": self.name}

    def __call__(self, pixels: Pixels, img_size: int) -> npt.NDArray[np.float32]:
        """Normalise and resize (H, W) pixels to (img_size, img_size)."""
        import torch  # takes seconds: only who needs it waits

        median, mad = median_and_mad(pixels)
        rows = _rows_read_by_bilinear(pixels.shape[0], img_size)
        # Untouched rows of np.zeros cost neither time nor memory, and are never read.
        normalised = np.zeros(pixels.shape, dtype=np.float32)
        scale = np.float32(MAD_TO_SIGMA) * mad + np.float32(1e-6)
        normalised[rows] = (pixels[rows].astype(np.float32) - median) / scale
        resized = torch.nn.functional.interpolate(
            torch.from_numpy(normalised)[None, None],
            size=(img_size, img_size),
            mode="bilinear",
            align_corners=False,
        )
        return np.asarray(resized[0, 0].numpy())


class Robust:
    """Background-subtracted, noise-scaled, area-averaged, asinh-compressed, clipped.

    No camera's numbers survive: the background is a smooth surface of the frame itself, and
    the unit is the noise of one output cell as neighbouring pixels predict it, so that a star
    of a given signal-to-noise ratio looks the same on every camera, and fainter behind cloud.

    Args:
        mesh: side of the background mesh, in cells of the output.
        softening: signal-to-noise ratio at which asinh turns from linear to logarithmic.
        clip: largest absolute output value.
    """

    name = "robust"

    def __init__(self, *, mesh: int = 16, softening: float = 3.0, clip: float = 5.0) -> None:
        if mesh < 2 or softening <= 0 or clip <= 0:
            raise ValueError("transform: mesh must be >= 2, softening and clip positive")
        self.mesh = mesh
        self.softening = softening
        self.clip = clip

    def spec(self) -> dict[str, Any]:
        """Name and arguments."""
        return {
            "name": self.name,
            "mesh": self.mesh,
            "softening": self.softening,
            "clip": self.clip,
        }

    def __call__(self, pixels: Pixels, img_size: int) -> npt.NDArray[np.float32]:
        """Map (H, W) pixels to (img_size, img_size), within +-clip."""
        height, width = pixels.shape
        cells = pool_cells(pixels.astype(np.float32), img_size)
        # The mesh is flat beyond the centres of its outer cells; vignetting and gradients are not.
        cells = cells - quadratic_background(cells, self.mesh)
        mesh = sep.Background(np.ascontiguousarray(cells), bw=self.mesh, bh=self.mesh, fw=3, fh=3)
        background = mesh.back(dtype=np.float32)
        per_cell = max(1.0, height / img_size) * max(1.0, width / img_size)
        noise = pixel_noise(pixels) / np.sqrt(per_cell)
        if noise <= 0:  # a constant plane: nothing to scale by
            return np.zeros((img_size, img_size), dtype=np.float32)
        signal = np.arcsinh((cells - background) / (noise * self.softening))
        clipped: npt.NDArray[np.float32] = np.clip(signal, -self.clip, self.clip).astype(np.float32)
        return clipped


TRANSFORMS: dict[str, type[Published] | type[Robust] | type[TwoScale]] = {
    "published": Published,
    "robust": Robust,
    "two_scale": TwoScale,
}


def build_transform(spec: dict[str, Any]) -> Transform:
    """Build a transform from its `spec()`.

    Raises:
        NightsiftError: unknown name, or arguments that it does not take.
    """
    arguments = dict(spec)
    name = arguments.pop("name", None)
    if name not in TRANSFORMS:
        raise NightsiftError(f"transform {name!r} is unknown; known: {', '.join(TRANSFORMS)}")
    try:
        return TRANSFORMS[name](**arguments)
    except (TypeError, ValueError) as error:
        raise NightsiftError(f"transform {name}: {error}") from error


def quadratic_background(cells: npt.NDArray[np.float32], mesh: int) -> npt.NDArray[np.float32]:
    """Least-squares quadratic surface through the medians of mesh x mesh blocks, (S, S)."""
    size = len(cells)
    edges = np.arange(0, size - mesh // 2, mesh)
    medians, rows = [], []
    for y in edges:
        for x in edges:
            block = cells[y : y + mesh, x : x + mesh]
            medians.append(np.median(block))
            rows.append(
                _quadratic(y + (block.shape[0] - 1) / 2, x + (block.shape[1] - 1) / 2, size)
            )
    coefficients, *_ = np.linalg.lstsq(np.array(rows), np.array(medians), rcond=None)
    y, x = np.mgrid[:size, :size]
    surface: npt.NDArray[np.float64] = np.moveaxis(_quadratic(y, x, size), 0, -1) @ coefficients
    return surface.astype(np.float32)


def _quadratic(y: npt.ArrayLike, x: npt.ArrayLike, size: int) -> npt.NDArray[np.float64]:
    """The six terms of a quadratic in coordinates scaled to +-1."""
    v = 2 * np.asarray(y, dtype=np.float64) / size - 1
    u = 2 * np.asarray(x, dtype=np.float64) / size - 1
    return np.array([np.ones_like(u), u, v, u * u, u * v, v * v])


def median_and_mad(pixels: Pixels) -> tuple[np.float32, np.float32]:
    """Exact median and median absolute deviation, equal to numpy's on float32 pixels."""
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize == 2:
        return _median_and_mad_16bit(pixels)
    values = pixels.astype(np.float32, copy=False)
    median = np.float32(np.median(values))
    return median, np.float32(np.median(np.abs(values - median)))


def _median_and_mad_16bit(pixels: Pixels) -> tuple[np.float32, np.float32]:
    """Both medians from one histogram: exact, and several times faster than sorting."""
    offset = 32768 if pixels.dtype.kind == "i" else 0
    unsigned = pixels.view(np.uint16) if offset == 0 else (pixels ^ np.int16(-32768)).view("u2")
    counts = np.zeros(65536, dtype=np.int64)
    for block in np.array_split(unsigned.reshape(-1), max(1, pixels.size // 2_000_000)):
        counts += np.bincount(block, minlength=65536)
    values = np.arange(65536, dtype=np.float32) - np.float32(offset)
    median = _weighted_median(values, counts)
    deviation = np.abs(values - median)
    order = np.argsort(deviation, kind="stable")
    return median, _weighted_median(deviation[order], counts[order])


def _weighted_median(values: npt.NDArray[np.float32], counts: npt.NDArray[np.int64]) -> np.float32:
    """Median of ascending `values`, each standing `counts` times."""
    cumulative = np.cumsum(counts)
    total = int(cumulative[-1])
    low = values[np.searchsorted(cumulative, (total - 1) // 2, side="right")]
    high = values[np.searchsorted(cumulative, total // 2, side="right")]
    return np.float32(np.mean(np.array([low, high], dtype=np.float32)))


def _rows_read_by_bilinear(size: int, out: int) -> npt.NDArray[np.int64]:
    """Rows that bilinear resizing from `size` to `out` can touch, with one to spare."""
    centre = (np.arange(out) + 0.5) * size / out - 0.5
    rows = np.floor(centre)[:, None] + np.arange(-1, 3)
    return np.unique(np.clip(rows, 0, size - 1).astype(np.int64))
