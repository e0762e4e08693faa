"""Defects that a package of somebody else adds."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.fits.reader import read_frame
from nightsift.registry import load_plugins
from nightsift.simulate.campaign import CampaignSpec, campaign_record, make_campaign
from nightsift.simulate.defects import SHIPPED
from nightsift.simulate.defects.catalogue import DEFECTS, defect, kinds_in_order
from nightsift.simulate.inject_folder import inject_folder
from nightsift.simulate.instrument_files import read_instruments
from nightsift.simulate.spells import DefectSpec, plan_defects

MOTHS = """
from nightsift.simulate.courses import UNEVEN
from nightsift.simulate.defects.catalogue import defect
from nightsift.simulate.effect import Effect

@defect("moths", "moth", unit="share", faint=0.1, gross=0.9, marginal=0.2, bad=0.3{more})
def moths(facts, strength, moment, rng):
    return Effect(shade=1 - strength), {{"moths": float(rng.integers(1, 9))}}
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test adds is gone after it."""
    monkeypatch.setattr(DEFECTS, "_entries", dict(DEFECTS._entries))
    monkeypatch.delitem(sys.modules, "moth_package", raising=False)


@pytest.fixture
def moth_package(tmp_path, monkeypatch):
    def make(more: str = "") -> None:
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "moth_package.py").write_text(MOTHS.format(more=more))
        monkeypatch.syspath_prepend(tmp_path / "site")
        load_plugins(["moth_package"])

    return make


def table(path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("workers", [1, 2])
def test_it_comes_onto_synthetic_and_onto_real_frames_in_every_process(
    tmp_path, moth_package, workers
):
    moth_package()
    spec = CampaignSpec(nights=1, frames_per_night=26, mixed_frames=2, max_side=96, kinds=["moths"])
    instruments = read_instruments(["sbig_0p30m"])
    campaign = make_campaign(tmp_path / "new", spec, instruments, workers=workers)
    (night,) = campaign.seq_dir.iterdir()
    (injected,) = inject_folder(night, tmp_path / "injected", spec.defects, workers=workers)
    for folder in (night, injected):
        rows = [row for row in table(folder / "truth.csv") if row["kind"]]
        assert {(row["kind"], row["cause"], row["unit"]) for row in rows} == {
            ("moths", "moth", "share")
        }
        assert all(1 <= json.loads(row["parameters"])["moths"] <= 8 for row in rows)
        bad = [row for row in table(folder / "labels.csv") if row["label"] == "bad"]
        assert len(bad) >= 3
        assert all(row["notes"].startswith("moth: moths ") for row in bad)
    levels = {
        row["label"]: np.median(read_frame(night / row["file"]).pixels)
        for row in table(night / "labels.csv")
    }
    assert levels["bad"] < levels["good"]


def test_it_may_come_in_spells_and_last_all_night(moth_package):
    moth_package(', course=UNEVEN, lasts="steady"')
    time_s = np.arange(60) * 60.0
    rng = np.random.default_rng(0)
    spells = plan_defects(rng, time_s, DefectSpec(kinds=["moths"], bad_fraction=0.5, singles=0.1))
    lasting = plan_defects(rng, time_s, DefectSpec(kinds=["moths"], lasting=1.0))
    # A spell's frames share a seed.
    assert len({frame[0].seed for frame in spells if frame}) < sum(map(bool, spells)) / 2
    assert all(frame[0].kind == "moths" for frame in lasting)


def test_without_it_frames_and_record_stay_and_with_it_the_record_names_it(moth_package):
    order, spec = kinds_in_order(), CampaignSpec(nights=1, frames_per_night=12, mixed_frames=0)
    assert sorted(order) == sorted(SHIPPED)
    before = campaign_record(spec, [])
    moth_package()
    assert kinds_in_order() == [*order, "moths"]
    assert json.loads(campaign_record(spec, []))["defects"]["moths"]["bad"] == 0.3
    assert "moths" not in campaign_record(CampaignSpec(**{**vars(spec), "kinds": ["dew"]}), [])
    del DEFECTS._entries["moths"]
    assert campaign_record(spec, []) == before


def test_a_name_that_is_taken_and_strengths_out_of_order_are_refused():
    numbers = {"unit": "mag", "faint": 0.1, "gross": 1.0, "marginal": 0.2, "bad": 0.3}
    with pytest.raises(NightsiftError, match="defect 'dew' is there already"):
        defect("dew", "obstruction", **numbers)(lambda *_: None)
    for wrong in ({"faint": 0.0}, {"marginal": 0.4}, {"bad": 2.0}):
        with pytest.raises(NightsiftError, match="expected 0 < faint <= gross and 0 < marginal"):
            defect("frost", "obstruction", **{**numbers, **wrong})(lambda *_: None)
