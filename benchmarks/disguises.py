"""Whether the verdict stays the same when the same night comes from another kind of camera.

    python benchmarks/disguises.py NIGHTS WORK_FOLDER [--ckpt pretrained]
    python benchmarks/disguises.py --quick

NIGHTS is a folder of labelled nights. Each disguise rewrites every frame into WORK_FOLDER: other
units, other readers, colour matrices, turned, binned, cut. The table gives for each the recall
and false rejection at the shipped threshold and the share of frames with the same verdict as the
frames as they are. `--quick` does so on a small simulated night, to see that it works.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from astropy.io import fits
from nights import quick_night
from unseen import read

from nightsift.fits.reader import is_fits_name, read_frame
from nightsift.look.reduction import pixel_noise
from nightsift.look.statistics import quick_median
from nightsift.metrics.scores import binary_scores
from nightsift.metrics.threshold import is_bad
from nightsift.models.weights import LoadedModel, load_weights
from nightsift.training.evaluation import score_nights

Pixels = npt.NDArray[Any]


def as_it_is(pixels: Pixels) -> Pixels:
    """No disguise."""
    return pixels


def unit_floats(pixels: Pixels) -> Pixels:
    """Floats between 0 and 1, as Siril and PixInsight write."""
    return (pixels / 65535).astype(np.float32)


def calibrated(pixels: Pixels) -> Pixels:
    """Without bias and sky, so that half of the pixels are negative."""
    values = pixels.astype(np.float32)
    return values - quick_median(values)


def electrons_per_second(pixels: Pixels) -> Pixels:
    """Small floats."""
    return pixels.astype(np.float32) * np.float32(1.3 / 120)


def coarse_steps(pixels: Pixels) -> Pixels:
    """A converter whose step is one and a half times the noise."""
    step = max(1.0, 1.5 * pixel_noise(pixels))
    return np.clip(pixels / step, 0, 65535).astype(np.uint16)


def colour_matrix(pixels: Pixels) -> Pixels:
    """A raw RGGB frame: three kinds of pixels of unlike response."""
    values = pixels.astype(np.float32)
    dark = np.float32(values.min())
    out = values - dark
    out[0::2, 0::2] *= 0.7
    out[1::2, 1::2] *= 0.45
    return np.clip(out + dark, 0, 65535).astype(np.uint16)


def turned(pixels: Pixels) -> Pixels:
    """By 90 degrees."""
    return np.ascontiguousarray(np.rot90(pixels))


def mirrored(pixels: Pixels) -> Pixels:
    """Left and right exchanged."""
    return np.ascontiguousarray(pixels[:, ::-1])


def binned(pixels: Pixels) -> Pixels:
    """Sums of 2 x 2 as 16 bits."""
    h, w = (length // 2 for length in pixels.shape)
    sums = pixels[: 2 * h, : 2 * w].reshape(h, 2, w, 2).astype(np.float64).sum(axis=(1, 3))
    return np.clip(sums, 0, 65535).astype(np.uint16)


def cut_out(pixels: Pixels) -> Pixels:
    """The middle of the field alone."""
    h, w = pixels.shape
    return np.ascontiguousarray(pixels[h // 5 : -h // 5, w // 5 : -w // 5])


def with_overscan(pixels: Pixels) -> Pixels:
    """A margin at the level of the bias, as from an untrimmed camera."""
    out = np.full((pixels.shape[0], pixels.shape[1] + 24), float(pixels.min()), dtype=np.float32)
    out[:, :-24] = pixels
    return out + np.random.default_rng(0).normal(0, 3, out.shape).astype(np.float32)


DISGUISES: dict[str, Callable[[Pixels], Pixels]] = {
    function.__name__.replace("_", " "): function
    for function in (
        as_it_is,
        unit_floats,
        calibrated,
        electrons_per_second,
        coarse_steps,
        colour_matrix,
        turned,
        mirrored,
        binned,
        cut_out,
        with_overscan,
    )
}


def rewrite(nights: Path, out: Path, disguise: Callable[[Pixels], Pixels]) -> None:
    """Every frame and label table below `nights` to the same place below `out`."""
    for path in sorted(nights.rglob("*")):
        target = out / path.relative_to(nights)
        if path.is_dir() or target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not is_fits_name(path):
            shutil.copyfile(path, target)
            continue
        frame = read_frame(path)
        header = fits.getheader(path)
        for key in ("BZERO", "BSCALE", "BLANK", "BITPIX", "NAXIS1", "NAXIS2"):
            header.remove(key, ignore_missing=True)
        hdu = fits.PrimaryHDU(disguise(frame.pixels), header)
        hdu.writeto(target.with_suffix(".fits"), output_verify="silentfix", overwrite=True)
        if target.suffix != ".fits":
            target.with_suffix(".fits").rename(target)


def judged(folder: Path, loaded: LoadedModel, cache_dir: Path) -> pd.DataFrame:
    """Predictions with `bad`, by path below `folder`."""
    table = score_nights(loaded, read(folder, loaded.card, cache_dir))
    table.index = pd.Index([str(Path(file).relative_to(folder)) for file in table["file"]])
    return table.assign(bad=is_bad(table["prob_bad"].to_numpy(), loaded.card.threshold))


def compare(nights: Path, work: Path, loaded: LoadedModel) -> None:
    """Print a line for each disguise."""
    plain: pd.Series | None = None
    for name, disguise in DISGUISES.items():
        folder = work / name.replace(" ", "_")
        rewrite(nights, folder / "nights", disguise)
        table = judged(folder / "nights", loaded, folder / "cache")
        plain = table["bad"] if plain is None else plain
        known = table[table["label"].notna() & table["prob_bad"].notna()]
        prob, label = known["prob_bad"].to_numpy(), known["label"].to_numpy(dtype=float)
        found = binary_scores(prob, label, loaded.card.threshold)
        print(
            f"{name:22s} AP {float(found['average_precision']):.3f}"
            f"  recall {float(found['recall']):.3f}"
            f"  false rejection {known['bad'][label == 0].mean():.3f}"
            f"  same verdict {(table['bad'] == plain.reindex(table.index)).mean():.3f}",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nights", nargs="?", type=Path)
    parser.add_argument("work", nargs="?", type=Path)
    parser.add_argument("--ckpt", default="pretrained")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    loaded = load_weights(options.ckpt)
    if options.quick:
        with tempfile.TemporaryDirectory() as where:
            compare(quick_night(Path(where, "night")), Path(where, "work"), loaded)
    elif options.work is None:
        parser.error("NIGHTS and WORK_FOLDER are needed")
    else:
        compare(options.nights, options.work, loaded)


if __name__ == "__main__":
    main()
