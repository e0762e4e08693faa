from __future__ import annotations

import math
from pathlib import Path

import pytest

from nightsift.fits.calibration import calibration_kind
from nightsift.fits.header import FrameInfo, parse_header


@pytest.mark.parametrize(
    ("kind", "name", "stars", "expected"),
    [
        ("Flat Field", "n1/x.fits", 30, "flat"),
        ("DARK", "n1/x.fits", 20, "dark"),
        ("zero", "n1/x.fits", math.nan, "bias"),
        ("Bias Frame", "n1/x.fits", 0, "bias"),
        ("Light Frame", "flats/flat_001.fits", 0, ""),
        ("object", "n1/x.fits", 0, ""),
        ("Dark Frame", "n1/x.fits", 400, ""),  # left over from the last setting
        (None, "n1/Flat-001.fits", 2, "flat"),
        (None, "darks/x1.fits", 0, "dark"),
        (None, "n1/bias_3.fits", math.nan, "bias"),
        (None, "Dark Nebula/x.fits", 50, ""),
        (None, "n1/flatness.fits", 0, ""),
        (None, "n1/x.fits", 0, ""),
    ],
)
def test_header_first_then_names_and_stars_against_both(kind, name, stars, expected):
    info = FrameInfo(height=10, width=10, kind=kind)
    assert calibration_kind(Path(name), info, stars) == expected


@pytest.mark.parametrize("key", ["IMAGETYP", "OBSTYPE", "FRAME", "IMTYPE"])
def test_the_kind_is_read_from_the_header(key):
    assert parse_header({key: " Flat "}, (5, 6)).kind == "Flat"
