"""Which nights are one series, by what headers say of set-up and field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nightsift.fits.header import FrameInfo
from nightsift.night.series import find_series

FRAME = FrameInfo(height=8, width=9, telescope="T 1", instrument="cam", filter="R", object="W Cep")
HERE, NEAR, FAR = (
    {"ra_deg": ra, "dec_deg": dec} for ra, dec in [(359.99, 60.0), (0.02, 60.02), (3.0, 60.0)]
)


def numbers(*facts: dict[str, object], folders: str = "") -> list[int]:
    places = [Path("/d", folders[i] if folders else "n") for i in range(len(facts))]
    return find_series([(p, [replace(FRAME, **own)]) for p, own in zip(places, facts, strict=True)])


@pytest.mark.parametrize(
    "facts", [{"filter": "V"}, {"telescope": "T2"}, {"instrument": None}, {"width": 10}]
)
def test_another_set_up_is_another_series(facts):
    assert numbers({}, facts, {}) == [0, 1, 0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {"object": "w_cep"}, True),
        ({}, {"object": "X Cyg"}, False),
        (HERE, NEAR, True),
        # An asteroid, or a name that was left standing.
        (HERE, FAR, False),
        (HERE, {}, True),
        # Spelt otherwise, at the same place; another name at the same place stays apart.
        (HERE, {"object": "V* W Cep", **NEAR}, True),
        (HERE, {"object": "V* W Cep", **FAR}, False),
        ({}, {"object": "V* W Cep"}, False),
        (HERE, {"object": "X Cyg", **NEAR}, False),
        ({"object": None, **HERE}, NEAR, True),
        ({"object": "Unknown", **HERE}, {"object": None, **NEAR}, True),
        ({"object": None}, {}, False),
        ({"object": None}, {"object": None}, True),
    ],
)
def test_the_field_is_told_by_name_and_coordinates(one, other, same):
    assert (numbers(one, other) == [0, 0]) == same


def test_folders_are_one_series_only_where_field_and_telescope_are_known():
    assert numbers({}, {}, folders="ab") == [0, 0]
    assert numbers({"object": None}, {"object": None}, folders="ab") == [0, 1]
    assert numbers(*[{"object": None, **HERE}] * 2, folders="ab") == [0, 0]
    nameless = {"telescope": None, "instrument": None}
    assert numbers(nameless, nameless, folders="ab") == [0, 1]
    assert numbers(nameless, nameless, folders="aa") == [0, 0]


def test_alternating_filters_and_targets_are_two_series_each():
    facts = [{"filter": "RV"[i % 2], "object": "AB"[i // 2 % 2]} for i in range(8)]
    assert numbers(*facts) == [0, 1, 2, 3, 0, 1, 2, 3]
