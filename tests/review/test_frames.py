from __future__ import annotations

import math

import numpy as np
import pytest

from nightsift.errors import NightsiftError
from nightsift.review.frames import read_frames, read_scores

OURS = "file,prob_bad,pred,label,prob_frame,prob_seq,night,time,split,reason,background_adu,fwhm_px"
PUBLISHED = (
    "file,index,median,mean,std,max,xc,yc,disp,fwhm_proxy,streak,flux_jump,date_obs,"
    "candidate_score,flag_any"
)


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_frames_come_in_time_order_and_unreadable_ones_last(make_night, tmp_path):
    folder = make_night("n", n=12)
    (folder / "f1.fits").rename(folder / "z_bad.fits")  # a name tells nothing of the time
    (folder / "a.fits").write_bytes(b"junk")
    frames = read_frames(folder)
    names = [frame.path.name for frame in frames]
    assert names[:3] == ["z_bad.fits", "f2.fits", "f3.fits"]
    assert names[-1] == "a.fits"
    assert [bool(frame.error) for frame in frames] == [False] * 12 + [True]
    assert frames[0].short_name == "z_bad"


def test_real_nights_are_read(shared_nights):
    frames = read_frames(shared_nights / "hatp32")
    assert len(frames) == 142
    times = [frame.time for frame in frames]
    assert times == sorted(times)


def test_our_predictions(tmp_path):
    files = [tmp_path / f"f{i}.fits" for i in range(3)]
    table = write(
        tmp_path / "p.csv",
        OURS,
        f"{files[0]},0.9,1,,0.8,0.3,n,,,cloud,900,3.5",
        "f1.fits,0.2,0,,0.2,,n,,,,,",
        "f2.fits,,,,,,n,,,unreadable: torn,,",
    )
    scores = read_scores(table, files)
    assert scores.probabilities
    assert scores.threshold == pytest.approx(0.55)
    first, second, third = (scores.rows[path] for path in files)
    assert first.score == 0.9
    assert first.flagged is True
    assert first.reason == "cloud"
    assert first.heads == pytest.approx(0.5)
    assert (first.background_adu, first.fwhm_px) == (900, 3.5)
    assert second.flagged is False
    assert math.isnan(second.heads)
    assert third.flagged is None
    assert math.isnan(third.score)
    assert third.reason == "unreadable: torn"


def test_published_candidates(tmp_path):
    files = [tmp_path / f"f{i}.fits" for i in range(2)]
    table = write(
        tmp_path / "c.csv",
        PUBLISHED,
        "f0.fits,0,300,301,20,60000,1,1,0,3,0.1,0,,7.5,True",
        "f1.fits,1,310,301,20,60000,1,1,0,3,0.1,0,,0.5,False",
    )
    scores = read_scores(table, files)
    assert not scores.probabilities
    assert scores.rows[files[0]].flagged is True
    assert scores.rows[files[0]].score == 7.5
    assert scores.rows[files[1]].background_adu == 310
    assert math.isnan(scores.rows[files[1]].fwhm_px)  # fwhm_proxy is no width of a star


def test_no_threshold_where_flags_and_scores_overlap(tmp_path):
    table = write(tmp_path / "p.csv", "file,prob_bad,pred", "a.fits,0.3,1", "b.fits,0.4,0")
    files = [tmp_path / "a.fits", tmp_path / "b.fits"]
    assert math.isnan(read_scores(table, files).threshold)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([""], "empty"),
        (["prob_bad,pred", "1,1"], "expected a column named file"),
        (["file,prob_bad", "other.fits,0.5"], "none of its rows means a file"),
    ],
)
def test_scores_that_cannot_be_used(tmp_path, lines, message):
    with pytest.raises(NightsiftError, match=message):
        read_scores(write(tmp_path / "s.csv", *lines), [tmp_path / "f0.fits"])
    with pytest.raises(NightsiftError, match="cannot read the scores"):
        read_scores(tmp_path / "absent.csv", [])


@pytest.mark.parametrize("text", ["inf", "nan", "", "x"])
def test_what_is_no_number_is_unknown(tmp_path, text):
    table = write(tmp_path / "s.csv", "file,prob_bad", f"a.fits,{text}")
    row = read_scores(table, [tmp_path / "a.fits"]).rows[tmp_path / "a.fits"]
    assert np.isnan(row.score)
