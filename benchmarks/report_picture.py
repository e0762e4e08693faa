"""Draws the picture of the documentation: the page of a sorted night, as a browser shows it.

    python benchmarks/report_picture.py RUN_FOLDER docs/report.png [--height 1500]
    python benchmarks/report_picture.py --quick

Needs Chromium or Chrome. `--quick` draws the page of a small simulated night, to see that it
works.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nights import quick_night

from nightsift import judge
from nightsift.report.night import PAGE

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def draw(browser: str, page: Path, out: Path, height: int) -> None:
    """Let a browser draw a page."""
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", f"--user-data-dir={profile}"]
        command += [f"--window-size=1100,{height}", "--hide-scrollbars"]
        command += [f"--screenshot={out.resolve()}", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--height", type=int, default=1500)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        parser.error(f"none of {', '.join(_BROWSERS)} is installed")
    if options.quick:
        with tempfile.TemporaryDirectory() as where:
            folder = Path(where)
            judge(quick_night(folder / "night")).report(folder / "run")
            draw(browser, folder / "run" / PAGE, folder / "out.png", options.height)
            print(f"{(folder / 'out.png').stat().st_size} bytes drawn")
    elif options.out is None:
        parser.error("RUN_FOLDER and OUT.png are needed")
    else:
        draw(browser, options.run / PAGE, options.out, options.height)


if __name__ == "__main__":
    main()
