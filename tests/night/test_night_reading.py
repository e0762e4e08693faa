"""Folders to nights: every file once, in the order of time, with what people say of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.look.look import Look, Wanted
from nightsift.look.measure import AllFeatures
from nightsift.look.store import LookStore
from nightsift.look.transforms.robust import Robust
from nightsift.night import making
from nightsift.night.night import Label, NightSet
from nightsift.night.reading import read_nights
from nightsift.night.sources import Sources
from values import read


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., NightSet]:
    return lambda **sources: read(tmp_path / "cache", **sources)


def labels_by_name(nights: NightSet) -> dict[str, int | None]:
    return {
        look.path.name: label.value
        for night in nights.nights
        for look, label in zip(night.looks, night.labels, strict=True)
    }


def test_every_file_is_one_frame_with_label_night_and_notes(nights, build):
    found = build(seq_dirs=[nights])
    assert [night.name for night in found.nights] == ["night0", "night1", "night2"]
    assert len(found) == len({path for night in found.nights for path in night.files}) == 72
    labels = np.concatenate([night.label_values for night in found.nights]).tolist()
    assert (labels.count(1), labels.count(0), labels.count(-1)) == (18, 51, 3)
    assert found.nights[0].labels[4] == Label(0, {"notes": "note 4"})
    assert found.nights[0].labels[1] == Label(None, {"notes": "note 1"})
    assert found.summary() == (
        "72 files: 3 nights with windows, 18 bad, 51 good, 3 unlabelled, 0 unreadable"
    )


def test_every_task_decodes_each_file_once(nights, tmp_path, decoded):
    wanted = Wanted(Robust(), 32, AllFeatures())
    first = read(tmp_path / "cache", wanted, seq_dirs=[nights])
    assert len(decoded) == len(set(decoded)) == 72
    again = read(tmp_path / "cache", wanted, seq_dirs=[nights])
    assert len(decoded) == 72
    for one, other in zip(first.nights, again.nights, strict=True):
        assert one.files == other.files
        np.testing.assert_array_equal(one.label_values, other.label_values)
        assert one.features.equals(other.features)


def test_fault_13_the_order_is_that_of_time_not_of_names(make_night, build):
    """Published: putting "bad" into a file name changes the order of the sequence."""
    folder = make_night("n", n=6)
    (folder / "f3.fits").rename(folder / "zz_bad.fits")
    (folder / "labels.csv").unlink()
    (night,) = build(seq_dirs=[folder]).nights
    names = [path.name for path in night.files]
    assert names == ["f1.fits", "f2.fits", "zz_bad.fits", "f4.fits", "f5.fits", "f6.fits"]
    assert night.times == sorted(night.times)
    assert night.times[0] == "2025-03-01T20:00:30.000+00:00"
    assert night.features["hours"].to_numpy() == pytest.approx(np.arange(6) * 0.025)


def test_fault_9_blank_labels_are_unlabelled_and_names_count_only_if_asked(make_night, build):
    """Published: a blank label counts as good."""
    folder = make_night("n", n=6, unlabelled={0})
    (folder / "f6.fits").rename(folder / "f6_bad.fits")
    plain = labels_by_name(build(seq_dirs=[folder]))
    assert plain["f1.fits"] is None
    assert plain["f6_bad.fits"] is None
    named = labels_by_name(build(seq_dirs=[folder], labels_from_names=True))
    assert named["f1.fits"] is None  # its row says that nobody knows
    assert named["f6_bad.fits"] == 1


def test_same_names_in_two_nights_stay_two_frames(nights, build):
    found = build(seq_dirs=[nights]).nights
    by_night = [
        {path.name: label.value for path, label in zip(night.files, night.labels, strict=True)}
        for night in found
    ]
    assert [labels["f7.fits"] for labels in by_night] == [1, 0, 0]
    assert [labels["f13.fits"] for labels in by_night] == [0, 1, 1]


def test_an_unreadable_file_is_aside_with_its_reason_and_label(nights, build, caplog):
    broken = nights / "night1" / "broken.fits"
    broken.write_bytes(b"nothing")
    with (nights / "night1" / "labels.csv").open("a") as stream:
        stream.write("broken.fits,bad,torn\n")
    with caplog.at_level(logging.WARNING):
        found = build(seq_dirs=[nights])
    (item,) = found.aside
    assert item.path == broken
    assert item.reason == "unreadable: not FITS"
    assert item.unreadable
    assert item.label == Label(1, {"notes": "torn"})
    assert all(broken not in night.files for night in found.nights)
    assert "73 files: 3 nights with windows, 19 bad" in found.summary()
    assert "1 unreadable" in found.summary()
    assert "1 unreadable files" in caplog.text
    assert "broken.fits: not FITS" in caplog.text


def test_frames_left_out_are_aside_after_the_unreadable_and_are_not_counted(nights, tmp_path):
    (nights / "night2" / "broken.fits").write_bytes(b"nothing")

    def leave_out(look: Look) -> str:
        return "a short frame" if look.path.name == "f3.fits" else ""

    found = read_nights(
        Sources(seq_dirs=[nights]), Wanted(), LookStore(tmp_path / "cache"), leave_out=leave_out
    )
    reasons = [item.reason for item in found.aside]
    assert reasons == ["unreadable: not FITS", *["left out: a short frame"] * 3]
    assert [item.unreadable for item in found.aside] == [True, False, False, False]
    assert len(found) == 69
    assert found.summary().startswith("70 files")
    with pytest.raises(NightsiftError, match="no frames of the sky among 73 files"):
        read_nights(
            Sources(seq_dirs=[nights]),
            Wanted(),
            LookStore(tmp_path / "cache"),
            leave_out=lambda look: "everything",
        )


def test_labels_without_a_file_and_files_without_a_label_are_counted(nights, build, caplog):
    (nights / "night0" / "f3.fits").unlink()
    with caplog.at_level(logging.WARNING):
        found = build(seq_dirs=[nights])
    assert len(found) == 71
    assert "1 label rows match no file: labels.csv: f3.fits" in caplog.text
    assert "3 files are without a label" in caplog.text


def test_a_warning_names_the_first_five_and_says_how_many_more(make_night, build, caplog):
    folder = make_night("n", n=12, unlabelled=set(range(8)))
    with caplog.at_level(logging.WARNING):
        build(seq_dirs=[folder])
    assert "8 files are without a label" in caplog.text
    assert "f5.fits, and 3 more" in caplog.text
    assert "f6.fits" not in caplog.text


def test_mixed_frames_have_no_windows_and_a_file_given_twice_is_one(make_night, build):
    night, mixed = make_night("n", n=5), make_night("m", n=4, seed=3)
    found = build(seq_dirs=[night, night], mixed_dirs=[mixed, night])
    assert [(n.name, n.ordered, len(n)) for n in found.nights] == [("n", True, 5), ("m", False, 4)]
    assert found.mixed == {"m"}


def test_mixed_frames_are_compared_with_nothing(make_night, tmp_path):
    night, mixed = make_night("n", n=8), make_night("m", n=8, seed=3)
    wanted = Wanted(measure=AllFeatures())
    found = read(tmp_path / "cache", wanted, seq_dirs=[night], mixed_dirs=[mixed])
    ordered, loose = found.nights
    assert list(ordered.features) == list(loose.features)
    assert ordered.features["transparency"].notna().all()
    assert loose.features[["transparency", "jump_px", "missing_share", "hours"]].isna().all().all()
    assert loose.features["n_stars"].min() > 5


def test_loose_frames_without_a_time_are_units_of_their_own(make_night, build):
    mixed = make_night("m", n=4)
    for path in mixed.glob("*.fits"):
        fits.delval(path, "DATE-OBS")
    found = build(mixed_dirs=[mixed])
    assert [(night.name, len(night)) for night in found.nights] == [
        (f"m.{number}", 1) for number in (1, 2, 3, 4)
    ]
    assert not any(night.timed for night in found.nights)


def test_a_night_without_times_keeps_the_order_of_names_and_has_no_hours(make_night, build):
    folder = make_night("n", n=11)
    for path in folder.glob("*.fits"):
        fits.delval(path, "DATE-OBS")
    (night,) = build(seq_dirs=[folder]).nights
    assert not night.timed
    assert [path.name for path in night.files] == [f"f{i}.fits" for i in range(1, 12)]
    assert night.times == [""] * 11
    np.testing.assert_array_equal(night.features["hours"], np.arange(11.0))


def test_a_pause_begins_another_night(make_night, build):
    folder = make_night("n", n=4)
    later = make_night("later", n=3, seed=1, object="n")
    for path in later.glob("*.fits"):
        path.rename(folder / f"g{path.name}")
    found = build(seq_dirs=[folder])
    assert [(night.name, len(night)) for night in found.nights] == [
        ("n 2025-03-01 R n", 4),
        ("n 2025-03-02 R n", 3),
    ]
    (one,) = build(seq_dirs=[folder], max_gap_h=48.0).nights
    assert len(one) == 7


def test_files_that_are_passed_over_are_as_if_they_were_not_there(nights, build, decoded):
    away = frozenset((nights / "night0").glob("*.fits"))
    found = build(seq_dirs=[nights], passed_over=away)
    assert [night.name for night in found.nights] == ["night1", "night2"]
    assert not away & set(decoded)
    assert found.summary().startswith("48 files")


def test_labels_of_frames_that_are_passed_over_mean_no_others(make_night, build, tmp_path, caplog):
    """Nights often hold the same names: what was rejected before must not label another night."""
    root = tmp_path / "nights"
    old = make_night("old", n=3, bad={0, 1, 2}, root=root)
    make_night("new", n=3, unlabelled={0, 1, 2}, seed=1, root=root)
    (old / "rejected").mkdir()
    for path in old.glob("*.fits"):
        path.rename(old / "rejected" / path.name)
    away = frozenset((old / "rejected").iterdir())
    with caplog.at_level(logging.WARNING):
        found = build(seq_dirs=[root], passed_over=away)
    assert "match no file" not in caplog.text
    assert labels_by_name(found) == {"f1.fits": None, "f2.fits": None, "f3.fits": None}


def test_a_folder_of_labels_that_is_not_there_is_one_line(make_night, build, tmp_path):
    with pytest.raises(NightsiftError, match=r"data\.label_dirs: .*/nowhere is no folder"):
        build(seq_dirs=[make_night("n", n=3)], label_dirs=[tmp_path / "nowhere"])


def test_the_fingerprint_of_a_night_survives_a_move(make_night, build, tmp_path):
    folder, other = make_night("n", n=5), make_night("m", n=5, seed=1)
    before = build(seq_dirs=[folder]).nights[0].fingerprint
    assert len(before) == 16
    moved = folder.rename(tmp_path / "elsewhere")
    assert build(seq_dirs=[moved]).nights[0].fingerprint == before
    assert build(seq_dirs=[other]).nights[0].fingerprint != before


def test_processes_compare_as_threads_do(nights, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "FRAMES_WORTH_PROCESSES", 1)
    wanted = Wanted(measure=AllFeatures())
    found = [
        read_nights(
            Sources(seq_dirs=[nights]),
            wanted,
            LookStore(tmp_path / "cache"),
            workers=2,
            processes=processes,
        )
        for processes in (False, True)
    ]
    for one, other in zip(*(nights.nights for nights in found), strict=True):
        assert one.files == other.files
        assert one.features.equals(other.features)
        assert one.labels == other.labels


def test_the_order_of_the_folders_given_does_not_matter(nights, build):
    folders = sorted(nights.iterdir())
    one, other = build(seq_dirs=folders), build(seq_dirs=folders[::-1])
    assert [night.files for night in one.nights] == [night.files for night in other.nights]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({}, r"no frames: give data\.seq_dirs"),
        ({"seq_dirs": ["absent"]}, "absent does not exist"),
        ({"seq_dirs": ["empty"]}, "no FITS files in"),
        ({"seq_dirs": ["broken"]}, r"none of 1 files could be read; .*x\.fits: not FITS"),
        ({"seq_dirs": ["n"], "label_csv": ["absent.csv"]}, r"absent\.csv: cannot read"),
    ],
)
def test_what_is_missing_is_said(make_night, build, tmp_path, sources, message):
    make_night("n", n=2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.fits").write_bytes(b"x")
    paths = {key: [tmp_path / name for name in names] for key, names in sources.items()}
    with pytest.raises(NightsiftError, match=message):
        build(**paths)


def test_a_label_table_is_found_where_it_lies_and_where_it_is_named(make_night, build, tmp_path):
    folder = make_night("n", n=3)
    table = (folder / "labels.csv").read_text().replace("good", "bad")
    (folder / "labels.csv").unlink()
    assert set(labels_by_name(build(seq_dirs=[folder])).values()) == {None}
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "my_labels.csv").write_text(table)
    found = build(seq_dirs=[folder], label_dirs=[tmp_path / "tables"])
    assert labels_by_name(found) == {"f1.fits": 1, "f2.fits": 1, "f3.fits": 1}
    first = tmp_path / "first.csv"
    first.write_text("file,label\nf2.fits,good\n")
    found = build(seq_dirs=[folder], label_csv=[first], label_dirs=[tmp_path / "tables"])
    assert labels_by_name(found) == {"f1.fits": 1, "f2.fits": 0, "f3.fits": 1}
