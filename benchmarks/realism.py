"""How a synthetic night compares with a real one of the same instrument.

    python benchmarks/realism.py REAL_FOLDER INSTRUMENT OUT.png [--seed N]

Draws frames of both side by side and the distributions of background, noise, FWHM, elongation
and star counts of their good frames, all measured in the same way; prints the medians.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
import sep

from nightsift.fits.folders import find_files
from nightsift.fits.labels import find_label_csvs, match_labels, read_label_csv
from nightsift.fits.reader import read_frame
from nightsift.report.contact_sheet import thumbnail
from nightsift.report.figures import STYLE, new_figure, save_figure
from nightsift.simulate.campaign import CampaignSpec, make_campaign
from nightsift.tasks.instruments import load_instruments

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


def main() -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real", type=Path)
    parser.add_argument("instrument")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as where:
        spec = CampaignSpec(
            nights=1, frames_per_night=40, mixed_frames=0, bad_fraction=0.0, seed=options.seed
        )
        made = make_campaign(Path(where, "c"), spec, load_instruments([options.instrument]))
        sides = {"real": options.real, "synthetic": made.seq_dir}
        draw({name: good_frames(folder, 40) for name, folder in sides.items()}, options.out)


def draw(sides: dict[str, list[Path]], out: Path) -> None:
    """Frames above, distributions below; prints the medians."""
    with mpl.rc_context(STYLE):
        figure = new_figure(14, 11)
        upper, lower = figure.subfigures(2, 1, height_ratios=[3, 1])
        axes = upper.subplots(2, 4)
        plots = lower.subplots(1, len(MEASURED))
        for row, (name, files) in zip(axes, sides.items(), strict=True):
            for axis, i in zip(row, np.linspace(0, len(files) - 1, 4).astype(int), strict=True):
                image = thumbnail(read_frame(files[i]).pixels, 650)
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


if __name__ == "__main__":
    main()
