"""The same window under real window systems: a toolkit on a display, and a browser."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from browser import chromium, open_page

from nightsift.errors import NightsiftError
from nightsift.review import backend

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}

# Presses keys and clicks through the toolkit's own event queue, then closes the window.
TOOLKIT = """
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from nightsift.review.backend import open_figure, run_until_closed, use_backend
from nightsift.review.session import open_state, start_thumbnails
from nightsift.review.view import ReviewWindow

night, cache, picture = map(Path, sys.argv[1:])
state = open_state(night, cache_dir=cache)
name = use_backend("gui")
window = ReviewWindow(open_figure(8, 6), state, start_thumbnails(state, cache))
steps = []

def act():
    if not window.pictures.thumbnails.wait([state.path(f) for f in state.page_frames()], 0):
        return
    steps.append(1)
    canvas = window.figure.canvas
    if len(steps) == 3:
        native_press(canvas, "right")
    if len(steps) == 5:
        native_press(canvas, "b")
    if len(steps) == 8:
        window.figure.savefig(picture)
        plt.close("all")

def native_press(canvas, key):
    if name == "TkAgg":
        widget = canvas.get_tk_widget()
        widget.focus_force()
        widget.update()
        widget.event_generate({"right": "<Right>", "b": "<Key-b>"}[key])
    else:
        from matplotlib.backends.qt_compat import QtCore, QtGui, QtWidgets
        code = {"right": QtCore.Qt.Key.Key_Right, "b": QtCore.Qt.Key.Key_B}[key]
        for kind in (QtCore.QEvent.Type.KeyPress, QtCore.QEvent.Type.KeyRelease):
            text = key if len(key) == 1 else ""
            event = QtGui.QKeyEvent(kind, code, QtCore.Qt.KeyboardModifier.NoModifier, text)
            QtWidgets.QApplication.sendEvent(canvas, event)

timer = window.figure.canvas.new_timer(150, [(act, (), {})])
timer.start()
run_until_closed()
window.close()
print(name)
"""


@pytest.mark.skipif(not shutil.which("xvfb-run"), reason="no virtual display (xvfb)")
@pytest.mark.parametrize(("name", "module"), [("TkAgg", "tkinter"), ("QtAgg", "PySide6")])
def test_a_toolkit_on_a_virtual_display(fresh, tmp_path, name, module):
    if not importlib.util.find_spec(module):
        pytest.skip(f"no {module}")
    only = f"import nightsift.review.backend as b; b._TOOLKITS = {{{name!r}: ({module!r},)}}\n"
    command = ["xvfb-run", "-a", "-s", "-screen 0 1280x1024x24", sys.executable]
    command += ["-c", only + TOOLKIT, str(fresh), str(tmp_path / "c"), str(tmp_path / "w.png")]
    # Qt's plug-in for X needs system libraries; without them it draws into memory.
    environment = {**ENVIRONMENT, "QT_QPA_PLATFORM": "offscreen"}
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.strip().endswith(name)
    assert "f2.fits,bad" in (fresh / "labels.csv").read_text()
    assert (tmp_path / "w.png").stat().st_size > 20_000


@pytest.fixture
def served(fresh, tmp_path):
    """The address of a window on `fresh` in a browser."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["backend=webagg", f"port={port}", f"folder={fresh}", f"cache_dir={tmp_path}/c"]
    command = [sys.executable, "-m", "review", *arguments, f"hydra.run.dir={tmp_path}/run"]
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "DISPLAY"}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE) as server:
        address, deadline = f"http://127.0.0.1:{port}/", time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(address).close()
                break
            except OSError:
                assert server.poll() is None, "the server did not start"
                assert time.monotonic() < deadline, "the server did not answer"
                time.sleep(0.1)
        yield address
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
        assert b"bad 1, good 0, unlabelled 29; written: " in server.stdout.read()


@pytest.mark.skipif(chromium() is None, reason="no Chromium")
@pytest.mark.skipif(not importlib.util.find_spec("tornado"), reason="no tornado (extra browser)")
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT")
def test_a_browser_labels_a_frame(served, fresh, tmp_path):
    with open_page(f"{served}1", tmp_path / "profile") as page:
        place = page.wait_for(
            "(() => {const c = document.querySelector('canvas.mpl-canvas');"
            "if (!c || c.width < 600) return null; const r = c.getBoundingClientRect();"
            "return [r.x, r.y, r.width, r.height]})()"
        )
        time.sleep(2)  # pictures arrive
        x, y, width, height = place
        # The tile in the middle of nine; the strip takes the lowest fifth.
        page.click(x + width / 2, y + height * 0.42)
        page.press("b", "KeyB")
        table, deadline = fresh / "labels.csv", time.monotonic() + 10
        while not table.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)  # the label comes first, its colour after it
        page.screenshot(tmp_path / "browser.png")
        assert "f5.fits,bad" in table.read_text()
        assert (tmp_path / "browser.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"wanted": "screen"}, "backend=screen: expected one of auto, gui"),
        ({"wanted": "webagg", "port": 80}, "port=80: expected 1024 to 65535"),
        ({"wanted": "gui"}, "needs a display"),
        ({"wanted": "ipympl"}, r"needs ipympl: pip install 'nightsift\[jupyter\]'"),
        ({"wanted": "auto"}, r"needs tornado: pip install 'nightsift\[browser\]'"),
    ],
)
def test_what_cannot_work_is_said(monkeypatch, keys, message):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(backend, "_has", lambda _module: False)
    monkeypatch.setattr(backend.sys, "platform", "linux")
    with pytest.raises(NightsiftError, match=message):
        backend.use_backend(**keys)
