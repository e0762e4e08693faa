"""What an observer wants otherwise than the weights: reasons ignored, limits set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nightsift
from nightsift import NightsiftError
from nightsift.heuristics.score import RobustScore
from nightsift.sorting.ignore import _deciding, check_ignored, evidence, ignore_reasons

GOLDEN = Path(__file__).parents[1] / "golden"
KNOWN = "cloud, trailing, defocus, streak, obstruction, pointing, bright_sky, no_stars, readout"
PROBABILITIES = ["prob_bad", "prob_frame", "prob_seq", "pred"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def plain(cache) -> pd.DataFrame:
    return nightsift.judge(GOLDEN, cache_dir=cache).table


def test_unknown_reasons_are_refused_and_the_known_ones_listed():
    assert check_ignored(["cloud", "cloud", "fog"], ["fog"]) == ("cloud", "fog")
    with pytest.raises(NightsiftError, match=f"ignore=blur: .* expected some of {KNOWN}$"):
        check_ignored(["cloud", "blur"])
    with pytest.raises(NightsiftError, match="ignore=unreadable: no such reason"):
        nightsift.judge(GOLDEN, ignore="unreadable")


@pytest.mark.parametrize(
    ("strength", "named", "cause", "reason"),
    [
        ({"defocus": 0.9, "cloud": 0.4}, "defocus", "defocus", ""),
        # Stars lost to the focus count as a cloud, for the rules alone.
        ({"defocus": 0.7, "cloud": 0.5}, "cloud", "defocus", ""),
        ({"defocus": 0.5, "cloud": 0.45}, "cloud", "cloud", "cloud"),
        # A second damage stands strongly beside it.
        ({"defocus": 0.9, "cloud": 0.6}, "defocus", "defocus", "cloud"),
        ({"defocus": 0.3, "cloud": 0.5}, "defocus", "cloud", "cloud"),
        ({"defocus": 0.3, "cloud": 0.9}, "cloud", "cloud", "cloud"),
        # Nothing but a guess of the weights.
        ({"defocus": 0.1, "cloud": 0.1}, "defocus", "defocus", ""),
        ({"defocus": 0.1, "cloud": 0.1}, "streak", "streak", "streak"),
    ],
)
def test_the_strongest_cause_decides_unless_another_stands_beside_it(
    strength, named, cause, reason
):
    assert _deciding(pd.Series(strength), named, ["defocus"]) == (cause, reason)


def test_rules_and_weights_are_heard_together(cache):
    found = nightsift.judge(GOLDEN, cache_dir=cache)
    rows = found.features.set_index("file").loc[found.table["file"]]
    causes = pd.DataFrame({"cloud": 0.0, "fog": 0.8}, index=range(len(rows)))
    strength = evidence(rows, causes)
    severities = RobustScore().judge(rows).filter(like="severity_")
    cloud = severities["severity_cloud"].to_numpy()
    np.testing.assert_allclose(strength["cloud"], cloud**2 / (1 + cloud**2) / 2)
    assert set(strength["fog"]) == {0.8}
    trailing = severities["severity_trailing"].to_numpy()
    np.testing.assert_allclose(strength["trailing"], trailing**2 / (1 + trailing**2))


def test_a_reason_that_is_ignored_keeps_its_frames_and_no_others(plain, cache):
    doubted = plain["verdict"].isin(["review", "bad"])
    assert plain.loc[doubted, "reason"].nunique() >= 4
    for reason in plain.loc[doubted, "reason"].unique():
        named = plain["reason"].eq(reason) & doubted
        judged = nightsift.judge(GOLDEN, cache_dir=cache, ignore=[reason])
        table = judged.table
        pd.testing.assert_frame_equal(table[PROBABILITIES], plain[PROBABILITIES])
        kept = table["explanation"].str.startswith(f"ignored: {reason}: ")
        assert kept.sum() >= named.sum() - 1
        assert set(table.loc[kept, "verdict"]) == {"good"}
        assert set(table.loc[kept, "reason"]) == {""}
        assert reason not in set(table["reason"])
        rest = ~kept & ~named
        pd.testing.assert_frame_equal(table[rest], plain[rest])
        assert judged.ignored == (reason,)
        assert len(judged.kept) == len(judged.table) - (table["verdict"] == "bad").sum()


def test_all_reasons_ignored_keep_every_frame(plain, cache):
    table = nightsift.judge(GOLDEN, cache_dir=cache, ignore=KNOWN.split(", ")).table
    assert set(table["verdict"]) == {"good"}
    doubted = plain["verdict"] != "good"
    assert table["explanation"].str.startswith("ignored: ").tolist() == doubted.tolist()


def test_weights_that_name_no_cause_leave_it_to_the_rules(plain, cache):
    """Severities of 1.1 stand strongly."""
    found = nightsift.judge(GOLDEN, cache_dir=cache)
    nothing = pd.DataFrame(index=found.table.index)
    bad = plain["verdict"] == "bad"
    for reason in plain.loc[bad, "reason"].unique():
        table = ignore_reasons(found.table, found.features, nothing, [reason])
        named = bad & (plain["reason"] == reason)
        assert (table.loc[named, "reason"] != reason).all()
        others = bad & ~named
        assert (table.loc[others, "verdict"] == "bad").mean() >= 0.8


def test_a_limit_rejects_what_is_beyond_it_and_says_so(plain, cache):
    found = nightsift.judge(GOLDEN, cache_dir=cache)
    fwhm = found.features.set_index("file")["fwhm_px"].reindex(plain["file"]).to_numpy(dtype=float)
    stars = found.features.set_index("file")["n_shapes"].reindex(plain["file"]).to_numpy() >= 3
    limit = float(np.nanmedian(fwhm))
    table = nightsift.judge(GOLDEN, cache_dir=cache, limits={"fwhm_px": limit}).table
    beyond = stars & (fwhm > limit)
    turned = beyond & (plain["verdict"] != "bad").to_numpy()
    assert turned.any()
    assert (table["verdict"] == "bad").tolist() == (
        beyond | (plain["verdict"] == "bad").to_numpy()
    ).tolist()
    said = table["explanation"].str.contains("is above the limit of .* px that was set")
    assert said.tolist() == beyond.tolist()
    assert set(table.loc[turned, "reason"]) == {"defocus"}
    assert table.loc[turned, "explanation"].str.startswith("defocus: FWHM ").all()
    assert table.loc[~turned, "reason"].tolist() == plain.loc[~turned, "reason"].tolist()
    pd.testing.assert_frame_equal(table[PROBABILITIES], plain[PROBABILITIES])
    pd.testing.assert_frame_equal(table[~beyond], plain[~beyond])


def test_a_limit_holds_where_its_reason_is_ignored(plain, cache):
    limits = {"fwhm_px": 1.0}
    table = nightsift.judge(GOLDEN, cache_dir=cache, ignore=["defocus"], limits=limits).table
    assert (table["verdict"] == "bad").sum() > (plain["verdict"] == "bad").sum()
    assert "defocus" in set(table["reason"])


def test_a_scale_that_nobody_knows_is_asked_for(cache):
    table = nightsift.judge(
        GOLDEN, cache_dir=cache, limits={"fwhm_arcsec": 0.1, "pixel_scale_arcsec": 1.0}
    ).table
    assert table["explanation"].str.contains("above the limit of 0.1 arcsec that was set").any()
    with pytest.raises(NightsiftError, match="limits: none is called fwhm"):
        nightsift.judge(GOLDEN, limits={"fwhm": 3})
