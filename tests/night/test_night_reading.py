from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nightsift.data.cache import TensorCache
from nightsift.data.catalogue import Catalogue, Sources, build_catalogue
from nightsift.errors import NightsiftError
from nightsift.look.transforms import Robust


def build(tmp_path: Path, **sources: object) -> Catalogue:
    cache = TensorCache(tmp_path / "cache", Robust(), img_size=32)
    return build_catalogue(Sources(**sources), cache)


def test_every_file_has_one_record_with_label_night_and_notes(nights, tmp_path):
    catalogue = build(tmp_path, seq_dirs=[nights])
    assert [night.name for night in catalogue.nights] == ["night0", "night1", "night2"]
    records = catalogue.records
    assert len(records) == len({r.path for r in records}) == 72
    assert [r.label for r in records].count(1) == 18
    assert [r.label for r in records].count(None) == 3
    assert records[4].extras == {"notes": "note 4"}
    assert "72 files: 3 nights with windows, 18 bad, 51 good, 3 unlabelled" in catalogue.summary()


def test_fault_13_the_order_is_that_of_time_not_of_names(make_night, tmp_path):
    """Published: putting "bad" into a file name changes the order of the sequence."""
    folder = make_night("n", n=6)
    (folder / "f3.fits").rename(folder / "zz_bad.fits")
    (folder / "labels.csv").unlink()
    (night,) = build(tmp_path, seq_dirs=[folder]).nights
    names = [record.path.name for record in night.records]
    assert names == ["f1.fits", "f2.fits", "zz_bad.fits", "f4.fits", "f5.fits", "f6.fits"]


def test_fault_9_blank_labels_are_unlabelled_and_names_count_only_if_asked(make_night, tmp_path):
    """Published: a blank label counts as good."""
    folder = make_night("n", n=6, unlabelled={0})
    (folder / "f6.fits").rename(folder / "f6_bad.fits")
    plain = {r.path.name: r.label for r in build(tmp_path, seq_dirs=[folder]).records}
    assert plain["f1.fits"] is None
    assert plain["f6_bad.fits"] is None
    named = build(tmp_path, seq_dirs=[folder], labels_from_names=True)
    by_name = {r.path.name: r.label for r in named.records}
    assert by_name["f1.fits"] is None  # its row says that nobody knows
    assert by_name["f6_bad.fits"] == 1


def test_same_names_in_two_nights_stay_two_frames(nights, tmp_path):
    records = build(tmp_path, seq_dirs=[nights]).records
    seventh = [record.label for record in records if record.path.name == "f7.fits"]
    last = [record.label for record in records if record.path.name == "f13.fits"]
    assert seventh == [1, 0, 0]
    assert last == [0, 1, 1]


def test_a_bad_file_is_a_row_with_a_reason(nights, tmp_path, caplog):
    (nights / "night1" / "broken.fits").write_bytes(b"nothing")
    with caplog.at_level(logging.WARNING):
        catalogue = build(tmp_path, seq_dirs=[nights])
    (broken,) = catalogue.unreadable
    assert broken.path.name == "broken.fits"
    assert broken.night == "night1"
    assert broken.error
    assert "1 unreadable files" in caplog.text
    assert "broken.fits" in caplog.text


def test_labels_without_a_file_and_files_without_a_label_are_counted(nights, tmp_path, caplog):
    (nights / "night0" / "f3.fits").unlink()
    with caplog.at_level(logging.WARNING):
        catalogue = build(tmp_path, seq_dirs=[nights])
    assert catalogue.unmatched_labels == ("labels.csv: f3.fits",)
    assert "1 label rows match no file" in caplog.text
    assert "3 files are without a label" in caplog.text


def test_mixed_frames_have_no_windows_and_a_file_given_twice_is_one(make_night, tmp_path):
    night, mixed = make_night("n", n=5), make_night("m", n=4, seed=3)
    catalogue = build(tmp_path, seq_dirs=[night], mixed_dirs=[mixed, night])
    assert [(n.name, n.ordered, len(n.records)) for n in catalogue.nights] == [
        ("n", True, 5),
        ("m", False, 4),
    ]


def test_loose_frames_without_a_time_are_units_of_their_own(make_night, tmp_path):
    from astropy.io import fits

    mixed = make_night("m", n=4)
    for path in mixed.glob("*.fits"):
        fits.delval(path, "DATE-OBS")
    catalogue = build(tmp_path, mixed_dirs=[mixed])
    assert [len(night.records) for night in catalogue.nights] == [1, 1, 1, 1]


def test_the_fingerprint_of_a_night_survives_a_move(make_night, tmp_path):
    folder = make_night("n", n=5)
    before = build(tmp_path, seq_dirs=[folder]).nights[0].fingerprint
    moved = folder.rename(tmp_path / "elsewhere")
    assert build(tmp_path, seq_dirs=[moved]).nights[0].fingerprint == before


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({}, "no frames: give"),
        ({"seq_dirs": ["absent"]}, "absent"),
        ({"seq_dirs": ["empty"]}, "no FITS files in"),
        ({"seq_dirs": ["broken"]}, "none of 1 files could be read"),
        ({"seq_dirs": ["n"], "label_csv": ["absent.csv"]}, "absent.csv"),
    ],
)
def test_what_is_missing_is_said(make_night, tmp_path, sources, message):
    make_night("n", n=2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.fits").write_bytes(b"x")
    paths = {key: [tmp_path / name for name in names] for key, names in sources.items()}
    with pytest.raises(NightsiftError, match=message):
        build(tmp_path, **paths)
