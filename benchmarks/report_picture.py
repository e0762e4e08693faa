"""Draws the picture of the documentation: the page of a sorted night, as a browser shows it.

    python benchmarks/report_picture.py RUN_FOLDER docs/report.png [--height 1500]

Needs Chromium or Chrome.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from nightsift.report.night import PAGE

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--height", type=int, default=1500)
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        parser.error(f"none of {', '.join(_BROWSERS)} is installed")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", f"--user-data-dir={profile}"]
        command += [f"--window-size=1100,{options.height}", "--hide-scrollbars"]
        command += [f"--screenshot={options.out.resolve()}"]
        command += [(options.run / PAGE).resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main()
