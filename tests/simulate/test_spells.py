"""Which frames get which defects."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.simulate.defects.catalogue import DEFECTS
from nightsift.simulate.spells import DefectSpec, plan_defects, plan_single

TIME = np.arange(100) * 70.0


def planned(seed: int = 0, n: int = 100, **spec):
    return plan_defects(np.random.default_rng(seed), TIME[:n], DefectSpec(**spec))


def digest(plans) -> str:
    text = "".join(
        f"{i} {o.kind} {o.strength:.5g} {o.seed} {o.elapsed_s:.5g}\n"
        for plan in plans
        for i, frame in enumerate(plan)
        for o in frame
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_a_seed_gives_the_defects_that_it_always_gave():
    """Where this fails on purpose, `campaign.FORMAT` must be raised."""
    assert digest(planned(seed, bad_fraction=0.5) for seed in range(40)) == "a86590c14a608306"
    assert digest(planned(seed, lasting=1.0) for seed in range(40)) == "65ebd1d507c5a846"
    rng = np.random.default_rng(0)
    loose = [plan_single(rng, DefectSpec(bad_fraction=0.8)) for _ in range(200)]
    assert digest([loose]) == "2fa85e1ea6462d40"


def is_bad(occurrences) -> bool:
    return any(DEFECTS[o.kind].label(o.strength) == "bad" for o in occurrences)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_the_wanted_share_of_frames_is_bad(fraction):
    shares = [
        np.mean([is_bad(o) for o in planned(seed, bad_fraction=fraction)]) for seed in range(8)
    ]
    assert np.mean(shares) == pytest.approx(fraction, abs=0.04)


def test_even_a_short_night_has_three_bad_frames_of_three_kinds():
    for seed in range(10):
        plan = planned(seed, n=14, bad_fraction=0.05, faintest=0.5)
        assert sum(map(is_bad, plan)) >= 3
        assert len({o.kind for frame in plan for o in frame}) >= 3


def test_a_benign_night_has_nothing():
    assert planned(bad_fraction=0.0) == [[] for _ in TIME]
    assert plan_single(np.random.default_rng(0), DefectSpec(bad_fraction=0.0)) == []


def test_a_spell_lasts_keeps_its_seed_and_counts_its_time():
    plan = planned(3, bad_fraction=0.4, kinds=["thick_cloud"])
    frames = [(i, o) for i, frame in enumerate(plan) for o in frame[:1]]
    seeds = {o.seed for _, o in frames}
    longest = max(seeds, key=lambda seed: sum(o.seed == seed for _, o in frames))
    spell = [(i, o) for i, o in frames if o.seed == longest]
    assert len(spell) >= 3
    assert [i for i, _ in spell] == list(range(spell[0][0], spell[0][0] + len(spell)))
    assert [o.elapsed_s for _, o in spell] == [70.0 * k for k in range(len(spell))]
    assert len({o.strength for _, o in spell}) > 1


@pytest.mark.parametrize("kind", ["twilight", "dew"])
def test_twilight_and_dew_grow_to_the_end_of_the_night(kind):
    plan = planned(1, bad_fraction=0.2, kinds=[kind], faintest=0.8)
    strengths = [frame[0].strength for frame in plan[-3:]]
    assert strengths == sorted(strengths)
    assert not plan[0]


def test_a_cloud_comes_and_goes_and_a_dome_only_comes():
    rng = np.random.default_rng(0)
    cloud, dome = (DEFECTS[kind].course.shares(20, rng) for kind in ("thin_cloud", "dome"))
    assert cloud[0] < cloud[10] > cloud[-1]
    assert np.all(np.diff(dome) >= 0)


def test_levels_stay_between_faintest_and_grossest():
    plan = planned(bad_fraction=0.5, faintest=0.4, grossest=0.6, kinds=["satellite"])
    low, high = (DEFECTS["satellite"].strength(level) for level in (0.4, 0.6))
    strengths = [o.strength for frame in plan for o in frame]
    assert strengths
    assert low <= min(strengths) <= max(strengths) <= high


def test_some_frames_have_two_defects_of_different_causes():
    doubles = [frame for frame in planned(2, bad_fraction=0.6) if len(frame) > 1]
    assert doubles
    for first, second in doubles:
        assert DEFECTS[first.kind].cause != DEFECTS[second.kind].cause


def test_a_loose_frame_is_never_a_jump():
    rng = np.random.default_rng(0)
    kinds = {o.kind for _ in range(400) for o in plan_single(rng, DefectSpec(bad_fraction=0.8))}
    assert "jump" not in kinds
    assert len(kinds) > 15
    assert plan_single(rng, DefectSpec(kinds=["jump"])) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bad_fraction": 1.2}, "bad_fraction in 0-0.8"),
        ({"faintest": 0.8, "grossest": 0.2}, "faintest <= grossest"),
        ({"kinds": ["clouds"]}, "no such defect: clouds; expected some of thin_cloud"),
    ],
)
def test_impossible_wishes_are_refused(change, message):
    with pytest.raises(NightsiftError, match=message):
        DefectSpec(**change)
