"""What stays at its place of the detector and is no defect: shadows, amplifiers, dark strips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nightsift.simulate.sky import Image, Light

EDGES = ("none", "round", "straight", "corners", "frame")


@dataclass(kw_only=True)
class Structure:
    """Marks of the camera and of what lies in front of it; the default has none.

    All of it is drawn in relation to the frame that is read, subframe or not.

    Attributes:
        edge: shape of the shadow of a filter that is too small: `none`, `round`, `straight`
            (along one or two sides), `corners` (cut off by straight lines) or `frame` (all
            sides, with round corners).
        edge_loss: share of the light that is lost in the shadow, 0-1.
        edge_reach: how far the shadow reaches into the frame, share of its shorter side, 0-0.45.
        edge_soft_px: width of the shadow's border.
        filter_rings: mean number of large faint rings (drops, coatings, specks on the filter).
        amplifier_offset_adu: RMS of the amplifiers' offsets.
        amplifier_gain: RMS of the amplifiers' relative gains.
        overscan_px: columns at one side that see no light. dark_rows_px: rows likewise.
        bad_columns: mean number of columns, whole and partial, dark and bright.
        hot_clusters: mean number of groups of hot pixels.
        row_pattern_adu: RMS of the fixed offsets of rows.
        side_glow_e_s: glow along one side, electrons per pixel and second.
    """

    edge: str = "none"
    edge_loss: float = 0.0
    edge_reach: float = 0.0
    edge_soft_px: float = 2.0
    filter_rings: float = 0.0
    amplifier_offset_adu: float = 0.0
    amplifier_gain: float = 0.0
    overscan_px: int = 0
    dark_rows_px: int = 0
    bad_columns: float = 0.0
    hot_clusters: float = 0.0
    row_pattern_adu: float = 0.0
    side_glow_e_s: float = 0.0


class Maps:
    """The (H, W) maps of a camera that structure is put on, in place.

    Args:
        flat: sensitivity.
        dark_e_s: dark current.
        bias_adu: offset.
    """

    def __init__(self, flat: Light, dark_e_s: Light, bias_adu: Light) -> None:
        self.flat, self.dark_e_s, self.bias_adu = flat, dark_e_s, bias_adu

    def add(
        self,
        structure: Structure,
        areas: list[tuple[slice, slice]],
        rng: np.random.Generator,
    ) -> None:
        """Draw what `structure` describes.

        Args:
            structure: of the camera.
            areas: rows and columns of each amplifier.
            rng: draws the places.
        """
        if structure.edge_loss:
            self.flat *= 1 - np.float32(structure.edge_loss) * edge_shadow(
                self.flat.shape, structure, rng
            )
        for _ in range(rng.poisson(structure.filter_rings)):
            self._ring(rng)
        for area in areas:
            self.bias_adu[area] += np.float32(rng.normal(0, structure.amplifier_offset_adu))
            self.flat[area] *= np.float32(1 + rng.normal(0, structure.amplifier_gain))
        rows: Image = rng.standard_normal((self.flat.shape[0], 1))
        self.bias_adu += (structure.row_pattern_adu * rows).astype(np.float32)
        self._glow(structure, rng)
        for _ in range(rng.poisson(structure.hot_clusters)):
            self._cluster(rng)
        for _ in range(rng.poisson(structure.bad_columns)):
            self._column(rng)
        self._dark_strips(structure, rng)

    def _ring(self, rng: np.random.Generator) -> None:
        height, width = self.flat.shape
        radius = rng.uniform(0.08, 0.6) * min(height, width)
        thick = max(2.0, radius * float(rng.choice([rng.uniform(0.02, 0.1), 1.0])))
        x = np.arange(width) - rng.uniform(0, width)
        y = np.arange(height) - rng.uniform(0, height)
        r = np.hypot(x[None, :], y[:, None])
        soft = max(1.0, 0.03 * radius)
        ring = np.clip((radius - r) / soft + 0.5, 0, 1)
        ring *= np.clip((r - radius + thick) / soft + 0.5, 0, 1)
        depth = min(0.004 + rng.exponential(0.012), 0.1)
        depth *= float(rng.choice([1.0, 1.0, -0.5]))
        self.flat *= 1 - np.float32(depth) * np.asarray(ring, dtype=np.float32)

    def _glow(self, structure: Structure, rng: np.random.Generator) -> None:
        if not structure.side_glow_e_s:
            return
        axis = int(rng.integers(2))
        n = self.dark_e_s.shape[axis]
        glow = structure.side_glow_e_s * np.exp(-np.arange(n) / (rng.uniform(0.01, 0.1) * n))
        glow = glow[:: int(rng.choice([-1, 1]))].astype(np.float32)
        self.dark_e_s += glow[:, None] if axis == 0 else glow[None, :]

    def _cluster(self, rng: np.random.Generator) -> None:
        height, width = self.dark_e_s.shape
        n = int(rng.integers(3, 25))
        spread = rng.uniform(0.6, 3.0)
        y = np.rint(rng.uniform(0, height) + rng.normal(0, spread, n)).astype(int)
        x = np.rint(rng.uniform(0, width) + rng.normal(0, spread, n)).astype(int)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        bright = 10 ** rng.uniform(-0.5, 2.5, n)
        self.dark_e_s[y[inside], x[inside]] += bright[inside].astype(np.float32)

    def _column(self, rng: np.random.Generator) -> None:
        """Dead, dim or bright, from somewhere to the far end of the chip or all the way."""
        height, width = self.flat.shape
        wide = 1 + int(rng.random() < 0.2) * int(rng.integers(1, 4))
        first = int(rng.integers(0, width))
        start = 0 if rng.random() < 0.5 else int(rng.integers(0, height))
        rows = slice(start, height) if rng.random() < 0.5 else slice(0, max(start, 1))
        if not start:
            rows = slice(0, height)
        place = rows, slice(first, first + wide)
        if rng.random() < 0.5:
            self.flat[place] *= np.float32(rng.choice([0.02, rng.uniform(0.3, 0.97)]))
        elif rng.random() < 0.5:
            self.dark_e_s[place] += np.float32(10 ** rng.uniform(-0.5, 1.5))
        else:
            self.bias_adu[place] += np.float32(10 ** rng.uniform(0.5, 3))

    def _dark_strips(self, structure: Structure, rng: np.random.Generator) -> None:
        """Pixels that see no light: they stay at the level of the bias."""
        height, width = self.flat.shape
        n_columns = min(structure.overscan_px, width // 8)
        n_rows = min(structure.dark_rows_px, height // 8)
        at_end, at_top = rng.random() < 0.7, rng.random() < 0.5
        columns = slice(width - n_columns, None) if at_end else slice(0, n_columns)
        rows = slice(height - n_rows, None) if at_top else slice(0, n_rows)
        for place in ((slice(None), columns), (rows, slice(None))):
            self.flat[place] = 0
            self.dark_e_s[place] = 0


def edge_shadow(shape: tuple[int, ...], structure: Structure, rng: np.random.Generator) -> Light:
    """(H, W) 1 in the shadow of the filter's edge, 0 in the light, a ramp between."""
    height, width = shape
    reach = structure.edge_reach * min(height, width)
    x: Image = (np.arange(width)[None, :] - (width - 1) / 2).astype(np.float64)
    y: Image = (np.arange(height)[:, None] - (height - 1) / 2).astype(np.float64)
    if structure.edge == "round":
        centre = rng.normal(0, 0.04, 2) * min(height, width)
        r = np.hypot(x - centre[0], y - centre[1])
        depth = r - (float(np.hypot(height, width)) / 2 - reach)
    elif structure.edge == "frame":
        depth = _rounded_frame(x, y, reach, rng)
    else:
        depth = np.full((height, width), -np.inf)
        diagonal = structure.edge == "corners"
        for side in rng.permutation(4)[: int(rng.integers(1, 5 if diagonal else 3))]:
            angle = np.pi / 2 * side + (np.pi / 4 if diagonal else 0) + rng.normal(0, 0.05)
            along = x * np.cos(angle) + y * np.sin(angle)
            far = abs(np.cos(angle)) * width / 2 + abs(np.sin(angle)) * height / 2
            own = reach * rng.uniform(0.5, 1.0)
            depth = np.maximum(depth, along - (far - own))
    shadow: Light = np.clip(depth / max(structure.edge_soft_px, 0.5) + 0.5, 0, 1).astype(np.float32)
    return shadow


def _rounded_frame(
    x: Image,
    y: Image,
    reach: float,
    rng: np.random.Generator,
) -> Image:
    """(H, W) px beyond a slightly turned rectangle with round corners."""
    angle = rng.normal(0, 0.015)
    along = x * np.cos(angle) + y * np.sin(angle) - rng.normal(0, 0.3 * reach)
    across = y * np.cos(angle) - x * np.sin(angle) - rng.normal(0, 0.3 * reach)
    half = [float(axis.max()) - 0.6 * reach for axis in (x, y)]
    corner = rng.uniform(0.5, 1.5) * reach
    dx, dy = np.abs(along) - half[0] + corner, np.abs(across) - half[1] + corner
    outside: Image = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) - corner
    beyond: Image = np.where((dx > 0) | (dy > 0), outside, np.maximum(dx, dy) - corner)
    return beyond
