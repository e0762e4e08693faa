import logging
from pathlib import Path

import pytest

from nightsift.errors import NightsiftError
from nightsift.fits.folders import find_files
from nightsift.fits.labels import (
    find_label_csvs,
    label_from_name,
    match_labels,
    parse_label,
    read_label_csv,
)


def table(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_label_csv(path)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        *((word, 1) for word in ("bad", "1", "1.0", "true", "yes", " BAD ")),
        *((word, 0) for word in ("good", "0", "0.0", "False", "no", "Good\t")),
        *((word, None) for word in ("", " ", "marginal", "unsure", "review", "nan", "2", "-1")),
    ],
)
def test_parse_label(text, label):
    assert parse_label(text) == label


def test_label_from_name():
    assert label_from_name(Path("bad/f1_BAD.fits")) == 1
    assert label_from_name(Path("bad/f1.fits")) == 0


def test_published_fault_9_a_blank_label_counts_as_good(tmp_path):
    labels = table(tmp_path / "labels.csv", "file,label,notes\na.fits,,why\nb.fits,good,\n")
    a, b = tmp_path / "a.fits", tmp_path / "b.fits"
    match = match_labels([labels], [a, b])
    assert match.labels == {b: 0}
    assert a not in match.labels
    assert match.extras == {a: {"notes": "why"}, b: {"notes": ""}}


def test_published_fault_9_a_label_key_strips_leading_digits(tmp_path):
    labels = table(tmp_path / "labels.csv", "file,label\n00001.fits,bad\n00002.fits,good\n")
    files = [tmp_path / "00001.fits", tmp_path / "00002.fits", tmp_path / "1.fits"]
    assert match_labels([labels], files).labels == {files[0]: 1, files[1]: 0}


def test_published_fault_10_extensions_differ_only_where_the_file_is_packed(tmp_path):
    labels = table(
        tmp_path / "labels.csv", "file,label\na.fits,bad\nb.fits,bad\nc.fits,bad\nd.fits,bad\n"
    )
    files = [tmp_path / name for name in ("a.fits.fz", "b.fit", "c.fits", "c.fits.gz")]
    match = match_labels([labels], files)
    assert match.labels == {files[0]: 1, files[2]: 1}
    assert match.unmatched_rows == ["labels.csv: b.fits", "labels.csv: d.fits"]


def test_packed_in_two_ways_is_ambiguous(tmp_path):
    labels = table(tmp_path / "labels.csv", "file,label\na.fits,bad\n")
    with pytest.raises(NightsiftError, match=r"labels\.csv: a\.fits could mean .*gz or .*fz"):
        match_labels([labels], [tmp_path / "a.fits.gz", tmp_path / "a.fits.fz"])


def test_same_file_name_in_two_nights(tmp_path):
    files = [tmp_path / night / "f1.fits" for night in ("n1", "n2")]
    tables = [
        table(tmp_path / "n1" / "labels.csv", "file,label\nf1.fits,bad\n"),
        table(tmp_path / "n2" / "labels.csv", "file,label\nf1.fits,good\n"),
    ]
    assert match_labels(tables, files).labels == {files[0]: 1, files[1]: 0}
    with_paths = table(tmp_path / "labels.csv", "file,label\nn1/f1.fits,bad\nn2\\f1.fits,good\n")
    assert match_labels([with_paths], files).labels == {files[0]: 1, files[1]: 0}
    by_name = table(tmp_path / "labels.csv", "file,label\nf1.fits,bad\n")
    with pytest.raises(NightsiftError, match=r"labels\.csv: f1\.fits could mean .*n1.* or .*n2"):
        match_labels([by_name], files)


def test_a_row_of_an_absent_night_does_not_label_another_night(tmp_path):
    labels = table(tmp_path / "labels.csv", "file,label\nn1/f1.fits,bad\nn2/f1.fits,good\n")
    path = tmp_path / "n2" / "f1.fits"
    match = match_labels([labels], [path])
    assert match.labels == {path: 0}
    assert match.unmatched_rows == ["labels.csv: n1/f1.fits"]


@pytest.mark.parametrize("name", ["/elsewhere/n1/f1.fits", "C:\\data\\n1\\f1.fits", "f1.fits"])
def test_paths_of_another_computer_match_by_name_and_folder(tmp_path, name):
    labels = table(tmp_path / "tables" / "labels.csv", f"path,class\n{name},bad\n")
    path = tmp_path / "n1" / "f1.fits"
    assert match_labels([labels], [path]).labels == {path: 1}


def test_paths_absolute_relative_to_table_and_to_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [tmp_path / "a" / "x.fits", tmp_path / "b" / "x.fits", Path("c") / "x.fits"]
    text = f"file,label\n{files[0]},bad\n../b/x.fits,good\n./c/x.fits,bad\n"
    labels = table(tmp_path / "t" / "labels.csv", text)
    assert match_labels([labels], files).labels == dict(zip(files, (1, 0, 1), strict=True))


def test_linked_file_is_found_by_its_target(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "x.fits").touch()
    link = tmp_path / "y.fits"
    link.symlink_to(tmp_path / "store" / "x.fits")
    labels = table(tmp_path / "labels.csv", "file,label\nstore/x.fits,bad\n")
    assert match_labels([labels], [link]).labels == {link: 1}


def test_contradiction_inside_a_table_and_harmless_repeats(tmp_path):
    path = tmp_path / "a.fits"
    same = table(tmp_path / "labels.csv", "file,label\na.fits,bad\na.fits,1\na.fits,\n")
    assert match_labels([same], [path]).labels == {path: 1}
    both = table(tmp_path / "labels.csv", "file,label\na.fits,bad\na.fits,good\n")
    with pytest.raises(NightsiftError, match=r"labels\.csv: .*a\.fits .* both bad and good"):
        match_labels([both], [path])


def test_the_earlier_table_wins_but_a_label_beats_a_blank(tmp_path, caplog):
    files = [tmp_path / "a.fits", tmp_path / "b.fits"]
    tables = [
        table(tmp_path / "labels.csv", "file,label,notes\na.fits,bad,first\nb.fits,,\n"),
        table(
            tmp_path / "more_labels.csv", "file,label,notes,x\na.fits,good,no,1\nb.fits,good,,\n"
        ),
    ]
    with caplog.at_level(logging.WARNING):
        match = match_labels(tables, files)
    assert match.labels == {files[0]: 1, files[1]: 0}
    assert match.extras[files[0]] == {"notes": "first", "x": "1"}
    assert "more_labels.csv: 1 labels differ" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "file,label\nä.fits,bad\n",
        "\ufefffile,label\nä.fits,bad\n",
        "file;label\r\nä.fits;bad\r\n\r\n",
        "file\tlabel\nä.fits\tbad",
        "FileName, Label \nä.fits,bad\n",
        "file,label\nä.fits,bad\n".encode("latin-1"),
    ],
)
def test_flavours_of_csv(tmp_path, text):
    path = tmp_path / "ä.fits"
    assert match_labels([table(tmp_path / "labels.csv", text)], [path]).labels == {path: 1}


def test_rows_are_kept_as_they_are(tmp_path):
    text = 'x,FILE,label,n\n007,a.fits, Bad ,"1,5"\nNA,b.fits,,\n'
    labels = table(tmp_path / "labels.csv", text)
    assert list(labels.rows.columns) == ["x", "FILE", "label", "n"]
    assert labels.rows.to_numpy().tolist() == [
        ["007", "a.fits", " Bad ", "1,5"],
        ["NA", "b.fits", "", ""],
    ]
    assert (labels.file_column, labels.label_column) == ("FILE", "label")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("file,label\na,bad\nb\n", "line 3: expected 2 cells, found 1"),
        ("file,label\na,bad,note\n", "line 2: expected 2 cells, found 3"),
        ("name,label\n", "expected a column named file, .* or fname, found name, label"),
        ("file,quality\n", "expected a column named label, .* or y, found file, quality"),
        ("file,label,file\n", "same name"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, message):
    with pytest.raises(NightsiftError, match=message):
        table(tmp_path / "labels.csv", text)


def test_missing_table(tmp_path):
    with pytest.raises(NightsiftError, match="No such file"):
        read_label_csv(tmp_path / "labels.csv")


def test_label_tables_are_found_below(tmp_path):
    wanted = ["Labels.CSV", "n2/my_labels_v2.csv", "n10/labels.csv"]
    others = [".labels.csv", "labels.bak.csv", "labels.csv.bak", "n2/predictions.csv"]
    for name in wanted + others:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in find_label_csvs(tmp_path)]
    assert sorted(found) == sorted(wanted)
    assert found.index("n2/my_labels_v2.csv") < found.index("n10/labels.csv")


def test_real_labels_all_find_their_file(shared_nights):
    tables = [read_label_csv(path) for path in find_label_csvs(shared_nights)]
    match = match_labels(tables, find_files(shared_nights))
    assert not match.unmatched_rows
    assert len(match.extras) == sum(len(table.rows) for table in tables)
    assert sum(match.labels.values()) > 30
