"""What the weights were made with."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path

PACKAGES = ("nightsift", "torch", "pytorch-lightning", "numpy", "astropy", "sep")


def versions() -> dict[str, str]:
    """Versions of Python and the packages that shape the numbers, and the git commit if any."""
    found = {"python": platform.python_version(), "git_commit": _git_commit()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _git_commit() -> str:
    """Commit of the checkout this file lies in; empty for an installed wheel."""
    here = Path(__file__).parents[3]
    if not (here / ".git").exists():
        return ""
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip()
