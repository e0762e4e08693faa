"""What goes wrong with the optics: defocus, dew, condensation, dome and trees."""

from __future__ import annotations

import numpy as np

from nightsift.simulate.effect import Effect, Facts, Moment
from nightsift.simulate.psf import disc_kernel
from nightsift.simulate.sky import Image
from nightsift.simulate.waves import Waves

Made = tuple[Effect, dict[str, float]]


def defocus_disc(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """A refractor out of focus; strength is the disc's diameter in FWHM."""
    return _defocus(facts, strength, inner=0.0)


def defocus_donut(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Out of focus behind a secondary mirror; strength is the outer diameter in FWHM."""
    return _defocus(facts, strength, inner=float(rng.uniform(0.3, 0.5)))


def _defocus(facts: Facts, strength: float, *, inner: float) -> Made:
    diameter = strength * facts.fwhm_px
    kernel = disc_kernel(diameter, inner) if diameter > 0.05 else None
    return Effect(kernel=kernel), {"diameter_px": diameter, "inner": inner}


def _aureole(share: float, facts: Facts, size_fwhm: float) -> Image | None:
    """A kernel that throws `share` of a star's light into a wide glow around it."""
    if share <= 0:
        return None
    half = int(np.ceil(size_fwhm * facts.fwhm_px))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    r2 = (x**2 + y**2) / (0.4 * half) ** 2
    glow = np.clip((1 + r2) ** -1.5 - (1 + 6.25) ** -1.5, 0, None)
    kernel: Image = share * glow / glow.sum()
    kernel[half, half] += 1 - share
    return kernel


def dew(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Dew or frost on the glass; strength is the loss of light in magnitudes, with a glow."""
    lost = 1 - 10 ** (-0.4 * strength)
    height, width = facts.shape
    u = (np.arange(width) / width - rng.uniform(0.2, 0.8)) ** 2
    v = (np.arange(height) / height - rng.uniform(0.2, 0.8)) ** 2
    # A corrector fogs from its middle.
    uneven = 0.75 + 0.5 * np.exp(-2 * (v[:, None] + u[None, :]))
    shade = np.clip(1 - lost * uneven, 0.01, 1)
    share = min(0.8, 0.6 * lost)
    return Effect(kernel=_aureole(share, facts, 8), shade=shade), {
        "lost": lost,
        "aureole_share": share,
    }


def halo(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Condensation on a window: glows around stars; strength is the light's share in them."""
    size = float(rng.uniform(6, 14))
    return Effect(kernel=_aureole(strength, facts, size)), {"size_fwhm": size}


def dome(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """The slit's edge, far out of focus; strength is the share of the frame it covers."""
    height, width = facts.shape
    angle = rng.uniform(0, 2 * np.pi)
    soft = rng.uniform(0.04, 0.25)
    along = (np.arange(height) / height)[:, None] * np.sin(angle)
    along = along + (np.arange(width) / width)[None, :] * np.cos(angle)
    return _cover(along, strength, soft), {"angle_deg": float(np.degrees(angle)), "soft": soft}


def tree(facts: Facts, strength: float, moment: Moment, rng: np.random.Generator) -> Made:
    """Branches, clumpy and swaying; strength is the share of the frame they cover."""
    height, width = facts.shape
    angle = rng.uniform(0, 2 * np.pi)
    sway = moment.rng.normal(0, 0.02 * max(facts.shape), 2)
    clumps = Waves(rng, max(facts.shape) / 12).field(facts.shape, moved_px=(sway[0], sway[1]))
    along = (np.arange(height) / height)[:, None] * np.sin(angle)
    along = along + (np.arange(width) / width)[None, :] * np.cos(angle) + 0.08 * clumps
    return _cover(along, strength, 0.03), {"angle_deg": float(np.degrees(angle))}


def _cover(along: Image, share: float, soft: float) -> Effect:
    """Cover the lowest `share` of `along`; a tiny share covers thinly, none not at all."""
    edge = float(np.quantile(along[::4, ::4], np.clip(share, 0, 1)))
    depth = 0.97 * (1 - np.exp(-share / 0.01))
    shade = 1 - depth / (1 + np.exp(np.clip((along - edge) / (soft / 4), -50, 50)))
    return Effect(shade=shade)
