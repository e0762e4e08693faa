"""What each frame of a campaign is to show: clear nights first, then the defects in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from nightsift.simulate.defects import CAUSES, MARGINAL_BELOW, SINGLES, SPELLS, Shape
from nightsift.simulate.sky import Scene, StarField, Telescope, draw_field, draw_telescope

_FIRST_NIGHT = datetime(2025, 1, 10, 20, tzinfo=UTC)
_MARGINAL_FRACTION = 0.05
_MIXED_BAD_FRACTION = 0.4


class Defect(NamedTuple):
    """A cause, its strength from 0 (faint) to 1 (gross), and the seed of its geometry."""

    cause: str
    strength: float
    seed: int


class Plan(NamedTuple):
    """One frame to be made."""

    name: str
    scene: Scene
    telescope: Telescope
    start: datetime
    target: str
    defect: Defect | None

    @property
    def label(self) -> str:
        """What an observer would call it: good, bad, or marginal where a defect is faint."""
        if self.defect is None:
            return "good"
        return "bad" if self.defect.strength >= MARGINAL_BELOW else "marginal"


def plan_night(
    number: int, rng: np.random.Generator, *, n: int, shape: Shape, bad_fraction: float
) -> list[Plan]:
    """The `n` frames of night `number` (from 0) in time order; the second night is flipped."""
    telescope = draw_telescope(rng)
    stars = draw_field(rng, telescope, shape)
    defects = plan_defects(rng, n=n, bad_fraction=bad_fraction)
    target = f"TOI-{1001 + number}.01"
    start = _FIRST_NIGHT + timedelta(days=3 * number)
    return [
        Plan(
            f"{target}_{i + 1:04d}.fits",
            scene,
            telescope,
            start + timedelta(seconds=telescope.cadence_s * i),
            target,
            defects[i],
        )
        for i, scene in enumerate(benign_scenes(rng, telescope, stars, n=n, flips=number == 1))
    ]


def plan_mixed(rng: np.random.Generator, *, n: int, shape: Shape) -> list[Plan]:
    """Loose frames: each its own telescope, field and night, four in ten of them bad."""
    # A jump of the field cannot be seen on a loose frame.
    causes = [cause for cause in CAUSES if cause != "pointing"]
    plans = []
    for i in range(n):
        telescope = draw_telescope(rng)
        stars = draw_field(rng, telescope, shape)
        scene = benign_scenes(rng, telescope, stars, n=8, flips=False)[int(rng.integers(8))]
        cause, strength, seed = str(rng.choice(causes)), rng.uniform(0.35, 1), _seed(rng)
        defect = (
            Defect(cause, float(strength), seed) if rng.random() < _MIXED_BAD_FRACTION else None
        )
        start = _FIRST_NIGHT + timedelta(days=100 + i)
        target = f"TOI-{5001 + i}.01"
        plans.append(Plan(f"mixed_{i + 1:04d}.fits", scene, telescope, start, target, defect))
    return plans


def benign_scenes(
    rng: np.random.Generator, telescope: Telescope, stars: StarField, *, n: int, flips: bool
) -> list[Scene]:
    """What a clear night does by itself: air mass, moon, seeing, drift, a transit, a flip."""
    phase = np.linspace(0, 1, n)
    air = 1 + 0.6 * (phase - rng.uniform(0.2, 0.8)) ** 2 * 4
    moon = 1 + rng.uniform(0, 1.0) * phase ** rng.uniform(1, 3)
    seeing = telescope.fwhm_px * (1 + 0.12 * np.cumsum(rng.normal(0, 1, n)) / np.sqrt(n))
    seeing = np.clip(seeing * air**0.6, 0.8 * telescope.fwhm_px, 1.6 * telescope.fwhm_px)
    drift = np.cumsum(rng.normal(0, 0.25, (n, 2)), axis=0) + np.outer(phase, rng.normal(0, 5, 2))
    dip = 1 - 0.012 * (np.abs(phase - 0.5) < 0.2)
    gradient = tuple(rng.normal(0, 0.04, 2))
    scenes = []
    for i in range(n):
        flux = stars.flux_e * 10 ** (-0.4 * 0.2 * (air[i] - 1))
        flux[0] *= dip[i]
        scenes.append(
            Scene(
                field=StarField(stars.x, stars.y, flux),
                airmass=float(air[i]),
                shift_px=(float(drift[i, 0]), float(drift[i, 1])),
                flipped=flips and i >= n // 2,
                fwhm_px=float(seeing[i]),
                sky_e=float(telescope.sky_e * moon[i] * air[i]),
                gradient=(float(gradient[0]), float(gradient[1])),
            )
        )
    return scenes


def plan_defects(rng: np.random.Generator, *, n: int, bad_fraction: float) -> list[Defect | None]:
    """Spells for about two thirds of the bad frames, singles for the rest, and a few faint ones.

    There are `bad_fraction * n` bad frames, but at least 3, of at least 3 causes; none where
    `bad_fraction` is 0. One frame in 20 has a defect too faint to be called bad.
    """
    plan: list[Defect | None] = [None] * n
    wanted = max(3, round(n * bad_fraction)) if bad_fraction else 0
    _add_spells(plan, wanted - max(2, round(wanted / 3)), rng)
    used = {defect.cause for defect in plan if defect}
    singles = [str(cause) for cause in rng.permutation(SINGLES) if cause not in used]
    free = [int(i) for i in rng.permutation(n) if plan[i] is None]
    n_singles = wanted - (n - len(free))
    for number, i in enumerate(free[:n_singles]):
        plan[i] = Defect(singles[number % len(singles)], float(rng.uniform(0.35, 1)), _seed(rng))
    for i in free[n_singles : n_singles + round(_MARGINAL_FRACTION * n)]:
        faint = float(rng.uniform(0, MARGINAL_BELOW))
        plan[i] = Defect(str(rng.choice(["cloud", "streak"])), faint, _seed(rng))
    return plan


def _add_spells(plan: list[Defect | None], budget: int, rng: np.random.Generator) -> None:
    """Fill `budget` frames with spells of different causes, apart from each other."""
    n, kinds = len(plan), [str(kind) for kind in rng.permutation(SPELLS)]
    for _ in range(200):
        if budget <= 0 or not kinds:
            return
        length = min(budget, int(rng.integers(2, max(4, budget))))
        start = int(rng.integers(0, n - length + 1))
        strengths = np.maximum(MARGINAL_BELOW, _onset_and_end(length) * rng.uniform(0.5, 1.0))
        if kinds[0] == "bright_sky":  # twilight ends a night
            start, strengths = n - length, np.linspace(0.3, rng.uniform(0.6, 1.0), length)
        if any(plan[max(0, start - 2) : start + length + 2]):
            kinds.append(kinds.pop(0))
            continue
        kind, seed = kinds.pop(0), _seed(rng)
        for i, strength in enumerate(strengths):
            # Clouds blow past; the other causes keep their geometry through a spell.
            plan[start + i] = Defect(kind, float(strength), _seed(rng) if kind == "cloud" else seed)
        budget -= length


def _onset_and_end(length: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    shape: np.ndarray[tuple[int], np.dtype[np.float64]] = np.sin(
        np.pi * (np.arange(length) + 0.7) / (length + 0.4)
    )
    return np.sqrt(shape)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))
