from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

PUBLISHED = "file,index,median,mean,std,max,xc,yc,disp,fwhm_proxy,streak,flux_jump,date_obs"


@pytest.fixture
def night(make_night) -> Path:
    """Ten frames of which two are bad, a file that is none, and a hidden one."""
    folder = make_night("my night=1", n=10, bad={3, 7}, side=96)
    (folder / "broken.fits").write_bytes(b"no image")
    (folder / "._f1.fits").write_bytes(b"")
    return folder


def run_folder() -> Path:
    (folder,) = Path("outputs/heuristics").iterdir()
    return folder


def test_fault_7_the_default_output_names_work(run_task, night):
    ended = run_task("heuristics", str(night))
    assert ended.status == 0, ended.err
    features = pd.read_csv(run_folder() / "features.csv")
    candidates = pd.read_csv(run_folder() / "candidates.csv")
    assert ",".join(features.columns[:13]) == PUBLISHED
    assert ",".join(candidates.columns[:15]) == f"{PUBLISHED},candidate_score,flag_any"
    assert len(features) == len(candidates) == 11
    assert candidates["candidate_score"].is_monotonic_decreasing
    assert candidates["explanation"][0] == "unreadable: not FITS"
    assert set(candidates["file"][1:3]) == {str(night / "f4.fits"), str(night / "f8.fits")}
    assert "1 of 11 files hold no frame" in ended.out
    for picture in ("candidates.png", "features_my_night_1.png"):
        with Image.open(run_folder() / "figures" / picture) as image:
            assert min(image.size) > 300


def test_fault_7_output_names_without_a_folder_work(run_task, night):
    ended = run_task("heuristics", str(night), "out_features=f.csv", "out_candidates=sub/c.csv")
    assert ended.status == 0, ended.err
    assert Path("f.csv").is_file()
    assert Path("sub/c.csv").is_file()
    assert not list(Path().rglob("*.part"))


def test_the_prior_folder_holds_the_worst_frames_first(run_task, night):
    before = {path: path.read_bytes() for path in night.iterdir()}
    assert run_task("heuristics", str(night), "top_n=3", "prior_folder=prior").status == 0
    names = sorted(path.name for path in Path("prior").iterdir())
    assert [name[:4] for name in names] == ["001_", "002_", "003_"]
    assert {name[4:] for name in names[:2]} == {"f4.fits", "f8.fits"}
    for name in names:
        assert (Path("prior") / name).read_bytes() == before[night / name[4:]]
    again = run_task("heuristics", str(night), "prior_folder=prior")
    assert again.status == 2
    assert "prior is not empty: give a new folder" in again.err
    assert {path: path.read_bytes() for path in night.iterdir()} == before


def test_the_prior_folder_has_copies_where_links_fail(run_task, night, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise OSError("no right to link")

    monkeypatch.setattr(Path, "symlink_to", refused)
    assert run_task("heuristics", str(night), "top_n=2", "prior_folder=prior").status == 0
    assert len(list(Path("prior").iterdir())) == 2
    assert not any(path.is_symlink() for path in Path("prior").iterdir())


def test_the_second_run_decodes_nothing_again(run_task, night, decoded):
    assert run_task("heuristics", str(night)).status == 0
    assert sorted(decoded) == sorted([*night.glob("f*.fits"), night / "broken.fits"])
    decoded.clear()
    assert run_task("heuristics", str(night)).status == 0
    assert decoded == [night / "broken.fits"]  # it may have been on its way


def test_what_prediction_has_read_is_not_read_again(run_task, night, decoded):
    assert run_task("predict", str(night)).status == 0
    decoded.clear()
    assert run_task("heuristics", str(night)).status == 0
    assert decoded == [night / "broken.fits"]


def test_the_published_formula_runs(run_task, night):
    assert run_task("heuristics", str(night), "heuristics=published").status == 0
    candidates = pd.read_csv(run_folder() / "candidates.csv")
    assert len(candidates) == 11
    assert candidates["streak"].dropna().between(0.05, 0.15).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_folder"], "no_such_folder does not exist"),
        ([], "missing: folder=..."),
        (["{night}", "top_n=0"], "top_n must be at least 1"),
        (["{night}", "+heuristics.weights.clouds=2"], "clouds is no reason"),
        (["{night}", "heuristics=other"], "other"),
    ],
)
def test_user_errors_are_one_line_and_status_2(run_task, night, arguments, message):
    ended = run_task("heuristics", *[item.format(night=night) for item in arguments])
    assert ended.status == 2
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_limits_flag_what_is_beyond_them(run_task, make_night):
    folder = make_night("n", n=8)
    ended = run_task("heuristics", str(folder), "out_candidates=c.csv", "limits.fwhm_px=1")
    assert ended.status == 0, ended.err
    table = pd.read_csv("c.csv")
    assert table["flag_any"].tolist() == [1] * 8
    assert table["explanation"].str.contains("is above the limit of 1 px that was set").all()
    ended = run_task("heuristics", str(folder), "limits.transparency=2")
    assert ended.status == 2
    assert "limits.transparency=2.0: expected a share above 0 and up to 1" in ended.err
