"""How a synthetic night compares with a real one of the same instrument.

    python benchmarks/realism.py REAL_FOLDER INSTRUMENT OUT.png [--seed N]
    python benchmarks/realism.py --quick

Draws frames of both side by side and the distributions of background, noise, FWHM, elongation
and star counts of their good frames, all measured in the same way; prints the medians.
`--quick` does so with small frames and no real ones, to see that it works.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import sep
from nights import quick_night

from nightsift import simulate_night
from nightsift.fits.folders import find_files
from nightsift.fits.labels import find_label_csvs, match_labels, read_label_csv
from nightsift.fits.reader import read_frame
from nightsift.look.picture import block_means
from nightsift.report.contact_sheet import grey_values
from nightsift.report.figures import STYLE, new_figure, save_figure

MEASURED = ("background_adu", "noise_adu", "fwhm_px", "elongation", "stars", "top_share", "skew")


def measure(path: Path) -> list[float]:
    """The numbers of `MEASURED` for one frame.

    `top_share` is the share of the stars' light in the brightest tenth of them, `skew` that of
    blank pixels: faint stars, warm pixels.
    """
    data = read_frame(path).pixels.astype(np.float64)
    back = sep.Background(data)
    clean = data - back.back()
    stars = sep.extract(clean, 5, err=back.rms())
    light = np.sort(stars["flux"])[::-1]
    blank = clean[np.abs(clean) < 5 * back.globalrms]
    return [
        back.globalback,
        back.globalrms,
        float(np.median(2 * np.sqrt(np.log(2) * (stars["a"] ** 2 + stars["b"] ** 2)))),
        float(np.median(stars["a"] / stars["b"])),
        float(stars.size),
        float(light[: max(1, light.size // 10)].sum() / light.sum()),
        float(np.mean(blank**3) / np.mean(blank**2) ** 1.5),
    ]


def good_frames(folder: Path, most: int) -> list[Path]:
    """Up to `most` frames labelled good, evenly spread."""
    files = find_files(folder)
    match = match_labels([read_label_csv(path) for path in find_label_csvs(folder)], files)
    good = [path for path in files if match.labels.get(path) == 0]
    return [good[i] for i in np.linspace(0, len(good) - 1, min(most, len(good))).astype(int)]


def draw(sides: dict[str, list[Path]], out: Path) -> None:
    """Frames above, distributions below; prints the medians."""
    with mpl.rc_context(STYLE):
        figure = new_figure(14, 11)
        upper, lower = figure.subfigures(2, 1, height_ratios=[3, 1])
        axes = upper.subplots(2, 4)
        plots = lower.subplots(1, len(MEASURED))
        for row, (name, files) in zip(axes, sides.items(), strict=True):
            for axis, i in zip(row, np.linspace(0, len(files) - 1, 4).astype(int), strict=True):
                image = grey_values(block_means(read_frame(files[i]).pixels, 650))
                axis.imshow(image, cmap="gray", origin="lower")
                axis.set(title=name, xticks=[], yticks=[])
            table = np.array([measure(path) for path in files])
            medians = np.median(table, axis=0).round(3).tolist()
            print(name, dict(zip(MEASURED, medians, strict=True)))
            for axis, title, values in zip(plots, MEASURED, table.T, strict=True):
                axis.hist(values, bins=12, histtype="step", label=name)
                axis.set_title(title)
        plots[0].legend()
        save_figure(figure, out)


def compare(real: Path, instrument: str, out: Path, *, seed: int, max_side: int = 0) -> None:
    """Make a clear night of the instrument, and draw it beside the real one."""
    with tempfile.TemporaryDirectory() as where:
        made = simulate_night(
            Path(where, "night"),
            instrument=instrument,
            frames=40,
            bad_fraction=0,
            seed=seed,
            max_side=max_side,
            workers=0,
        )
        sides = {"real": real, "synthetic": made}
        draw({name: good_frames(folder, 40) for name, folder in sides.items()}, out)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real", nargs="?", type=Path)
    parser.add_argument("instrument", nargs="?")
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        with tempfile.TemporaryDirectory() as where:
            real, out = quick_night(Path(where, "real")), Path(where, "out.png")
            compare(real, "wide_0p15m", out, seed=1, max_side=192)
            print(f"{out.stat().st_size} bytes drawn")
    elif options.out is None:
        parser.error("REAL_FOLDER, INSTRUMENT and OUT.png are needed")
    else:
        compare(options.real, options.instrument, options.out, seed=options.seed)


if __name__ == "__main__":
    main()
