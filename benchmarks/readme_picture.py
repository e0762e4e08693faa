"""Draws the picture of the README from a training run on the built-in campaign.

    python benchmarks/readme_picture.py RUN_FOLDER docs/overview.png
    python benchmarks/readme_picture.py --quick

`--quick` draws a small simulated night without a run, to see that it works.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.visualization import AsinhStretch, ImageNormalize, ZScaleInterval
from nights import quick_night

from nightsift import judge
from nightsift.fits.reader import read_frame
from nightsift.models.weights import load_weights
from nightsift.report.figures import overview_figure, save_figure


def stretched(path: Path) -> np.ndarray:
    """Pixels from 0 to 1 as an observer would look at them."""
    pixels = read_frame(path).pixels.astype(float)
    low, high = ZScaleInterval().get_limits(pixels)
    norm = ImageNormalize(vmin=low, vmax=low + 3 * (high - low), stretch=AsinhStretch(0.2))
    return np.clip(norm(pixels).filled(0.0), 0, 1)


def chosen(table: pd.DataFrame) -> list[int]:
    """Three good frames and one of each of the three commonest causes, in order of time."""
    bad = table[table["label"] == 1]
    commonest = bad["cause"].value_counts().index[:3]
    bad = bad[bad["cause"].isin(commonest)].groupby("cause")["prob_bad"].idxmax()
    good = table.index[table["label"] == 0]
    return sorted([*bad, *(good[len(good) * k // 7] for k in (1, 3, 5))])


def draw(table: pd.DataFrame, threshold: float, out: Path) -> None:
    """Draw the first night of a test part, from its predictions."""
    table = table[(table["split"] == "test") & table["prob_seq"].notna()].reset_index(drop=True)
    # Notes of simulated frames read `cause: kind strength unit`.
    table["cause"] = table["notes"].fillna("").str.split(":").str[0].replace("", "good")
    examples = []
    for i in chosen(table):
        caption = f"{table['cause'][i]}: {table['prob_bad'][i]:.2f}"
        examples.append((i, stretched(Path(table["file"][i])), caption))
    figure = overview_figure(
        f"{table['night'][0]}, a night the model has never seen",
        [datetime.fromisoformat(text) for text in table["time"]],
        table["prob_bad"].to_numpy(),
        table["label"].astype("Float64").fillna(-1).to_numpy(dtype=float),
        threshold,
        examples=examples,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, out)


def quick() -> None:
    """Judge a small simulated night with the shipped weights, and draw that."""
    with tempfile.TemporaryDirectory() as where:
        judged, out = judge(quick_night(Path(where, "night"))), Path(where, "out.png")
        draw(judged.table.assign(split="test"), judged.card.threshold, out)
        print(f"{out.stat().st_size} bytes drawn")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        quick()
    elif options.out is None:
        parser.error("RUN_FOLDER and OUT.png are needed")
    else:
        table = pd.read_csv(options.run / "predictions.csv")
        draw(table, load_weights(options.run).card.threshold, options.out)


if __name__ == "__main__":
    main()
