"""Names of nights and series: told apart, kept when files come, harmless whatever headers say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nightsift.fits.header import FrameInfo
from nightsift.night.naming import night_names, safe_text, same_name, series_names

START = datetime(2018, 10, 12, 22, 14, tzinfo=UTC)


def info(hours: float | None = 0, **facts: object) -> FrameInfo:
    time = None if hours is None else START + timedelta(hours=hours)
    return FrameInfo(**{"height": 8, "width": 9, "time": time, **facts})


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("TOI-2713.01", "TOI-2713.01"),
        ("WASP 12 b", "WASP_12_b"),
        ("../../etc/passwd", "etc_passwd"),
        ("..", ""),
        ("a..b", "a_b"),
        ("<img src=x onerror=alert(1)>", "img_src_x_onerror_alert"),
        ("x" * 500, "x" * 24),
        ("[bold red]x[/]", "bold_red_x"),
        ("V* é Cep\n\x00", "V_e_Cep"),
        ("#1 & more", "1_more"),
        (None, ""),
    ],
)
def test_only_safe_characters_of_a_header_get_into_names(text, safe):
    assert safe_text(text) == safe


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("WASP-12 b", "wasp_12B", True),
        ("TOI-2713.01", "TOI-2713.02", False),
        ("Unknown", "", True),
        ("N/A", None, True),
    ],
)
def test_spelling_does_not_make_another_name(one, other, same):
    assert (same_name(one) == same_name(other)) == same


def test_a_folder_with_one_night_gives_it_its_name():
    assert night_names("2018-10-12", [info(filter="R", object="TOI-1")]) == ["2018-10-12"]


def test_names_are_unique_and_stay_when_later_nights_come():
    first = [info(0, filter="R", object="TOI-1"), info(0.1, filter="V", object="TOI-1")]
    first += [info(1, filter="R", object="TOI-1"), info(24), info(None, object="x")]
    names = night_names("My=Nights", first)
    assert names == [
        "My=Nights 2018-10-12 R TOI-1",
        "My=Nights 2018-10-12 V TOI-1",
        "My=Nights 2018-10-12 231400 R TOI-1",
        "My=Nights 2018-10-13",
        "My=Nights undated x",
    ]
    assert night_names("My=Nights", first[:2]) == names[:2]
    assert night_names("n", [info(object="a"), info(object="a "), info(object=" a")])[1:] == [
        "n 2018-10-12 221400 a",
        "n 2018-10-12 221400 a 2",
    ]


def test_names_that_would_make_one_file_are_told_apart():
    first = [info(filter="R", object="a"), info(object="R_a"), info(filter="r", object="A")]
    assert night_names("n", first) == [
        "n 2018-10-12 R a",
        "n 2018-10-12 221400 R_a",
        "n 2018-10-12 221400 r A 2",
    ]


def test_series_are_called_by_target_filter_telescope_and_camera():
    facts = {"filter": "I", "telescope": "0.4 m", "instrument": "QHY/600"}
    found = [info(object="W Cep", **facts), info(object="W Cep", **facts | {"height": 80})]
    found += [info(ra_deg=83.633, dec_deg=-5.37, object="none"), info(), info(width=10)]
    assert series_names(found) == [
        "W_Cep I 0.4_m QHY_600 9x8",
        "W_Cep I 0.4_m QHY_600 9x80",
        "83.6-5.4",
        "series 9x8",
        "series 10x8",
    ]
