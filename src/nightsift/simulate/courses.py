"""How the strength of a defect goes over the frames of a spell."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nightsift.simulate.sky import Image


class Course(NamedTuple):
    """A spell's onset and end.

    Attributes:
        shares: of (number of frames, generator): the (n,) strengths over their peak, 0-1.3.
        ends_night: whether the spell reaches to the last frame of the night.
    """

    shares: Callable[[int, np.random.Generator], Image]
    ends_night: bool = False


def _comes_and_goes(n: int, rng: np.random.Generator) -> Image:
    t = (np.arange(n) + 0.5) / n
    rise = np.clip(np.minimum(t, 1 - t) / rng.uniform(0.1, 0.5), 0.15, 1)
    shares: Image = rise * np.exp(rng.normal(0, 0.12, n)).clip(0.7, 1.3)
    return shares


def _steady_or_comes_and_goes(n: int, rng: np.random.Generator) -> Image:
    return _comes_and_goes(n, rng) if rng.random() < 0.5 else np.ones(n)


def _uneven(n: int, rng: np.random.Generator) -> Image:
    shares: Image = np.exp(rng.normal(-0.2, 0.3, n).clip(-1, 0))
    return shares


def _grows(n: int, _: np.random.Generator) -> Image:
    return np.clip(0.3 + 0.7 * (np.arange(n) + 0.5) / n, 0, 1)


def _grows_ever_faster(n: int, _: np.random.Generator) -> Image:
    shares: Image = np.exp(3 * ((np.arange(n) + 0.5) / n - 1))
    return shares


COMES_AND_GOES = Course(_comes_and_goes)
# A failed run of the autofocus is steady, a slipping focuser is not.
STEADY_OR_COMES_AND_GOES = Course(_steady_or_comes_and_goes)
UNEVEN = Course(_uneven)
GROWS = Course(_grows)
UNTIL_MORNING = Course(_grows_ever_faster, ends_night=True)
