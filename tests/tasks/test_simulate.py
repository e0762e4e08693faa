from __future__ import annotations

from pathlib import Path

from nightsift.fits.reader import read_frame

QUICK = ["simulate=tiny", "simulate.frames_per_night=12", "simulate.mixed_frames=4"]


def test_a_campaign_has_nights_tables_and_contact_sheets(run_task):
    ended = run_task("simulate", "new", *QUICK, "simulate.nights=2")
    assert ended.status == 0
    assert "written: new/nights/toi-001, new/nights/toi-002, new/mixed" in ended.out
    for folder in (*Path("new/nights").iterdir(), Path("new/mixed")):
        names = {path.name for path in folder.iterdir()}
        assert {"labels.csv", "truth.csv", "contact_sheet.png"} <= names
        frames = [name for name in names if name.lower().endswith((".fit", ".fits"))]
        assert len(frames) == (4 if folder.name == "mixed" else 12)


def test_what_was_made_is_a_source_for_injection(run_task):
    run_task("simulate", "clean", *QUICK, "simulate.nights=1", "simulate.bad_fraction=0")
    source = ["source=clean/nights", "contact_sheets=false"]
    ended = run_task("simulate", "out=new", *source, "simulate.kinds=[satellite]")
    assert ended.status == 0
    assert "written: new/night-001" in ended.out
    truth = Path("new/night-001/truth.csv").read_text()
    assert "satellite" in truth
    assert "thick_cloud" not in truth
    for path in Path("new/night-001").glob("*.fit*"):
        assert read_frame(path).info.time is not None


def test_copies_are_made_of_frames_that_are_given(run_task):
    run_task("simulate", "clean", *QUICK, "simulate.nights=1", "simulate.bad_fraction=0")
    copies = ["simulate.copies=[defocus,dither]", "contact_sheets=false"]
    ended = run_task("simulate", "out=new", "source=clean/nights", *copies)
    assert ended.status == 0
    assert "written: new/defocus-001, new/dither-001" in ended.out
    assert "copy: dither" in Path("new/dither-001/labels.csv").read_text()
    ended = run_task("simulate", "other", *copies)
    assert ended.status == 2
    assert "simulate.copies are made of frames that are given: add source=DIR" in ended.err
