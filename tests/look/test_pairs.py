from __future__ import annotations

import numpy as np

from nightsift.look.features.pairs import paired_share
from scenes import Scene, frame, measure


def strewn(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1000, (n, 2))


def test_stars_at_random_have_few_partners():
    for n in (10, 40, 200, 1000):
        assert max(paired_share(strewn(n, seed), 4.0) for seed in range(8)) < 0.1
    assert np.isnan(paired_share(strewn(5, 0), 4.0))


def test_two_images_of_each_star_are_partners():
    for seed in range(8):
        stars = strewn(60, seed)
        both = np.concatenate([stars, stars + np.array([-9.0, 4.0])])
        assert paired_share(both[np.random.default_rng(seed).permutation(120)], 4.0) > 0.8


def test_a_frame_of_double_images_shows_it():
    assert measure(frame(Scene(twice_px=9.0), 1)).features["paired_share"] > 0.5
    assert measure(frame(Scene(), 1)).features["paired_share"] < 0.1
