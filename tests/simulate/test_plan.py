"""The plan of a night: how many bad frames, of what, when, and what stays good."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from nightsift.simulate.campaign import CampaignSpec, make_campaign
from nightsift.simulate.defects import CAUSES, SPELLS
from nightsift.simulate.plan import Defect, Plan, plan_defects, plan_mixed, plan_night

SHAPE = (64, 80)


def night(number: int = 0, n: int = 60, seed: int = 0) -> list[Plan]:
    return plan_night(number, np.random.default_rng(seed), n=n, shape=SHAPE, bad_fraction=0.25)


def spells(defects: list[Defect | None]) -> list[list[Defect]]:
    groups = [list(group) for _, group in groupby(defects, lambda d: d.cause if d else None)]
    return [group for group in groups if group[0] and len(group) > 1]


@pytest.mark.parametrize("n", [12, 16, 48, 60, 200])
@pytest.mark.parametrize("bad_fraction", [0.01, 0.1, 0.25, 0.6])
def test_a_night_has_its_share_of_bad_frames_of_three_causes(n: int, bad_fraction: float) -> None:
    for seed in range(20):
        defects = plan_defects(np.random.default_rng(seed), n=n, bad_fraction=bad_fraction)
        bad = [d.cause for d in defects if d and d.strength >= 0.12]
        assert len(bad) == max(3, round(n * bad_fraction))
        assert len(set(bad)) >= 3
        assert defects.count(None) > 0.3 * n


def test_no_bad_frames_where_none_are_wanted() -> None:
    defects = plan_defects(np.random.default_rng(0), n=40, bad_fraction=0)
    assert all(d is None or d.strength < 0.12 for d in defects)
    assert sum(d is not None for d in defects) == 2


def test_every_cause_comes_up() -> None:
    plans = [plan for seed in range(6) for plan in night(seed=seed)]
    assert {plan.defect.cause for plan in plans if plan.defect} == set(CAUSES)


def test_spells_come_and_go_with_one_geometry() -> None:
    found = Counter()
    for seed in range(20):
        defects = plan_defects(np.random.default_rng(seed), n=60, bad_fraction=0.25)
        for spell in spells(defects):
            cause = spell[0].cause
            if cause not in SPELLS or min(d.strength for d in spell) < 0.12:
                continue  # faint singles side by side are no spell
            found[cause] += 1
            assert (len({d.seed for d in spell}) == 1) == (cause != "cloud")
            if cause == "bright_sky":
                assert defects[-1] in spell
                assert [d.strength for d in spell] == sorted(d.strength for d in spell)
    assert set(found) == set(SPELLS)


def test_a_clear_night_changes_slowly() -> None:
    scenes = [plan.scene for plan in night(n=100)]
    shifts = np.array([scene.shift_px for scene in scenes])
    fwhm = np.array([scene.fwhm_px for scene in scenes])
    assert np.abs(np.diff(shifts, axis=0)).max() < 2
    assert np.ptp(shifts) > 0.5
    assert np.abs(np.diff(fwhm)).max() < 0.2 * fwhm.min()
    assert np.ptp([scene.airmass for scene in scenes]) > 0.05
    assert all(1 <= scene.airmass < 3 for scene in scenes)


def test_the_target_has_a_shallow_transit() -> None:
    flux = np.array([plan.scene.field.flux_e for plan in night(n=100)])
    relative = flux[:, 0] / flux[:, 1]
    assert relative[50] / relative[0] == pytest.approx(1 - 0.012)
    assert relative[99] / relative[0] == pytest.approx(1)


def test_the_second_night_alone_is_flipped_halfway() -> None:
    assert [plan.scene.flipped for plan in night(1, n=20)] == [False] * 10 + [True] * 10
    assert not any(plan.scene.flipped for plan in night(0, n=20))


def test_mixed_frames_are_bad_four_times_in_ten() -> None:
    plans = plan_mixed(np.random.default_rng(0), n=300, shape=SHAPE)
    causes = Counter(plan.defect.cause for plan in plans if plan.defect)
    assert set(causes) == set(CAUSES) - {"pointing"}
    assert 0.33 < sum(causes.values()) / 300 < 0.47
    assert {plan.label for plan in plans} == {"good", "bad"}
    assert len({plan.telescope for plan in plans}) == 300


def test_the_air_mass_is_in_the_header(tmp_path: Path) -> None:
    spec = CampaignSpec(nights=1, frames_per_night=12, mixed_frames=0, height=64, width=64)
    paths = sorted(make_campaign(tmp_path / "out", spec).seq_dir.rglob("*.fits"))
    air = np.array([fits.getheader(path)["AIRMASS"] for path in paths])
    assert np.all((air >= 1) & (air < 3))
    assert np.ptp(air) > 0.05


@pytest.mark.parametrize(
    ("defect", "label"),
    [
        (None, "good"),
        (Defect("streak", 0.119, 0), "marginal"),
        (Defect("streak", 0.12, 0), "bad"),
    ],
)
def test_a_faint_defect_is_marginal(defect: Defect | None, label: str) -> None:
    assert night(n=12)[0]._replace(defect=defect).label == label
