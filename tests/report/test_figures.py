import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from nightsift.report.figures import (
    night_figure,
    overview_figure,
    precision_recall_figure,
    reliability_figure,
    save_figure,
)

START = datetime(2024, 3, 1, 22, tzinfo=UTC)


def night(n, seed=0):
    rng = np.random.default_rng(seed)
    bad = np.zeros(n)
    bad[n // 2 : n // 2 + max(1, n // 8)] = 1
    prob = np.clip(0.1 + 0.75 * bad + rng.normal(0, 0.05, n), 0, 1)
    label = np.where(rng.random(n) < 0.2, -1, bad)
    return prob, label, [START + timedelta(minutes=i) for i in range(n)]


def heads(n=200):
    prob, _, _ = night(n)
    rng = np.random.default_rng(1)
    seq = np.clip(prob + rng.normal(0, 0.2, n), 0, 1)
    seq[:9] = np.nan
    frame = np.clip(prob + rng.normal(0, 0.2, n), 0, 1)
    return {"frame": frame, "sequence": seq, "fused": prob}, (prob > 0.5).astype(float)


def texts(figure):
    figure.canvas.draw()
    return " | ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


@pytest.mark.parametrize("n", [1, 2, 10, 142, 2000])
def test_a_night_of_any_length_is_drawn(n, tmp_path):
    prob, label, time = night(n)
    save_figure(night_figure("hatp", time, prob, prob, prob, label, 0.5), tmp_path / "night.png")
    assert (tmp_path / "night.png").read_bytes().startswith(b"\x89PNG")


def test_the_title_counts_the_rejected_frames():
    prob, label, time = night(80)
    figure = night_figure("hatp", time, prob, prob, prob, label, 0.5)
    assert f"hatp: {int((prob >= 0.5).sum())} of 80 frames rejected" in texts(figure)


def test_one_unknown_time_gives_frame_numbers():
    prob, label, time = night(30)
    assert "UTC" in night_figure("a", time, prob, prob, prob, label, 0.5).axes[0].get_xlabel()
    figure = night_figure("a", [None, *time[1:]], prob, prob, prob, label, 0.5)
    assert figure.axes[0].get_xlabel() == "frame"


def test_times_are_drawn_in_utc():
    prob, label, time = night(30)
    local = [t.astimezone(timezone(timedelta(hours=9))) for t in time]
    shown, expected = (
        night_figure("a", t, prob, prob, prob, label, 0.5).axes[0].get_xlim() for t in (local, time)
    )
    assert shown == pytest.approx(expected)


def test_a_head_without_probabilities_is_no_obstacle():
    prob, label, time = night(30)
    figure = night_figure("a", time, prob, np.full(30, np.nan), prob, label, 0.5)
    assert "30 frames" in texts(figure)


def test_precision_recall_names_every_head_and_marks_the_threshold():
    probs, label = heads()
    shown = texts(precision_recall_figure(probs, label, 0.5))
    assert all(name in shown for name in probs)
    assert "fused: AP 1.000" in shown
    assert "0.500" in shown


def test_without_a_threshold_nothing_is_rejected_and_no_line_drawn():
    prob, label, time = night(30)
    figure = night_figure("a", time, prob, prob, prob, label, float("nan"))
    assert "a: 30 frames, no threshold" in texts(figure)
    assert "| threshold" not in texts(figure)
    probs, label = heads()
    assert "dot" not in texts(precision_recall_figure(probs, label, float("nan")))


def test_reliability_draws_heads_with_missing_probabilities():
    probs, label = heads()
    figure = reliability_figure(probs, label)
    assert len(figure.axes) == 2
    assert "sequence" in texts(figure)


def test_overview_shows_the_examples():
    prob, label, time = night(60)
    pixels = np.random.default_rng(0).random((16, 16))
    examples = [(i, pixels, f"frame {i}") for i in (3, 31, 50)]
    figure = overview_figure("hatp", time, prob, label, 0.5, examples=examples)
    assert len(figure.axes) == 4
    assert all(f"frame {i}" in texts(figure) for i in (3, 31, 50))


def test_a_failed_write_leaves_the_old_figure(tmp_path, monkeypatch):
    probs, label = heads()
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    figure = reliability_figure(probs, label)

    def full(target, **options):
        target.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(figure, "savefig", full)
    with pytest.raises(OSError, match="no space left"):
        save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_figures_need_neither_pyplot_nor_torch():
    code = (
        "import nightsift.report.sweep, sys; sys.exit('torch' in sys.modules or "
        "'matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
