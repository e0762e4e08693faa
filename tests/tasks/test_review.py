from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest

from nightsift.review import backend


@pytest.fixture
def on_agg(monkeypatch):
    """The window of the task on an Agg canvas; `press` is done once it is open."""
    import matplotlib.pyplot as plt
    from matplotlib.backend_bases import KeyEvent

    before, keys = mpl.get_backend(), list[str]()

    def use(_wanted: str, *, port: int) -> str:
        mpl.use("Agg")
        return f"Agg {port}"

    def run() -> None:
        canvas = plt.gcf().canvas
        for key in keys:
            canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, key))
        plt.close("all")

    monkeypatch.setattr(backend, "use_backend", use)
    monkeypatch.setattr(backend, "run_until_closed", run)
    yield keys
    mpl.use(before)


def test_the_published_options(run_task, make_night, on_agg):
    folder = make_night("My Night, 2025=03", n=6, bad={2})
    on_agg += ["g", "n", *"clear", "enter"]
    ended = run_task(
        "review", f"folder='{folder}'", "csv=labels.csv", "filter=bad", "rows=3", "cols=3"
    )
    assert ended.status == 0
    assert ended.out.startswith("bad 0, good 1, unlabelled 5; written: ")
    assert "clear" in Path("labels.csv").read_text()


def test_a_plain_path_is_enough_and_nothing_else_is_written_there(run_task, make_night, on_agg):
    folder = make_night("night", n=6, bad={2})
    before = {path.name for path in folder.iterdir()}
    assert run_task("review", str(folder)).status == 0
    assert {path.name for path in folder.iterdir()} == before
    on_agg += ["b"]
    assert run_task("review", str(folder), "filter=good", "order=score").status == 0
    assert "bad,note 0,2" in (folder / "labels.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "missing: folder"),
        (["absent"], "absent does not exist"),
        (["empty"], "no FITS files in empty"),
        (["{night}", "rows=7"], "rows=7: expected 1 to 6"),
        (["{night}", "cols=two"], "cols"),
        (["{night}", "filter=best"], "filter=best: expected one of bad"),
        (["{night}", "order=name"], "order=name: expected one of time"),
        (["{night}", "scores=absent.csv"], "absent.csv: cannot read the scores"),
        (["{night}", "csv=picture.png"], "picture.png: expected a label table"),
        (["{night}", "csv=notes.csv"], "notes.csv: expected a column named file"),
        (["{night}", "csv=empty"], "empty"),
        (["{two}"], "has several label tables"),
        (["{night}", "backend=gui"], "needs a display"),
        (["{night}", "backend=screen"], "backend=screen: expected one of auto"),
    ],
)
def test_a_users_error_is_one_line_and_status_2(
    run_task, make_night, monkeypatch, arguments, message
):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(backend.sys, "platform", "linux")
    night, two = make_night("night", n=3), make_night("two", n=3)
    (two / "more_labels.csv").write_text("file,label\n")
    Path("empty").mkdir()
    Path("picture.png").write_bytes(b"\x89PNG\0\0")
    Path("notes.csv").write_text("it was cloudy\n")
    ended = run_task("review", *(argument.format(night=night, two=two) for argument in arguments))
    assert ended.status == 2
    assert message in ended.err.strip().splitlines()[-1]
    assert Path("notes.csv").read_text() == "it was cloudy\n"
