"""Where the files lie that ship with the package."""

from __future__ import annotations

from pathlib import Path

PACKAGED = Path(__file__).parent / "conf"
CHECKOUT = Path(__file__).parents[2] / "conf"


def conf_dir() -> Path:
    """The folder of configuration files: packaged in a wheel, else the checkout's."""
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT
