"""What crosses the field: satellites, aircraft, meteors.

A line through the whole frame is seen from a peak of about one sigma of a pixel on, if one looks
for it, and by everybody from two; a short one needs half as much again.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from nightsift.simulate.defects.catalogue import Made, defect
from nightsift.simulate.effect import Effect, Facts, Moment
from nightsift.simulate.sky import Image


@defect("satellite", "streak", unit="sigma", faint=0.4, gross=60.0, marginal=1.0, bad=2.0)
def satellite(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """One even streak across; strength is its peak over the noise of the sky."""
    return _streaks(facts, strength, [_line(facts, rng)])


@defect("several_satellites", "streak", unit="sigma", faint=0.4, gross=40.0, marginal=1.0, bad=2.0)
def several_satellites(
    facts: Facts, strength: float, moment: Moment, rng: np.random.Generator
) -> Made:
    """A train of two to five streaks, nearly parallel."""
    first = _line(facts, rng)
    count = int(rng.integers(2, 6))
    lines = [first]
    for number in range(1, count):
        offset = number * rng.uniform(0.03, 0.15) * min(facts.shape)
        lines.append(first.moved(offset, rng.normal(0, 0.02)))
    return _streaks(facts, strength, lines)


@defect("aircraft", "streak", unit="sigma", faint=0.4, gross=100.0, marginal=1.0, bad=2.0)
def aircraft(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Two parallel lights and a blinking one between them."""
    first = _line(facts, rng)
    gap = rng.uniform(2, 6) * facts.fwhm_px
    period = rng.uniform(0.06, 0.25) * max(facts.shape)
    blinking = first.moved(gap / 2, 0.0)
    blinking.period_px = period
    return _streaks(facts, strength, [first, first.moved(gap, 0.0), blinking])


@defect("flash", "streak", unit="sigma", faint=0.6, gross=60.0, marginal=1.5, bad=3.0)
def flash(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """A short streak that begins and ends within the frame: a meteor, a tumbling satellite."""
    line = _line(facts, rng)
    line.half_length_px = rng.uniform(0.1, 0.3) * min(facts.shape)
    return _streaks(facts, strength, [line])


@defect("curved_streak", "streak", unit="sigma", faint=0.4, gross=40.0, marginal=1.0, bad=2.0)
def curved_streak(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """A streak bent by the distortion of a wide field."""
    line = _line(facts, rng)
    line.radius_px = rng.uniform(1.5, 5) * max(facts.shape)
    return _streaks(facts, strength, [line])


class _Line:
    """A path of light through (cx, cy) px at `angle`; endless and straight unless changed."""

    def __init__(self, cx: float, cy: float, angle: float) -> None:
        self.cx, self.cy, self.angle = cx, cy, angle
        self.half_length_px = np.inf
        self.radius_px = np.inf
        self.period_px = 0.0

    def moved(self, across_px: float, turn: float) -> _Line:
        """A straight line beside this one."""
        return _Line(
            self.cx - across_px * np.sin(self.angle),
            self.cy + across_px * np.cos(self.angle),
            self.angle + turn,
        )

    def draw(self, shape: tuple[int, int], fwhm_px: float) -> Image:
        """(H, W) light with a peak of 1 on the path."""
        x, y = np.arange(shape[1]) - self.cx, np.arange(shape[0]) - self.cy
        sin, cos = np.sin(self.angle), np.cos(self.angle)
        across = (y * cos)[:, None] - (x * sin)[None, :]
        along = (y * sin)[:, None] + (x * cos)[None, :]
        if np.isfinite(self.radius_px):
            across = across - along**2 / (2 * self.radius_px)
        out = np.zeros(shape)
        near = np.abs(across) < 8 * fwhm_px
        # A Moffat profile of exponent 3 summed along a line has exponent 2.5.
        alpha2 = (fwhm_px / 2) ** 2 / (2 ** (1 / 2.5) - 1)
        light = (1 + across[near] ** 2 / alpha2) ** -2.5
        place = along[near]
        if np.isfinite(self.half_length_px):
            light *= expit((self.half_length_px - np.abs(place)) / (0.5 * fwhm_px))
        if self.period_px:
            light *= 4 * np.exp(-0.5 * ((place % self.period_px) / (1.2 * fwhm_px)) ** 2)
        out[near] = light
        return out


def _line(facts: Facts, rng: np.random.Generator) -> _Line:
    height, width = facts.shape
    return _Line(
        rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height, rng.uniform(0, np.pi)
    )


def _streaks(facts: Facts, strength: float, lines: list[_Line]) -> Made:
    peak = strength * facts.noise_e
    light: Image | float = sum(line.draw(facts.shape, facts.fwhm_px) for line in lines)
    return Effect(light_e=peak * light), {
        "peak_e": peak,
        "angle_deg": float(np.degrees(lines[0].angle)),
        "x_px": lines[0].cx,
        "y_px": lines[0].cy,
        "count": float(len(lines)),
    }
