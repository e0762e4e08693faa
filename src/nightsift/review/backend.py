"""Where the window appears: on the screen, in a browser, or in a notebook."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from typing import Any

import matplotlib as mpl

from nightsift.errors import NightsiftError
from nightsift.review.choice import check_choice

log = logging.getLogger(__name__)

BACKENDS = ("auto", "gui", "webagg", "ipympl")
# Toolkits in the order in which they are tried, with the module that each needs.
_TOOLKITS = {
    "QtAgg": ("PySide6", "PyQt6", "PyQt5", "PySide2"),
    "MacOSX": ("matplotlib.backends._macosx",),
    "TkAgg": ("tkinter",),
    "GTK4Agg": ("gi",),
    "WXAgg": ("wx",),
}


def use_backend(wanted: str, *, port: int = 8988) -> str:
    """Make matplotlib use the backend for `wanted`; its name.

    Args:
        wanted: `gui` a window on the screen, `webagg` a page served on this machine, `ipympl`
            a notebook, `auto` the first of these that can work here.
        port: of the page; the next free one is taken.

    Raises:
        NightsiftError: it cannot work here.
    """
    check_choice("backend", wanted, BACKENDS)
    if not 1024 <= port <= 65535:
        raise NightsiftError(f"port={port}: expected 1024 to 65535")
    if wanted == "auto":
        notebook = "ipykernel" in sys.modules and _has("ipympl")
        wanted = "ipympl" if notebook else "gui" if _has_display() else "webagg"
    if wanted == "gui":
        return _toolkit()
    if wanted == "ipympl":
        _need("ipympl", "jupyter")
        name = "module://ipympl.backend_nbagg"
    else:
        _need("tornado", "browser")
        # Only this machine: whoever reaches the page can change labels. From afar: ssh -L.
        mpl.rcParams.update({
            "webagg.address": "127.0.0.1",
            "webagg.port": port,
            "webagg.open_in_browser": _has_display(),
        })  # fmt: skip
        name = "WebAgg"
    mpl.use(name, force=True)
    return name


def open_figure(width: float, height: float) -> Any:
    """A new figure of the backend in use without matplotlib's own tool bar, sizes in inches."""
    import matplotlib.pyplot as plt

    with mpl.rc_context({"toolbar": "None"}):
        return plt.figure("nightsift review", figsize=(width, height), dpi=100)


def run_until_closed() -> None:
    """Hand over to the window system until the window is closed or the page is stopped."""
    import matplotlib.pyplot as plt

    plt.show(block=True)


def _toolkit() -> str:
    import matplotlib.pyplot as plt

    if not _has_display():
        raise NightsiftError(
            "backend=gui needs a display and there is none here: use backend=webagg, which "
            "serves the window to a browser"
        )
    for name, modules in _TOOLKITS.items():
        if any(_has(module) for module in modules):
            try:
                plt.switch_backend(name)
            except Exception as error:  # a toolkit that is there but broken fails in its own way
                log.warning("%s does not work here: %s", name, error)
                continue
            return name
    raise NightsiftError(
        "no window toolkit found: pip install 'nightsift[gui]', or use backend=webagg"
    )


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _need(module: str, extra: str) -> None:
    if not _has(module):
        raise NightsiftError(f"this backend needs {module}: pip install 'nightsift[{extra}]'")


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
