"""How fast nights are made, with all defects, on all cores.

    python benchmarks/simulate.py [--frames 100] [INSTRUMENT ...]
    python benchmarks/simulate.py --quick

`--quick` makes a few small frames, to see that it works.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from timing import timed

from nightsift import simulate_night
from nightsift.simulate.instrument_files import read_instruments


def measure(instrument: str, frames: int, max_side: int = 0) -> None:
    """Print what a night of one instrument takes."""
    with tempfile.TemporaryDirectory() as where:
        night = {"instrument": instrument, "frames": frames, "max_side": max_side, "workers": 0}
        seconds = timed(lambda: simulate_night(Path(where, "night"), **night)).wall_s
    (detector,) = (found.detector for found in read_instruments([instrument]))
    width, height = (min(side, max_side or side) for side in (detector.width, detector.height))
    print(
        f"{instrument}: {frames} frames of {width}x{height} in {seconds:.1f} s, "
        f"{seconds / frames:.2f} s a frame",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instruments", nargs="*", default=["c14_0p36m", "rc_0p41m", "survey_1p0m"])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        measure("wide_0p15m", 12, max_side=128)
        return
    for name in options.instruments:
        (instrument,) = read_instruments([name])
        # Large frames take a while: a fifth of them is enough to see.
        share = 5 if instrument.detector.width > 2048 else 1
        measure(name, max(12, options.frames // share))


if __name__ == "__main__":
    main()
