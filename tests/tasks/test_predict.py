from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from nightsift import judge
from nightsift.report import pictures
from nightsift.sorting import watching
from nightsift.training.evaluation import COLUMNS
from trees import tree


@pytest.fixture
def mixed(nights: Path) -> Path:
    """Nights with a damaged file, a flat, and a frame that was rejected before."""
    night = nights / "night0"
    (night / "table.fits").write_bytes(b"no frame")
    flat = np.random.default_rng(0).normal(20000, 100, (64, 64)).astype(np.uint16)
    fits.PrimaryHDU(flat, fits.Header({"IMAGETYP": "Flat Field"})).writeto(night / "f.fits")
    (night / "rejected").mkdir()
    fits.PrimaryHDU(flat).writeto(night / "rejected" / "old.fits")
    return nights


def test_a_night_is_sorted_and_nothing_in_it_changes(run_task, mixed):
    before = tree(mixed)
    ended = run_task("predict", str(mixed))
    assert ended.status == 0, ended.err
    assert tree(mixed) == before
    (run,) = Path("outputs/predict").iterdir()
    table = pd.read_csv(run / "predictions.csv", keep_default_na=False)
    assert list(table.columns[:12]) == [*COLUMNS, "verdict", "explanation"]
    by_name = table.set_index(table["file"].map(lambda file: Path(file).name))
    assert by_name.loc["table.fits", "reason"].startswith("unreadable: ")
    assert by_name.loc["f.fits", "reason"] == "left out: a flat frame"
    assert "old.fits" not in by_name.index
    judged = table[table["verdict"] != ""]
    assert set(judged["verdict"]) <= {"good", "review", "bad"}
    assert ((judged["verdict"] == "bad") == (judged["pred"].astype(float) == 1)).all()
    assert (judged.loc[judged["verdict"] != "good", "explanation"] != "").all()
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "table.fits" in page
    listed = [
        (run / "lists" / f"{name}.txt").read_text().split("\n") for name in ("kept", "rejected")
    ]
    assert len(listed[0]) + len(listed[1]) - 2 == len(judged)
    assert list((run / "figures").glob("timeline_*.png"))


def test_bad_frames_move_only_when_told_to_and_come_back(run_task, mixed, monkeypatch):
    before = tree(mixed)
    ended = run_task("predict", str(mixed), "threshold=0", "action=move")
    assert "nothing was: add yes=true" in ended.out
    assert tree(mixed) == before
    ended = run_task("predict", str(mixed), "threshold=0", "action=move", "yes=true")
    assert not list((mixed / "night0").glob("f[0-9]*.fits"))
    record = re.search(r"undo=(\S+)", ended.out)
    assert record is not None
    assert run_task("predict", f"undo={record[1]}").status == 0
    assert tree(mixed) == before


def test_headers_are_written_and_put_back(run_task, nights):
    before = {name: digest for name, (digest, _) in tree(nights).items()}
    ended = run_task("predict", str(nights), "write_header=true", "yes=true")
    record = re.search(r"undo=(\S+)", ended.out)
    assert record is not None
    table = pd.read_csv(next(Path("outputs/predict").glob("*/predictions.csv")))
    for row in table.to_dict("records"):
        header = fits.getheader(row["file"])
        assert header["NSPROB"] == pytest.approx(row["prob_bad"], abs=2e-6)
        assert header["NSBAD"] == (row["pred"] == 1)
    assert run_task("predict", f"undo={record[1]}").status == 0
    assert {name: digest for name, (digest, _) in tree(nights).items()} == before


def test_python_gives_the_verdicts_of_the_command(run_task, nights, tmp_path):
    run_task("predict", str(nights))
    written = pd.read_csv(next(Path("outputs/predict").glob("*/predictions.csv")))
    table = judge(nights, cache_dir=tmp_path / "cache", workers=1).table
    assert list(table["verdict"]) == list(written["verdict"])
    assert list(table["reason"]) == list(written["reason"].fillna(""))
    assert np.allclose(table["prob_bad"], written["prob_bad"], atol=1e-5)
    first = judge(Path(table["file"][0]), threshold=0.0).table
    assert list(first["verdict"]) == ["bad"]


def test_fault_12_each_file_is_decoded_once_and_kept_for_the_next_run(
    run_task, make_night, decoded, monkeypatch
):
    """Verdicts, figures and the pictures of the page; a light curve reads its kept frames again."""

    def never(path: Path) -> None:
        raise AssertionError(f"{path} is decoded for its picture")

    monkeypatch.setattr(pictures, "read_frame", never)
    folder = make_night("n", n=12, bad={3})
    (folder / "broken.fits").write_bytes(b"no frame")
    assert run_task("predict", str(folder), "threshold=0").status == 0
    assert sorted(decoded) == sorted(folder.glob("*.fits"))
    decoded.clear()
    assert run_task("predict", str(folder), "threshold=0.9").status == 0
    assert decoded == [folder / "broken.fits"]


def test_a_night_that_was_rejected_before_is_passed_over_with_its_labels(
    run_task, make_night, tmp_path
):
    """Its label table then names files of which other nights have some of the same name."""
    root = tmp_path / "campaign"
    for seed in range(3):
        make_night(f"n{seed}", n=4, bad={0} if seed else {0, 1, 2, 3}, seed=seed, root=root)
    ended = run_task("predict", str(root / "n0"), "threshold=0", "action=move", "yes=true")
    assert "4 files moved" in ended.out
    ended = run_task("predict", str(root), "out_csv=second.csv")
    assert ended.status == 0, ended.err
    table = pd.read_csv("second.csv")
    assert [Path(file).parent.name for file in table["file"]] == ["n1"] * 4 + ["n2"] * 4
    assert list(table["label"]) == [1, 0, 0, 0] * 2


def test_kept_frames_are_linked_and_a_light_curve_that_cannot_be_is_said(run_task, nights):
    ended = run_task(
        "predict", str(nights / "night0"), "action=link", "kept_folder=kept", "lightcurve=true"
    )
    assert ended.status == 0
    kept = pd.read_csv(next(Path("outputs/predict").glob("*/predictions.csv")))["pred"].eq(0).sum()
    assert len(list(Path("kept").glob("*/*.fits"))) == kept


def test_reasons_are_ignored_and_limits_hold(run_task, nights):
    def judged(*arguments: str) -> pd.DataFrame:
        ended = run_task("predict", str(nights / "night0"), "out_csv=out.csv", *arguments)
        assert ended.status == 0, ended.err
        return pd.read_csv("out.csv", keep_default_na=False)

    plain = judged("threshold=0.01")
    (reason, _), *_ = plain.loc[plain["verdict"] == "bad", "reason"].value_counts().items()
    for given in (f"ignore={reason}", f"ignore=[{reason}]"):
        table = judged("threshold=0.01", given)
        assert (table["verdict"] == "bad").sum() < (plain["verdict"] == "bad").sum()
        assert table["pred"].tolist() == plain["pred"].tolist()
        assert table["explanation"].str.startswith(f"ignored: {reason}").any()
    page = max(Path("outputs/predict").glob("*/report.html")).read_text(encoding="utf-8")
    assert f"ignored: {reason}, which keeps" in page
    table = judged("limits.fwhm_px=1")
    limited = table["explanation"].str.contains("px is above the limit of 1 px that was set")
    assert limited.sum() >= 12
    assert set(table.loc[limited, "verdict"]) == {"bad"}
    table = judged("limits.fwhm_arcsec=1", "limits.pixel_scale_arcsec=0.5")
    assert table["explanation"].str.contains("arcsec is above the limit of 1 arcsec").any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ignore=[cloud,blur]"], "ignore=blur: no such reason; expected some of cloud, trailing"),
        (["limits.elongation=0.9"], "limits.elongation=0.9: expected a number from 1"),
        (["limits.fwhm_px=big"], "limits.fwhm_px: Value 'big'"),
        (["limits.fwhm=3"], "limits.fwhm: Key 'fwhm' not in 'LimitsKeys'"),
        (["limits.fwhm_arcsec=3"], "no header tells the pixel scale .* limits.pixel_scale_arcsec="),
        (["watch=true", "ignore=blur"], "ignore=blur: no such reason"),
        (["watch=true", "limits.background=-1"], "limits.background=-1.0: expected a number above"),
    ],
)
def test_wishes_that_make_no_sense_are_refused_in_one_line(run_task, nights, arguments, message):
    ended = run_task("predict", str(nights / "night0"), *arguments)
    assert ended.status == 2
    assert re.search(message, ended.err), ended.err
    assert ended.err.count("\n") == 1


def test_a_watched_night_ends_in_the_table_of_the_whole_folder(
    run_task, make_night, decoded, monkeypatch
):
    taken = make_night("taken", n=12, bad={4, 5})
    night = taken.parent / "tonight"
    night.mkdir()
    coming = sorted(taken.glob("*.fits"), key=lambda path: int(path.stem[1:]))

    def next_frame(seconds: float) -> None:
        """Instead of waiting: every second look finds one frame more, until Ctrl-C."""
        if not coming and polls[0] % 2:
            raise KeyboardInterrupt
        if polls[0] % 2 == 0 and coming:
            path = coming.pop(0)
            path.rename(night / path.name)
        polls[0] += 1

    polls = [0]
    arguments = (str(night), "watch=true", "out_csv=watched.csv", "ignore=streak")
    with monkeypatch.context() as patch:
        patch.setattr(watching.time, "sleep", next_frame)
        ended = run_task("predict", *arguments)
    assert ended.status == 0, ended.err
    assert len(decoded) == len(set(decoded)) == 12
    for i in range(12):
        lines = [line for line in ended.out.splitlines() if f" f{i + 1}.fits: " in line]
        assert 1 <= len(lines) <= 2
        assert re.match(r"tonight\S*  20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  f", lines[0])
    assert "tonight: pending from f1.fits on" in ended.out
    assert ended.out.index("f9.fits: ") < ended.out.index("verdicts") < ended.out.index("written")
    run_task("predict", str(night), "out_csv=whole.csv", "ignore=streak")
    watched, whole = (pd.read_csv(f"{name}.csv", keep_default_na=False) for name in
                      ("watched", "whole"))  # fmt: skip
    pd.testing.assert_frame_equal(watched, whole, atol=1e-5)


def test_watching_ends_where_a_limit_needs_a_scale_that_no_header_tells(
    run_task, nights, monkeypatch
):
    monkeypatch.setattr(watching.time, "sleep", lambda seconds: None)
    ended = run_task("predict", str(nights / "night0"), "watch=true", "limits.fwhm_arcsec=3")
    assert ended.status == 2
    assert "give limits.pixel_scale_arcsec=" in ended.err
