"""How fast nights are made, with all defects, on all cores.

Usage: python benchmarks/simulate.py [--frames 100] [INSTRUMENT ...]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from nightsift.simulate.campaign import CampaignSpec, make_campaign
from nightsift.tasks.instruments import load_instruments


def main() -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instruments", nargs="*", default=["c14_0p36m", "rc_0p41m", "survey_1p0m"])
    parser.add_argument("--frames", type=int, default=100)
    options = parser.parse_args()
    for name in options.instruments:
        (instrument,) = load_instruments([name])
        detector = instrument.detector
        # Large frames take a while: a fifth of them is enough to see.
        frames = max(12, options.frames // (5 if detector.width > 2048 else 1))
        spec = CampaignSpec(nights=1, frames_per_night=frames, mixed_frames=0)
        with tempfile.TemporaryDirectory() as where:
            start = time.perf_counter()
            make_campaign(Path(where, "c"), spec, [instrument])
            seconds = time.perf_counter() - start
        print(
            f"{name}: {frames} frames of {detector.width}x{detector.height} in {seconds:.1f} s, "
            f"{seconds / frames:.2f} s a frame",
            flush=True,
        )


if __name__ == "__main__":
    main()
