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
    assert digest(planned(seed, bad_fraction=0.5) for seed in range(40)) == "08deb839b20ad774"
    assert digest(planned(seed, lasting=1.0) for seed in range(40)) == "3e23166419a5cead"
    rng = np.random.default_rng(0)
    loose = [plan_single(rng, DefectSpec(bad_fraction=0.8)) for _ in range(200)]
    assert digest([loose]) == "2fa85e1ea6462d40"


def is_bad(occurrences) -> bool:
    return any(DEFECTS[o.kind].label(o.strength, steady=o.steady) == "bad" for o in occurrences)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("n", [*range(3, 21), 30, 47, 100])
def test_the_wanted_share_of_frames_is_bad(fraction, n):
    """To the frame on any night, and on average where the share is no whole number of frames."""
    counts = [sum(map(is_bad, planned(seed, n=n, bad_fraction=fraction))) for seed in range(12)]
    exact = fraction * n if n < 12 else max(3, fraction * n)
    assert min(counts) >= min(np.floor(exact), n - 1)
    assert max(counts) <= min(np.ceil(exact), n - 1)
    assert np.mean(counts) == pytest.approx(exact, abs=0.5)


@pytest.mark.parametrize("n", [4, 6, 10, 40])
def test_good_frames_remain(n):
    for seed in range(20):
        plan = planned(seed, n=n, bad_fraction=0.25)
        untouched = sum(not frame for frame in plan)
        assert untouched >= 0.4 * n


def test_nothing_is_bad_alone():
    assert all(not is_bad(planned(seed, n=1, bad_fraction=0.8)[0]) for seed in range(20))


def test_a_dozen_frames_have_three_bad_ones_of_three_kinds():
    for seed in range(10):
        plan = planned(seed, n=14, bad_fraction=0.05, faintest=0.5)
        bad = [frame for frame in plan if is_bad(frame)]
        assert len(bad) == 3
        assert len({frame[0].kind for frame in bad}) >= 2


@pytest.mark.parametrize("kind", ["defocus_disc", "defocus_donut", "trail", "wind_shake"])
def test_what_is_the_same_all_night_is_good(kind):
    plans = [planned(seed, n=30, lasting=1.0, faintest=0.5, kinds=[kind]) for seed in range(40)]
    steady = [plan for plan in plans if plan[0][0].steady]
    assert len(steady) > 8
    assert not any(is_bad(frame) for plan in steady for frame in plan)
    assert any(is_bad(frame) for plan in plans if plan not in steady for frame in plan)
    strength = DEFECTS[kind].gross
    assert DEFECTS[kind].label(strength, steady=True) == "good"
    assert DEFECTS[kind].label(strength) == "bad"


def test_whether_steady_dew_is_bad_cannot_be_known():
    assert DEFECTS["dew"].label(1.0, steady=True) == "marginal"
    assert DEFECTS["dew"].label(0.05, steady=True) == "good"


@pytest.mark.parametrize("n", [5, 12, 60])
def test_a_lasting_defect_leaves_half_of_the_night(n):
    for seed in range(60):
        plan = planned(seed, n=n, lasting=1.0)
        assert np.mean([is_bad(frame) for frame in plan]) <= 0.5


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
    plan = planned(2, bad_fraction=0.2, kinds=[kind], faintest=0.8)
    strengths = [frame[0].strength for frame in plan[-3:]]
    assert strengths == sorted(strengths)
    assert not plan[-60]


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
