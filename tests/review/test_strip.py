from __future__ import annotations

import csv

import numpy as np

from nightsift.review.strip import lanes


def test_lanes_are_what_there_are_values_for(open_hand, fresh, tmp_path):
    table = tmp_path / "p.csv"
    with table.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["file", "prob_bad", "pred", "transparency"])
        out.writerows([f"f{i + 1}.fits", i / 30, int(i > 15), 1 - i / 60] for i in range(30))
    with_scores = open_hand(fresh, scores=table)
    found = lanes(with_scores.state, [float("nan")] * 30)
    assert [lane.name for lane in found] == ["P(bad)", "transp."]
    assert (found[0].low, found[0].high) == (0, 1)
    without = open_hand(fresh)
    assert lanes(without.state, [float("nan")] * 30) == []
    assert [lane.name for lane in lanes(without.state, list(range(30)))] == ["sky ADU"]


def test_flagged_frames_are_marked_and_the_cursor_follows(open_hand, fresh, tmp_path):
    table = tmp_path / "p.csv"
    table.write_text("file,prob_bad,pred\n" + "".join(
        f"f{i + 1}.fits,{0.9 if i == 20 else 0.1},{int(i == 20)}\n" for i in range(30)
    ))  # fmt: skip
    hand = open_hand(fresh, scores=table)
    image = hand.look()
    x, _ = hand.strip(20)
    bounds = hand.window.painter.strip.axes.bbox
    top = image.shape[0] - round(bounds.y1)
    lane = image[top : top + round(bounds.height * 0.86), round(x) - 6 : round(x) + 7, :3]
    red = (lane[..., 0] > 150) & (lane[..., 2] < 80)
    assert red.any()
    hand.press("end")
    assert hand.window.painter.strip._cursor.get_xdata()[0] == 29
    hand.press("b")
    ticks = hand.window.painter.strip._ticks_of[1].get_xdata()
    assert np.unique(ticks[np.isfinite(ticks)]).tolist() == [29]
