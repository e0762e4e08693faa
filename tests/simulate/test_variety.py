from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.simulate.campaign import CampaignSpec, plan_campaign
from nightsift.simulate.defects.catalogue import DEFECTS
from nightsift.simulate.instrument_files import read_instruments
from nightsift.simulate.night import draw_night
from nightsift.simulate.spells import DefectSpec, plan_defects
from nightsift.simulate.variety import vary

BROAD = CampaignSpec(nights=24, frames_per_night=30, mixed_frames=6, max_side=900, variety=1.0)


def test_without_variety_a_telescope_stays_what_it_is():
    for instrument in read_instruments([]):
        assert asdict(vary(instrument, np.random.default_rng(0), 0.0)) == asdict(instrument)


def test_relatives_differ_and_are_possible_telescopes():
    """The constructor checks the ranges; a star is neither one pixel nor the frame."""
    rng = np.random.default_rng(1)
    for instrument in read_instruments([]):
        relatives = [vary(instrument, rng, 1.0) for _ in range(20)]
        assert len({relative.optics.aperture_m for relative in relatives}) > 10
        widths = [relative.typical_fwhm_px for relative in relatives]
        assert min(widths) >= 1.3
        assert max(widths) <= 9.0
        scales = np.log([relative.scale_arcsec for relative in relatives])
        assert np.ptp(scales) > 0.7  # a factor of two and more


def test_every_night_of_a_broad_campaign_has_a_telescope_of_its_own():
    jobs = plan_campaign(Path("out"), BROAD, read_instruments(["c14_0p36m", "newton_0p20m"]))
    nights: dict[Path, list] = {}
    for job in jobs:
        if job.folder.name != "mixed":
            nights.setdefault(job.folder, []).append(job)
    lengths = {sum(len(job.frames) for job in parts) for parts in nights.values()}
    apertures = {parts[0].plan.instrument.optics.aperture_m for parts in nights.values()}
    sides = {parts[0].plan.instrument.detector.width for parts in nights.values()}
    assert len(nights) == len(apertures) == 24
    assert min(len(lengths), len(sides)) > 12
    assert max(sides) <= 900


def test_nobody_exposes_until_the_sky_fills_the_pixels():
    rng = np.random.default_rng(2)
    for instrument in read_instruments([]):
        for number in range(5):
            plan = draw_night(rng, vary(instrument, rng, 1.0), n=12, number=number)
            assert plan.sky_e.max() <= 0.3001 * plan.instrument.detector.capacity_e


def test_a_lasting_defect_is_in_every_frame_and_one_only():
    spec = DefectSpec(lasting=1.0, faintest=0.5)
    for seed in range(30):
        plan = plan_defects(np.random.default_rng(seed), np.arange(40) * 60.0, spec)
        kinds = {occurrence.kind for frame in plan for occurrence in frame}
        assert len(kinds) == 1
        assert all(len(frame) == 1 for frame in plan)
        defect = DEFECTS[kinds.pop()]
        strongest = max(frame[0].strength for frame in plan)
        assert defect.marginal < strongest <= defect.gross * 1.01


@pytest.mark.parametrize("changes", [{"variety": 1.5}, {"lasting_fraction": -0.1}])
def test_shares_are_shares(changes):
    with pytest.raises(NightsiftError, match="0-1"):
        replace(BROAD, **changes)
