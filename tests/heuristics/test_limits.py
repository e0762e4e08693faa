"""Limits that an observer sets: ranges, what is beyond them, and what was not measured."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from nightsift import NightsiftError, RobustScore, judge_features, measure_night
from nightsift.config.keys import LimitsKeys
from nightsift.heuristics.limits import Limits, header_scales
from nightsift.heuristics.published import SCORED, PublishedScore
from nightsift.night.reading import read_nights
from nightsift.night.sources import Sources


def frames(**columns: list[float]) -> pd.DataFrame:
    measured = {
        "fwhm_px": 3.0,
        "elongation": 1.1,
        "n_shapes": 20.0,
        "transparency": 0.95,
        "background_adu": 400.0,
    }
    return pd.DataFrame({**measured, **columns})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("fwhm_px", 0, "limits.fwhm_px=0: expected a number above 0"),
        ("fwhm_px", -2.0, "expected a number above 0"),
        ("fwhm_px", float("nan"), "limits.fwhm_px=nan: expected a number above 0"),
        ("fwhm_arcsec", float("inf"), "expected a number above 0"),
        ("pixel_scale_arcsec", 0.0, "limits.pixel_scale_arcsec=0.0: expected a number above 0"),
        ("elongation", 0.99, "limits.elongation=0.99: expected a number from 1"),
        ("transparency", 60, "limits.transparency=60: expected a share above 0 and up to 1"),
        ("transparency", 0.0, "expected a share"),
        ("background", "high", "limits.background=high: expected a number above 0"),
        ("fwhm", 3, "limits: none is called fwhm; there are fwhm_px, fwhm_arcsec, "),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(key, value, message):
    with pytest.raises(NightsiftError, match=message) as refused:
        Limits.of({key: value})
    assert "\n" not in str(refused.value)


def test_none_is_set_by_default_and_the_command_line_knows_all():
    assert Limits().given == {}
    names = [[field.name for field in dataclasses.fields(kind)] for kind in (Limits, LimitsKeys)]
    assert names[0] == names[1]
    assert dataclasses.asdict(LimitsKeys()) == dataclasses.asdict(Limits())


@pytest.mark.parametrize(
    ("limits", "column", "values", "reason", "text"),
    [
        (
            {"fwhm_px": 4.5},
            "fwhm_px",
            [4.4, 4.5, 5.2],
            "defocus",
            "defocus: FWHM 5.2 px is above the limit of 4.5 px that was set",
        ),
        (
            {"fwhm_arcsec": 4.5, "pixel_scale_arcsec": 2.0},
            "fwhm_px",
            [2.0, 2.25, 2.6],
            "defocus",
            "defocus: FWHM 5.2 arcsec is above the limit of 4.5 arcsec that was set",
        ),
        (
            {"elongation": 1.5},
            "elongation",
            [1.0, 1.5, 1.63],
            "trailing",
            "trailing: stars 1.63 times as long as wide are above the limit of 1.5 that was set",
        ),
        (
            {"transparency": 0.6},
            "transparency",
            [1.0, 0.6, 0.52],
            "cloud",
            "cloud: star fluxes at 0.52 of the night's clearest are below the limit of 0.6 that "
            "was set",
        ),
        (
            {"background": 5000},
            "background_adu",
            [-20.0, 5000.0, 6012.3],
            "bright_sky",
            "bright_sky: background 6012 adu is above the limit of 5000 adu that was set",
        ),
    ],
)
def test_only_what_is_beyond_a_limit_is_found(limits, column, values, reason, text):
    found = Limits.of(limits).judge(frames(**{column: [*values, np.nan]}))
    assert found["excess"].isna().tolist() == [True, True, False, True]
    assert found["reason"].tolist() == ["", "", reason, ""]
    assert found["explanation"].tolist() == ["", "", text, ""]
    assert found["excess"][2] > 1


def test_stars_that_are_too_few_have_no_shape_to_be_rejected_for():
    found = Limits(fwhm_px=2, elongation=1.05).judge(frames(n_shapes=[3.0, 2.0, 0.0, np.nan]))
    assert found["reason"].tolist() == ["defocus", "", "", ""]


def test_the_worst_excess_names_the_reason_and_all_are_told():
    rows = frames(fwhm_px=[4.0, 9.0], elongation=[3.0, 1.6])
    found = Limits(fwhm_px=3, elongation=1.5).judge(rows)
    assert found["reason"].tolist() == ["trailing", "defocus"]
    assert found["explanation"][0].startswith("trailing: FWHM 4 px is above the limit of 3 px; sta")
    assert found["explanation"][0].count("limit") == 2


def test_the_scale_is_that_of_each_header_and_what_has_none_is_said(tmp_path, caplog):
    files = pd.Series([str(tmp_path / f"{name}.fits") for name in "abc"])
    for file, cards in zip(files, ({"SECPIX": 1.0}, {"SECPIX": 3.0}, {}), strict=True):
        fits.writeto(file, np.zeros((20, 20), np.uint16), fits.Header(cards))
    limits = Limits(fwhm_arcsec=4)
    with caplog.at_level(logging.WARNING, logger="nightsift"):
        scales = header_scales(limits, files)
    assert "1 of 3 files do not tell the pixel scale" in caplog.text
    found = limits.judge(frames(fwhm_px=[3.0] * 3), scales)
    assert found["reason"].tolist() == ["", "defocus", ""]
    with pytest.raises(NightsiftError, match=r"no header tells .* give limits.pixel_scale_arcsec="):
        header_scales(limits, files[2:])
    for other in (Limits(fwhm_arcsec=4, pixel_scale_arcsec=1), Limits(fwhm_px=4), Limits()):
        assert header_scales(other, files[2:]) is None


def test_heuristics_flag_what_is_beyond_a_limit(make_night):
    features = measure_night(make_night("n", n=8))
    plain = judge_features(features)
    typical = float(features["fwhm_px"].median())
    assert plain["flag_any"].sum() == 0
    limited = judge_features(features, limits=Limits(fwhm_px=0.8 * typical))
    assert limited["flag_any"].tolist() == [1] * 8
    assert (limited["candidate_score"] >= 0.5).all()
    assert set(limited["reason"]) == {"defocus"}
    assert limited["explanation"].str.contains("that was set").all()
    pd.testing.assert_frame_equal(plain, judge_features(features, limits=Limits(fwhm_px=99)))
    pd.testing.assert_frame_equal(plain, judge_features(features, RobustScore(), limits=Limits()))


def test_a_method_that_does_not_measure_it_says_so(make_night, tmp_path):
    from nightsift.look.look import Wanted
    from nightsift.look.store import LookStore

    method = PublishedScore(weights=dict.fromkeys(SCORED, 1.0))
    nights = read_nights(
        Sources(seq_dirs=[make_night("n", n=4)]),
        Wanted(measure=method.measure),
        LookStore(tmp_path / "cache"),
    )
    with pytest.raises(NightsiftError, match="elongation is not measured; use heuristics=robust"):
        judge_features(method.table(nights), method, limits=Limits(elongation=2))
