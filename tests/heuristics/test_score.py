from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.heuristics.rules import (
    REASONS,
    RULES,
    Rule,
    add_rules,
    all_reasons,
    compared_by_rules,
)
from nightsift.heuristics.score import RobustScore, explain, judge_features
from nightsift.heuristics.table import measure_night
from scenes import smooth_night, write_night

N = 40
GROSS = {
    4: ("cloud", {"transparency": 0.3, "uneven": 0.2, "sky": 600.0}),
    8: ("trailing", {"trail": 12.0}),
    12: ("defocus", {"ring": 9.0}),
    16: ("streak", {"streak_sigma": 8.0}),
    20: ("obstruction", {"blocked": 0.5}),
    24: ("pointing", {"field": 7}),
    28: ("bright_sky", {"sky": 3000.0}),
    32: ("no_stars", {"transparency": 0.0}),
    36: ("readout", {"dead_rows": 0.4}),
}
FAINT = {
    4: ("cloud", {"transparency": 0.7}),
    8: ("trailing", {"trail": 4.5}),
    12: ("defocus", {"fwhm": 5.0}),
    16: ("streak", {"streak_sigma": 1.5}),
    20: ("obstruction", {"blocked": 0.3}),
    24: ("pointing", {"shift": (60.0, 0.0)}),
    28: ("bright_sky", {"sky": 800.0}),
    32: ("readout", {"banding": 0.3}),
    # A lamp: little more light in all, but from one side.
    36: ("bright_sky", {"sky": 480.0, "gradient": (0.5, 0.3)}),
}


def with_defects(defects: dict, seed: int) -> list:
    scenes = smooth_night(N, seed)
    for i, (_, change) in defects.items():
        scenes[i] = replace(scenes[i], **change)
    return scenes


@pytest.fixture(scope="module")
def gross_night(judge_night):
    return judge_night(with_defects(GROSS, 1), seed=1)


@pytest.fixture(scope="module")
def faint_night(judge_night):
    return judge_night(with_defects(FAINT, 2), seed=2)


@pytest.mark.parametrize(("defects", "night"), [(GROSS, "gross_night"), (FAINT, "faint_night")])
def test_every_defect_is_flagged_with_its_reason_and_no_good_frame(request, defects, night):
    table = request.getfixturevalue(night)
    flagged = {i: table["reason"][i] for i in np.flatnonzero(table["flag_any"])}
    assert flagged == {i: reason for i, (reason, _) in defects.items()}
    for i, (reason, _) in defects.items():
        assert table["explanation"][i].startswith(f"{reason}: "), table["explanation"][i]


def test_fault_6_a_jump_is_measured_and_the_frame_after_it_not_accused(judge_night):
    scenes = smooth_night(20, 3)
    scenes[9] = replace(scenes[9], shift=(scenes[9].shift[0] + 60.0, scenes[9].shift[1]))
    table = judge_night(scenes, seed=3)
    assert table["xc"][9] - table["xc"][[8, 10]].mean() == pytest.approx(60.0, abs=1.0)
    assert table["disp"][9] == pytest.approx(60.0, abs=2.0)
    assert table["disp"][10] < 3.0
    assert list(np.flatnonzero(table["flag_any"])) == [9]


@pytest.mark.parametrize(
    "change",
    [
        lambda s, u, rng: replace(
            s, sky=s.sky * (1 + 2.5 * max(u - 0.4, 0)), gradient=(0.3 * u, 0)
        ),
        lambda s, u, rng: replace(s, transparency=float(np.exp(-0.5 * u * u)), fwhm=3 + u * u),
        lambda s, u, rng: replace(s, flip=u > 0.5, shift=(140.0 * u, 20.0 * u)),
        lambda s, u, rng: replace(s, shift=tuple(rng.uniform(-15, 15, 2)), hot_pixels=1200),
        lambda s, u, rng: replace(s, dimmed_star=1 - 0.6 * u, cosmic_rays=20, stars=250),
    ],
    ids=["moonrise", "airmass", "flip and drift", "dither", "variable star"],
)
def test_a_night_where_nothing_is_bad_has_no_flags(judge_night, change):
    rng = np.random.default_rng(5)
    scenes = [change(s, i / 23, rng) for i, s in enumerate(smooth_night(24, 5))]
    table = judge_night(scenes, seed=5)
    assert not table.loc[table["flag_any"] == 1, "explanation"].to_dict()


def test_a_third_of_the_night_behind_cloud_is_flagged(judge_night):
    scenes = smooth_night(36, 6)
    for i in range(24, 36):
        scenes[i] = replace(scenes[i], transparency=0.5 * scenes[i].transparency)
    table = judge_night(scenes, seed=6)
    assert list(np.flatnonzero(table["flag_any"])) == list(range(24, 36))
    assert set(table["reason"][24:]) == {"cloud"}


def test_a_night_of_donuts_is_good(judge_night):
    table = judge_night([replace(s, ring=8.0, stars=60) for s in smooth_night(14, 7)], seed=7)
    assert not table.loc[table["flag_any"] == 1, "explanation"].to_dict()


def test_donuts_among_sharp_frames_are_not(judge_night):
    scenes = smooth_night(20, 7)
    for i in (4, 11, 12, 13):
        scenes[i] = replace(scenes[i], ring=7.0)
    table = judge_night(scenes, seed=7)
    assert list(np.flatnonzero(table["flag_any"])) == [4, 11, 12, 13]
    assert set(table["reason"][[4, 11, 12, 13]]) == {"defocus"}


def test_a_sharp_night_that_loses_focus_for_most_of_it_is_seen(judge_night):
    scenes = smooth_night(20, 7)
    for i in range(7, 20):
        scenes[i] = replace(scenes[i], ring=7.0)
    table = judge_night(scenes, seed=7)
    assert table["flag_any"][7:].all()


def test_long_trails_on_purpose_are_good(judge_night):
    trailed = [replace(s, trail=9.0, trail_deg=20.0) for s in smooth_night(14, 9)]
    table = judge_night(trailed, seed=9)
    assert not table.loc[table["flag_any"] == 1, "explanation"].to_dict()


def test_two_exposure_times_are_compared_within_themselves(tmp_path):
    scenes = smooth_night(24, 8)
    files = write_night(
        tmp_path, [replace(s, sky=100.0, transparency=0.25) for s in scenes[:12]], exposure_s=15
    )
    (tmp_path / "long").mkdir()
    long = write_night(tmp_path / "long", [replace(s, sky=900.0) for s in scenes[12:]], seed=1)
    for i, path in enumerate(long):
        path.rename(tmp_path / f"g{i:03d}.fits")
    files += sorted(tmp_path.glob("g*.fits"))
    table = judge_features(measure_night(files))
    assert table["group"].nunique() == 2
    assert table["flag_any"].sum() == 0


def test_weights_leave_reasons_out_and_strictness_flags_more(gross_night):
    table = gross_night
    features = table.drop(columns=[c for c in table if c.startswith("severity_")])
    features = features.drop(columns=["candidate_score", "flag_any", "reason", "explanation"])
    without = RobustScore(weights={"streak": 0.0}).judge(features)
    assert without["flag_any"][16] == 0
    strict = RobustScore(strictness=4.0).judge(features)
    assert strict["flag_any"].sum() > len(GROSS)
    assert RobustScore(strictness=0.0).judge(features)["candidate_score"].max() == 0


def test_a_frame_without_evidence_is_not_accused(judge_night):
    table = judge_night(smooth_night(3, 9), seed=9)
    assert table["slow_transparency"].isna().all()
    assert table["flag_any"].sum() == 0


def test_weights_of_unknown_reasons_are_refused():
    with pytest.raises(NightsiftError, match="clouds is no reason; known: cloud"):
        RobustScore(weights={"clouds": 1.0})
    with pytest.raises(NightsiftError, match="must not be negative"):
        RobustScore(strictness=-1.0)


def test_every_reason_but_unreadable_has_a_rule():
    assert {rule.reason for rule in RULES.values()} == set(REASONS) - {"unreadable"}
    assert all(name == rule.name for name, rule in RULES.items())


def test_a_new_rule_with_a_reason_of_its_own_needs_no_other_change(gross_night, monkeypatch):
    features = gross_night.drop(
        columns=[
            *(name for name in gross_night if name.startswith("severity_")),
            *("candidate_score", "flag_any", "reason", "explanation"),
        ]
    )
    monkeypatch.setattr(RULES, "_entries", dict(RULES))
    crowd = Rule(
        reason="crowd",
        feature="n_stars",
        kind="level",
        worse=1,
        limit=20.0,
        text="{value:.0f} stars are too many",
    )
    add_rules(crowd)
    verdict = RobustScore().judge(features)
    assert all_reasons() == (*REASONS, "crowd")
    assert verdict["severity_crowd"][0] == pytest.approx(features["n_stars"][0] / 20)
    assert verdict["reason"][0] == "crowd"
    stars = features["n_stars"][0]
    assert verdict["explanation"][0] == f"crowd: {stars:.0f} stars are too many"
    without = RobustScore(weights={"crowd": 0.0}).judge(features)
    assert list(without["reason"]) == list(gross_night["reason"])
    with pytest.raises(NightsiftError, match=r"rule 'severity_crowd_n_stars_level' is there"):
        add_rules(replace(crowd, limit=3.0))


def test_a_deviation_that_is_no_logarithm_may_be_any_number():
    text = "{value:.0f}, {ratio:.0f} times the usual {expected:.0f}"
    rule = Rule(reason="moth", feature="level", kind="slow", worse=1, limit=100.0, text=text)
    row = {"level": 4000.0, "slow_level": 3000.0}
    assert explain(row, "moth", {rule: 30.0}) == "moth: 4000, 4 times the usual 1000"


def test_rules_on_one_deviation_agree_on_what_is_compared(monkeypatch):
    monkeypatch.setattr(RULES, "_entries", dict(RULES))
    haze = Rule(
        reason="haze", feature="transparency", kind="slow", worse=-1, limit=0.2, text="{value:.2f}"
    )
    add_rules(haze)
    with pytest.raises(NightsiftError, match=r"haze.*other rules on slow_transparency have log=Tr"):
        compared_by_rules()


def test_the_order_of_the_rules_changes_no_verdict(gross_night, monkeypatch):
    names = ("candidate_score", "flag_any", "reason", "explanation")
    features = gross_night.drop(
        columns=[name for name in gross_night if name.startswith("severity_") or name in names]
    )
    monkeypatch.setattr(RULES, "_entries", dict(reversed(list(RULES.items()))))
    verdict = RobustScore().judge(features)
    for name in ("flag_any", "reason", "explanation"):
        assert list(verdict[name]) == list(gross_night[name])
