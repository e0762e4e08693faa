import json
import math
from datetime import UTC, datetime

import pytest
from astropy.io import fits

from nightsift.fits.header import FrameInfo, parse_header

SHAPE = (20, 30)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"DATE-OBS": "2025-03-01T20:00:00"}, utc(2025, 3, 1, 20)),
        (
            {"DATE-OBS": "2017-12-19T18:33:43.317-0700"},
            utc(2017, 12, 20, 1, 33, 43, 317000),
        ),
        ({"DATE-OBS": "2025-03-01T20:00:00Z"}, utc(2025, 3, 1, 20)),
        ({"DATE-OBS": "2025-03-01 20:00:00"}, utc(2025, 3, 1, 20)),
        ({"DATE-OBS": "2025-03-01T20:00"}, utc(2025, 3, 1, 20)),
        ({"DATE-OBS": "2025-03-01T20:00:00.1234567"}, utc(2025, 3, 1, 20, 0, 0, 123457)),
        ({"DATE-OBS": "2025-03-01T23:59:60"}, utc(2025, 3, 2)),
        ({"DATE-OBS": "2025-03-01T24:00:00"}, utc(2025, 3, 2)),
        ({"DATE_OBS": "2025-03-01T20:00:00"}, utc(2025, 3, 1, 20)),
        ({"DATE-OBS": "05/04/87", "UT": " 9:27:27.00"}, utc(1987, 4, 5, 9, 27, 27)),
        ({"DATE-OBS": "26/10/92", "TIME-OBS": "01:02:03"}, utc(1992, 10, 26, 1, 2, 3)),
        (
            {"DATE-OBS": "2021/12/12", "UTC-OBS": "12:51:21.5"},
            utc(2021, 12, 12, 12, 51, 21, 500000),
        ),
        ({"DATE-OBS": "2018-10-30", "UTSTART": "01:38:00"}, utc(2018, 10, 30, 1, 38)),
        ({"DATE-OBS": "2018-10-30T00:00:00", "UT": "01:38:00"}, utc(2018, 10, 30, 1, 38)),
        ({"DATE-OBS": "2018-10-30T00:00:00"}, utc(2018, 10, 30)),
        ({"DATE-OBS": "2018-10-30T05:00:00", "UT": "01:38:00"}, utc(2018, 10, 30, 5)),
        (
            {"DATE-OBS": "?", "UT-OBS": "2017-12-20T01:33:43.317-0000"},
            utc(2017, 12, 20, 1, 33, 43, 317000),
        ),
        ({"DATE-OBS": "2018-10-30"}, None),
        ({"DATE-OBS": "2018-13-45T99:99:99", "MJD-OBS": 58000.25}, utc(2017, 9, 4, 6)),
        ({"DATE-OBS": "", "MJD-OBS": "58000.25"}, utc(2017, 9, 4, 6)),
        ({"MJD-OBS": math.nan, "JD": 2458000.75}, utc(2017, 9, 4, 6)),
        ({"MJD-OBS": 0.0, "DATE-BEG": "2025-03-01T20:00:00"}, utc(2025, 3, 1, 20)),
        ({"DATE-OBS": "9999-12-31T24:00:00"}, None),
        ({"UT": "01:38:00"}, None),
        ({}, None),
    ],
)
def test_time_of_real_life_spellings(cards, expected):
    assert parse_header(cards, SHAPE).time == expected


def test_start_is_moved_by_half_the_exposure_and_a_middle_is_not():
    start = {"DATE-OBS": "2025-03-01T20:00:00", "EXPTIME": 60}
    assert parse_header(start, SHAPE).time == utc(2025, 3, 1, 20, 0, 30)
    middle = {**start, "DATE-AVG": "2025-03-01T20:00:31"}
    assert parse_header(middle, SHAPE).time == utc(2025, 3, 1, 20, 0, 31)
    assert parse_header({"MJD-AVG": 58000.25, "EXPTIME": 60}, SHAPE).time == utc(2017, 9, 4, 6)
    assert parse_header({"MJD-OBS": 58000.25, "EXPTIME": 60}, SHAPE).time == utc(
        2017, 9, 4, 6, 0, 30
    )
    endless = {**start, "EXPTIME": 1e300}
    assert parse_header(endless, SHAPE).time == utc(2025, 3, 1, 20)


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"EXPTIME": "53.907456"}, 53.907456),
        ({"EXPTIME": "60 s"}, 60.0),
        ({"EXPTIME": 0}, 0.0),
        ({"ITIME": 600}, 600.0),
        ({"EXPTIME": -1.0, "EXPOSURE": 30.0}, 30.0),
        ({"EXPTIME": math.nan}, None),
        ({"EXPTIME": math.inf}, None),
        ({"EXPTIME": True}, None),
        ({"EXPTIME": "long"}, None),
        ({}, None),
    ],
)
def test_exposure(cards, expected):
    assert parse_header(cards, SHAPE).exposure_s == expected


def test_names_are_stripped_and_blank_is_none():
    info = parse_header({"OBJECT": " WASP-12 ", "TELESCOP": "  ", "FILTER": ""}, SHAPE)
    assert (info.object, info.telescope, info.filter, info.instrument) == (
        *("WASP-12", None, None, None),
    )


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"FILTER": "R", "FILTER1": "B"}, "R"),
        ({"FILTER": "", "FILTER1": "gp", "FILTER2": "NOTPRESENT"}, "gp"),
        ({"FILTER1": "air", "FILTER2": "V"}, "V"),
        ({"FILTER1": "V", "FILTER2": "ND2"}, "V+ND2"),
        ({"FILTER1": "Clear", "FILTER2": "air"}, "Clear"),
        ({"INSFILTE": 3}, "3"),
    ],
)
def test_filter_of_one_or_several_wheels(cards, expected):
    assert parse_header(cards, SHAPE).filter == expected


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
def test_a_card_that_astropy_cannot_parse_costs_only_itself():
    header = fits.Header.fromstring(
        "".join(
            card.ljust(80)
            for card in (
                "OBJECT  = 'no closing quote",
                "EXPTIME = 60,5 # odd",
                "EXPOSURE= 30.0",
                "TELESCOP=",
                "DATE-OBS= '2025-03-01T20:00:00'",
            )
        )
    )
    info = parse_header(header, SHAPE)
    assert (info.exposure_s, info.telescope) == (30.0, None)
    assert info.time == utc(2025, 3, 1, 20, 0, 15)


@pytest.mark.parametrize("cards", [{}, {"DATE-OBS": "2025-03-01T20:00:00.123456", "EXPTIME": 0.1}])
def test_json_round_trip_is_exact(cards):
    info = parse_header({**cards, "OBJECT": "é"}, SHAPE)
    assert FrameInfo.from_json(json.loads(json.dumps(info.to_json()))) == info
