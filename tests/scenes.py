"""Seeded frames of a small telescope, made from photons, with known truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits

from nightsift.fits.header import FrameInfo
from nightsift.fits.reader import Frame
from nightsift.heuristics.score import judge_features
from nightsift.heuristics.table import measure_night
from nightsift.look.look import Look, Wanted
from nightsift.look.measure import AllFeatures, Decoded, Measurements
from nightsift.look.reading import look_at
from nightsift.look.store import LookStore

SHAPE = (320, 420)
START = datetime(2025, 3, 1, 20)


@dataclass(frozen=True)
class Scene:
    """What one frame shows; lengths in px, light in electrons (gain 1, bias 300 adu)."""

    sky: float = 400.0
    gradient: tuple[float, float] = (0.1, 0.05)
    transparency: float = 1.0
    uneven: float = 0.0
    fwhm: float = 3.2
    trail: float = 0.0
    trail_deg: float = 20.0
    twice_px: float = 0.0
    ring: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    flip: bool = False
    turn_deg: float = 0.0
    field: int = 0
    dimmed_star: float = 1.0
    streak_sigma: float = 0.0
    streak_deg: float = 31.0
    streak_offset: float = 0.1
    streak_bend_px: float = 0.0
    blocked: float = 0.0
    banding: float = 0.0
    dead_rows: float = 0.0
    moved_rows: float = 0.0
    step: float = 0.0
    hot_pixels: int = 0
    cosmic_rays: int = 0
    stars: int = 130
    read_noise: float = 8.0


def field_of(number: int, stars: int, shape: tuple[int, int]) -> np.ndarray:
    """(N, 3) x, y, electrons over three times the frame; the same for the same number."""
    rng = np.random.default_rng(1000 + number)
    h, w = shape
    n = stars * 6
    flux = 10 ** rng.uniform(3.1, 5.3, n) * rng.uniform(0.3, 1, n)
    return np.column_stack([rng.uniform(-w, 2 * w, n), rng.uniform(-0.5 * h, 1.5 * h, n), flux])


def render(scene: Scene, seed: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """One frame, (H, W) uint16."""
    rng = np.random.default_rng(seed)
    h, w = shape
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    image = scene.sky * (1 + scene.gradient[0] * x + scene.gradient[1] * y)
    veil = np.clip(scene.transparency * (1 + scene.uneven * (0.8 * x - 0.5 * y)), 0, None)
    light = np.zeros(shape)
    for cx, cy, flux, bright in placed(scene, shape):
        if bright:
            flux = flux * scene.dimmed_star
        add_star(light, cx, cy, flux, scene)
        if scene.twice_px:
            add_star(light, cx + scene.twice_px, cy - 0.6 * scene.twice_px, 0.6 * flux, scene)
    image = image + light * veil
    if scene.streak_sigma:
        image += streak(scene, shape)
    if scene.blocked:
        edge = 1 / (1 + np.exp(-((x + 0.6 * y) + 1.6 - 3.2 * scene.blocked) / 0.05))
        image *= 0.12 + 0.88 * edge
    image = rng.poisson(np.clip(image, 0, None)) + rng.normal(300, scene.read_noise, shape)
    return finish(image, scene, rng)


def placed(scene: Scene, shape: tuple[int, int]) -> Iterable[tuple[float, float, float, bool]]:
    h, w = shape
    stars = field_of(scene.field, scene.stars, shape)
    inside = (np.abs(stars[:, 0] - w / 2) < w / 3) & (np.abs(stars[:, 1] - h / 2) < h / 3)
    target = int(np.argmax(stars[:, 2] * inside)) if len(stars) else -1
    x, y = stars[:, 0], stars[:, 1]
    x, y = (w - 1 - x, h - 1 - y) if scene.flip else (x, y)
    c, s = np.cos(np.radians(scene.turn_deg)), np.sin(np.radians(scene.turn_deg))
    dx, dy = x - (w - 1) / 2, y - (h - 1) / 2
    x, y = (w - 1) / 2 + c * dx - s * dy, (h - 1) / 2 + s * dx + c * dy
    x, y = x + scene.shift[0], y + scene.shift[1]
    for i in np.flatnonzero((x > -20) & (x < w + 20) & (y > -20) & (y < h + 20)):
        yield x[i], y[i], stars[i, 2], i == target


def add_star(light: np.ndarray, cx: float, cy: float, flux: float, scene: Scene) -> None:
    h, w = light.shape
    r = int(np.ceil(3.5 * scene.fwhm + scene.trail / 2 + 1.5 * scene.ring))
    ix, iy = round(cx), round(cy)
    x0, x1, y0, y1 = max(ix - r, 0), min(ix + r + 1, w), max(iy - r, 0), min(iy + r + 1, h)
    if x0 >= x1 or y0 >= y1:
        return
    dx, dy = np.arange(x0, x1)[None, :] - cx, np.arange(y0, y1)[:, None] - cy
    light[y0:y1, x0:x1] += flux * profile(dx, dy, scene)


def profile(dx: np.ndarray, dy: np.ndarray, scene: Scene) -> np.ndarray:
    """Moffat profile (beta 3), smeared by a trail, or a ring of the same edge."""
    if scene.ring:
        r = np.hypot(dx, dy)
        edge = 0.4 * scene.fwhm
        out = (
            1
            / (1 + np.exp((r - scene.ring) / edge))
            * (1 - 0.9 / (1 + np.exp((r - 0.45 * scene.ring) / edge)))
        )
        return out / (np.pi * scene.ring**2 * 0.82)
    alpha = scene.fwhm / (2 * np.sqrt(2 ** (1 / 3) - 1))
    steps = np.linspace(-0.5, 0.5, 9 if scene.trail > 1 else 1) * scene.trail
    if len(steps) == 1:
        steps = np.zeros(1)
    c, s = np.cos(np.radians(scene.trail_deg)), np.sin(np.radians(scene.trail_deg))
    out = sum((1 + ((dx - k * c) ** 2 + (dy - k * s) ** 2) / alpha**2) ** -3.0 for k in steps)
    return out * 2 / (np.pi * alpha**2) / len(steps)


def streak(scene: Scene, shape: tuple[int, int]) -> np.ndarray:
    h, w = shape
    y, x = np.mgrid[:h, :w]
    a = np.radians(scene.streak_deg)
    distance = (x - w / 2) * np.sin(a) - (y - h / 2) * np.cos(a) - scene.streak_offset * h
    if scene.streak_bend_px:
        along = (x - w / 2) * np.cos(a) + (y - h / 2) * np.sin(a)
        distance = distance - along**2 / (2 * scene.streak_bend_px)
    noise = np.sqrt(scene.sky + scene.read_noise**2)
    return scene.streak_sigma * noise * np.exp(-(distance**2) / (2 * (scene.fwhm / 2.35) ** 2))


def finish(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    h, w = image.shape
    noise = np.sqrt(scene.sky + scene.read_noise**2)
    if scene.banding:
        image = image + scene.banding * noise * rng.normal(0, 1, (h, 1))
    if scene.step:
        image[h // 3 :] += scene.step * noise
    if scene.hot_pixels:
        # The same pixels in every frame, as in a real camera.
        own = np.random.default_rng(77)
        rows, cols = own.integers(0, h, scene.hot_pixels), own.integers(0, w, scene.hot_pixels)
        image[rows, cols] += own.exponential(1500, scene.hot_pixels)
    for _ in range(scene.cosmic_rays):
        cy, cx, angle = rng.integers(3, h - 12), rng.integers(3, w - 12), rng.uniform(0, 1.5)
        k = np.arange(rng.integers(1, 7))
        rows, cols = (cy + k * np.sin(angle)).astype(int), (cx + k * np.cos(angle)).astype(int)
        image[rows, cols] += rng.exponential(1500)
    if scene.moved_rows:
        first = int(h * (1 - scene.moved_rows))
        image[first:] = np.roll(image[first:], w // 4, axis=1)
    if scene.dead_rows:
        image[int(h * (1 - scene.dead_rows)) :] = 0
    return np.clip(np.round(image), 0, 65535).astype(np.uint16)


def frame(scene: Scene, seed: int = 0, shape: tuple[int, int] = SHAPE) -> Frame:
    """The frame as the reader gives it."""
    return Frame(render(scene, seed, shape), FrameInfo(height=shape[0], width=shape[1]))


def measure(of: Frame) -> Measurements:
    """What is measured on a frame."""
    return AllFeatures()(Decoded(of.pixels))


def look_of(path: Path) -> Look:
    """A look at a file: facts, features, and stars that lie in a hidden folder beside it."""
    (look,) = look_at([path], Wanted(measure=AllFeatures()), LookStore(path.parent / ".cache"))
    return look


def smooth_night(n: int, seed: int, **fixed: object) -> list[Scene]:
    """Good frames: seeing that wanders, air mass that grows, a mount that drifts a little."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, n)
    wander = np.cumsum(rng.normal(0, 0.02, n))
    drift = np.cumsum(rng.normal(0, 0.4, (n, 2)), axis=0)
    return [
        replace(
            Scene(
                fwhm=3.0 + 0.6 * time[i] + wander[i] + rng.normal(0, 0.06),
                transparency=np.exp(-0.15 * time[i] ** 2) * rng.normal(1, 0.01),
                sky=350 * (1 + 0.2 * time[i]) * rng.normal(1, 0.01),
                shift=(drift[i, 0], drift[i, 1]),
                trail=abs(rng.normal(0, 0.6)),
                trail_deg=rng.uniform(0, 180),
            ),
            **fixed,
        )
        for i in range(n)
    ]


def write_night(
    folder: Path,
    scenes: list[Scene],
    *,
    seed: int = 0,
    exposure_s: float = 60.0,
    camera: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels,
) -> list[Path]:
    """One FITS file per scene, 90 s apart, as `camera` changes it; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for i, scene in enumerate(scenes):
        header = fits.Header()
        header["DATE-OBS"] = (START + timedelta(seconds=90 * i)).isoformat()
        header["EXPTIME"] = exposure_s
        files.append(folder / f"f{i:03d}.fits")
        fits.writeto(files[-1], camera(render(scene, seed * 10_000 + i)), header)
    return files


def judged(folder: Path, scenes: list[Scene], *, seed: int = 0) -> pd.DataFrame:
    """Candidates of a night, in time order."""
    files = write_night(folder, scenes, seed=seed)
    return judge_features(measure_night(files)).sort_values("index").reset_index(drop=True)
