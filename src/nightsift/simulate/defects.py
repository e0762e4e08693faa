"""Defects with a strength in physical units, and how strong one must be to make a frame bad.

Each defect takes a scene (or the finished pixels) and a strength between 0 and 1, faint to
gross, and returns the changed one with the strength in its unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.simulate.sky import Image, Scene, moffat, smooth_noise

Pixels = npt.NDArray[np.uint16]
Shape = tuple[int, int]


class Truth(NamedTuple):
    """What was done to a frame: a cause of the contract's vocabulary, strength and unit."""

    cause: str
    strength: float
    unit: str


Changed = tuple[Scene, Truth]
SceneDefect = Callable[[Scene, float, Shape, np.random.Generator], Changed]
PixelDefect = Callable[[Pixels, float, np.random.Generator], tuple[Pixels, Truth]]


def cloud(scene: Scene, s: float, shape: Shape, rng: np.random.Generator) -> Changed:
    """Uneven extinction with sky glow; strength is the mean transmission, 0.8 to 0.05."""
    transmission = 0.8 - 0.75 * s
    depth = -np.log(transmission)
    # A thin veil is even; it is the thick clouds that have edges.
    contrast = 0.1 + 0.3 * s
    uneven = np.clip(1 + contrast * smooth_noise(rng, shape, max(shape) / 3), 0.2, 2.5)
    field = np.exp(-depth * uneven / uneven.mean())
    glow = scene.sky_e * rng.uniform(0.2, 0.9) * (1 - field)
    changed = scene.changed(transmission=field, light_e=scene.light_e + glow)
    return changed, Truth("cloud", float(field.mean()), "transmission")


def trailing(scene: Scene, s: float, shape: Shape, rng: np.random.Generator) -> Changed:
    """A straight drift, sometimes a double image; strength is its length, 1.5 to 9 FWHM."""
    length = scene.fwhm_px * (1.5 + 7.5 * s)
    angle = rng.uniform(0, np.pi)
    kernel = double_kernel(length, angle) if rng.random() < 0.05 else line_kernel(length, angle)
    return scene.changed(kernel=kernel), Truth("trailing", length, "px")


def line_kernel(length_px: float, angle: float) -> Image:
    """A line of unit sum, drawn with sub-pixel weights."""
    return _splat(np.linspace(-length_px / 2, length_px / 2, 8 * int(length_px + 2)), angle)


def double_kernel(length_px: float, angle: float) -> Image:
    """Two points of unit sum: the mount jumped during the exposure."""
    return _splat(np.array([-length_px / 2, length_px / 2]), angle)


def _splat(along: Image, angle: float) -> Image:
    half = int(np.abs(along).max()) + 2
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    x, y = along * np.cos(angle) + half, along * np.sin(angle) + half
    ix, iy = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - ix, y - iy
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            np.add.at(kernel, (iy + dy, ix + dx), wx * wy)
    unit: Image = kernel / kernel.sum()
    return unit


def defocus(scene: Scene, s: float, shape: Shape, rng: np.random.Generator) -> Changed:
    """A disc, or a donut behind a secondary mirror; strength is its diameter, 2 to 7 FWHM."""
    diameter = scene.fwhm_px * (2 + 5 * s)
    inner = 0.4 if rng.random() < 0.6 else 0.0
    return scene.changed(kernel=disc_kernel(diameter, inner)), Truth("defocus", diameter, "px")


def disc_kernel(diameter_px: float, inner: float) -> Image:
    """A disc of unit sum with a hole of `inner` times its diameter, soft at the edges."""
    half = int(diameter_px / 2) + 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    r = np.hypot(x, y)
    kernel = np.clip(diameter_px / 2 - r + 0.5, 0, 1)
    if inner:
        kernel *= np.clip(r - inner * diameter_px / 2 + 0.5, 0, 1)
    unit: Image = kernel / kernel.sum()
    return unit


def streak(scene: Scene, s: float, shape: Shape, rng: np.random.Generator) -> Changed:
    """A satellite across the frame; strength is its peak over the sky noise, 2 to 40 sigma."""
    height, width = shape
    sigma = 2 * 20**s
    angle = rng.uniform(0, np.pi)
    cx, cy = rng.uniform(0.25, 0.75) * width, rng.uniform(0.25, 0.75) * height
    y, x = np.mgrid[:height, :width]
    across = np.abs((x - cx) * np.sin(angle) - (y - cy) * np.cos(angle))
    profile = moffat(across, np.zeros(1), scene.fwhm_px)
    light = sigma * np.sqrt(scene.sky_e + 50) * profile / profile.max()
    return scene.changed(light_e=scene.light_e + light), Truth("streak", sigma, "sigma")


def obstruction(scene: Scene, s: float, shape: Shape, rng: np.random.Generator) -> Changed:
    """The edge of a dome or a tree, out of focus; strength is the share it covers."""
    height, width = shape
    share = 0.1 + 0.6 * s
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width]
    along = x * np.cos(angle) + y * np.sin(angle)
    edge = np.quantile(along, share)
    soft = 0.04 * max(shape)
    shade = 0.03 + 0.97 / (1 + np.exp(-(along - edge) / soft))
    return scene.changed(shade=shade), Truth("obstruction", share, "share")


def pointing(scene: Scene, s: float, shape: Shape, rng: np.random.Generator) -> Changed:
    """The field is elsewhere; strength is the jump in px, a quarter to a whole frame."""
    jump = max(shape) * (0.25 + 0.6 * s)
    angle = rng.uniform(0, 2 * np.pi)
    dx, dy = scene.shift_px
    shift = (dx + jump * np.cos(angle), dy + jump * np.sin(angle))
    return scene.changed(shift_px=shift), Truth("pointing", jump, "px")


def bright_sky(scene: Scene, s: float, shape: Shape, rng: np.random.Generator) -> Changed:
    """Twilight or a lamp; strength is the factor on the sky, 5 to 60, with a gradient."""
    factor = 5 * 12**s
    gradient = (rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5))
    changed = scene.changed(sky_e=scene.sky_e * factor, gradient=gradient)
    return changed, Truth("bright_sky", factor, "times sky")


def no_stars(scene: Scene, s: float, shape: Shape, rng: np.random.Generator) -> Changed:
    """The shutter stayed closed; strength is the share of light that leaks in."""
    leak = 0.01 * (1 - s)
    return scene.changed(shade=leak), Truth("no_stars", leak, "share")


def readout(pixels: Pixels, s: float, rng: np.random.Generator) -> tuple[Pixels, Truth]:
    """Shifted rows, banding, or a half frame; strength is the share of rows it hits."""
    out = pixels.copy()
    height, width = out.shape
    share = 0.2 + 0.8 * s
    rows = slice(int(height * (1 - share)), height)
    kind = rng.integers(3)
    if kind == 0:
        out[rows] = np.roll(out[rows], int(rng.uniform(0.15, 0.5) * width), axis=1)
    elif kind == 1:
        noise = float(np.median(np.abs(np.diff(pixels.astype(float), axis=1))))
        bands = rng.normal(0, 6 * max(1.0, noise), (height, 1))
        bands[: rows.start] = 0
        out = np.clip(out + bands, 0, 65535).astype(np.uint16)
    else:
        out[rows] = np.uint16(np.percentile(pixels, 1))
    return out, Truth("readout", share, "share of rows")


SCENE_DEFECTS: dict[str, SceneDefect] = {
    "cloud": cloud,
    "trailing": trailing,
    "defocus": defocus,
    "streak": streak,
    "obstruction": obstruction,
    "pointing": pointing,
    "bright_sky": bright_sky,
    "no_stars": no_stars,
}
PIXEL_DEFECTS: dict[str, PixelDefect] = {"readout": readout}
# Those that come and go over several frames, and those that hit single ones.
SPELLS = ("cloud", "trailing", "defocus", "obstruction", "bright_sky")
SINGLES = ("streak", "pointing", "readout", "no_stars", "trailing")
CAUSES = (*SCENE_DEFECTS, *PIXEL_DEFECTS)
# Below this strength an observer would hesitate: the frame is labelled marginal.
MARGINAL_BELOW = 0.12
