"""The input of `+experiment=joint`: one plane, free of the camera's units."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import sep

from nightsift.look.blocks import pool_cells
from nightsift.look.reduction import pixel_noise
from nightsift.look.transforms import TRANSFORMS, Pixels


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


TRANSFORMS.add("robust", Robust)
