from __future__ import annotations

import io
import logging
import sys

import pytest

from nightsift.tasks import progress
from nightsift.tasks.progress import progress_bar


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch, caplog) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    caplog.set_level(logging.INFO, progress.log.name)
    return clock


def read(clock: Clock, *, n: int, seconds: float) -> None:
    with progress_bar("reading frames") as update:
        for done in range(1, n + 1):
            clock.now += seconds
            update(done, n)


@pytest.mark.parametrize(
    ("n", "seconds", "lines"),
    [
        (400, 0.01, ["400 of 400"]),
        (40, 1.0, ["10 of 40", "20 of 40", "30 of 40", "40 of 40"]),
        (25, 1.0, ["10 of 25", "20 of 25", "25 of 25"]),
        (3, 60.0, ["1 of 3", "2 of 3", "3 of 3"]),
        (0, 1.0, []),
    ],
)
def test_without_a_terminal_a_line_is_logged_every_ten_seconds_and_at_the_end(
    clock, caplog, capsys, n, seconds, lines
):
    read(clock, n=n, seconds=seconds)
    assert caplog.messages == [f"reading frames: {line}" for line in lines]
    assert "━" not in capsys.readouterr().err


def test_what_fails_does_not_say_that_it_ended(clock, caplog):
    def fail() -> None:
        with progress_bar("reading frames") as update:
            update(1, 2)
            raise ValueError("a damaged file")

    with pytest.raises(ValueError, match="a damaged file"):
        fail()
    assert caplog.messages == []


def test_a_terminal_gets_a_bar_and_the_log_nothing(clock, caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    read(clock, n=40, seconds=1.0)
    assert "reading frames" in sys.stderr.getvalue()
    assert "40/40" in sys.stderr.getvalue()
    assert "━" in sys.stderr.getvalue()
    assert caplog.messages == []
