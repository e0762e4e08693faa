"""How much faster than the plain way: decode for each window and frame, encode whole windows.

    python benchmarks/reading.py evaluate FOLDER [--plain-frames N]
    python benchmarks/reading.py epoch FOLDER
    python benchmarks/reading.py big [--side 4096] [--frames 64] [--plain-frames 4]
    python benchmarks/reading.py memory
    python benchmarks/reading.py --quick

Both ways run in one process, one after the other, on the same files with the same model and
the published transform. The plain way is timed on `--plain-frames` windows where the whole
would take many minutes, and scaled; the output says so. `--quick` runs everything once on a few
small frames, to see that it works.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from astropy.io import fits
from nights import large_night, quick_night
from timing import peak_mib, timed
from torch import Tensor

from nightsift.data.split import SplitSpec
from nightsift.data.windows import centred_windows
from nightsift.fits.folders import find_files
from nightsift.look.store import LookStore
from nightsift.look.transforms.published import Published
from nightsift.models.architectures.joint import JointFrameSeqModel
from nightsift.models.card import ModelCard
from nightsift.models.weights import LoadedModel
from nightsift.night.night import Night
from nightsift.night.reading import read_nights
from nightsift.night.sources import Sources
from nightsift.training.card import wanted_by
from nightsift.training.evaluation import score_nights

if TYPE_CHECKING:
    from nightsift.data.datamodule import NightsDataModule

WINDOW, FRAME_BATCH, SEQ_BATCH = 9, 32, 8


def plain_tensor(path: Path, size: int) -> Tensor:
    """One file decoded and normalised as the published scripts do it, (1, S, S)."""
    pixels = fits.getdata(path).astype(np.float32)
    median = np.median(pixels)
    mad = np.median(np.abs(pixels - median))
    x = torch.from_numpy((pixels - median) / (1.4826 * mad + 1e-6))[None, None]
    return torch.nn.functional.interpolate(x, size=(size, size), mode="bilinear")[0]


def chunks(items: Sequence, size: int) -> list:
    """`items` in pieces of `size`."""
    return [items[i : i + size] for i in range(0, len(items), size)]


@torch.inference_mode()
def evaluate_plainly(
    model: JointFrameSeqModel, files: list[Path], centres: range, size: int
) -> None:
    """Frames of `centres` one by one, then their windows, every window decoded and encoded."""
    rows = centred_windows(len(files), WINDOW).rows
    for batch in chunks(centres, FRAME_BATCH):
        model(torch.stack([plain_tensor(files[i], size) for i in batch]))
    steps = torch.arange(WINDOW)
    for centre in centres:
        model(torch.stack([plain_tensor(files[i], size) for i in rows[centre]]), steps[None])


def evaluate_ours(model: JointFrameSeqModel, folder: Path, cache_dir: Path, size: int) -> None:
    """As the task does it, from the folder to the table."""
    card = ModelCard(img_size=size, window=WINDOW)
    sources, store = Sources(seq_dirs=[folder]), LookStore(cache_dir)
    nights = read_nights(sources, wanted_by(card), store, processes=True)
    score_nights(LoadedModel(model, card), nights, batch=FRAME_BATCH)


def compare_evaluation(folder: Path, plain_frames: int, size: int) -> None:
    """Print seconds and ratio, with an empty and with a filled cache."""
    torch.manual_seed(0)
    model = JointFrameSeqModel().eval()
    files = find_files(folder)
    centres = range(min(plain_frames, len(files)))
    evaluate_plainly(model, files, range(1), size)  # warm the disk cache and torch
    part = timed(lambda: evaluate_plainly(model, files, centres, size)).wall_s
    plain = part * len(files) / len(centres)
    with tempfile.TemporaryDirectory() as cache:
        cold = timed(lambda: evaluate_ours(model, folder, Path(cache), size)).wall_s
        warm = timed(lambda: evaluate_ours(model, folder, Path(cache), size)).wall_s
    scaled = "" if len(centres) == len(files) else f" (scaled from {len(centres)} frames)"
    print(f"{len(files)} frames: plain {plain:.1f} s{scaled}")
    print(f"  empty cache {cold:.2f} s, {plain / cold:.1f} times faster")
    print(f"  filled cache {warm:.2f} s, {plain / warm:.1f} times faster")


def train_epoch(model: JointFrameSeqModel, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
    """One epoch of forward and backward passes; the loss does not matter for the time."""
    for frames, windows in batches:
        model.zero_grad()
        logits = model(frames, windows)
        target = logits.frame if windows is None else logits.seq
        target.square().mean().backward()


def our_batches(data: NightsDataModule) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Frames alone, and frames with their windows, as training is given them."""
    for batch, *_ in data.train_dataloader():
        if (frames := batch.get("frames")) is not None:
            yield frames.frames, None
        if (windows := batch.get("windows")) is not None:
            yield windows.frames.frames, windows.windows


def plain_batches(nights: Sequence[Night], size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """The same labelled frames and the windows centred on them, decoded for each."""
    for night in nights:
        labelled = np.flatnonzero(night.label_values >= 0)
        rows = centred_windows(len(night), WINDOW).rows
        for batch in chunks(labelled, FRAME_BATCH):
            yield torch.stack([plain_tensor(night.files[i], size) for i in batch]), None
        for batch in chunks(labelled, SEQ_BATCH):
            frames = [plain_tensor(night.files[i], size) for i in rows[batch].ravel()]
            yield torch.stack(frames), torch.arange(len(frames)).reshape(-1, WINDOW)


def compare_epoch(folder: Path, size: int) -> None:
    """Print seconds and ratio of a training epoch after the first."""
    # Lightning would add to what `memory` measures.
    from nightsift.data.datamodule import NightsDataModule

    torch.manual_seed(0)
    model = JointFrameSeqModel().train()
    with tempfile.TemporaryDirectory() as cache:
        data = NightsDataModule(
            [folder],
            transform=Published(),
            img_size=size,
            window=WINDOW,
            frame_batch=FRAME_BATCH,
            seq_batch=SEQ_BATCH,
            run_length=SEQ_BATCH,
            labels_from_names=True,
            split=SplitSpec(val_fraction=0, test_fraction=0),
            cache_dir=cache,
        )
        data.setup("test")  # "fit" would ask for a validation part
        ours = min(timed(lambda: train_epoch(model, our_batches(data))) for _ in range(2))
    nights = data.nights.nights
    plain = timed(lambda: train_epoch(model, plain_batches(nights, size)))
    labelled = sum(int((night.label_values >= 0).sum()) for night in nights)
    times = f"plain {plain.wall_s:.1f} s, ours {ours.wall_s:.1f} s"
    print(f"epoch of {labelled} frames and windows: {times}")
    busy = plain.processor_s / ours.processor_s
    print(f"  {plain.wall_s / ours.wall_s:.1f} times faster, {busy:.1f} by processor time")


def measure_memory(counts: Sequence[int], size: int) -> None:
    """Peak memory of evaluating so many frames, each count in a process of its own."""
    for frames in counts:
        command = [sys.executable, __file__, "_memory", "--frames", str(frames), "--side", "256"]
        command += ["--img-size", str(size)]
        print(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout, end="")


def one_memory(side: int, frames: int, size: int) -> None:
    """Evaluate and print the peak of this process."""
    with tempfile.TemporaryDirectory() as where:
        folder = large_night(Path(where, "night"), min(16, frames), side)
        content = [path.read_bytes() for path in sorted(folder.iterdir())]
        for i in range(16, frames):
            (folder / f"g{i:05d}.fits").write_bytes(content[i % 16])
        evaluate_ours(JointFrameSeqModel().eval(), folder, Path(where, "cache"), size)
    print(f"{frames} frames: peak {peak_mib():.0f} MiB")


def quick() -> None:
    """Everything once."""
    with tempfile.TemporaryDirectory() as where:
        folder = quick_night(Path(where, "night"))
        compare_evaluation(folder, 2, size=32)
        compare_epoch(folder, size=32)
        compare_evaluation(large_night(Path(where, "big"), 3, 256), 1, size=32)
    measure_memory([4], size=32)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=["evaluate", "epoch", "big", "memory", "_memory"]
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--plain-frames", type=int)
    parser.add_argument("--img-size", type=int, default=128)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        quick()
    elif options.what == "memory":
        measure_memory([400, 1600, 4800], options.img_size)
    elif options.what == "_memory":
        one_memory(options.side, options.frames, options.img_size)
    elif options.what == "big":
        with tempfile.TemporaryDirectory() as where:
            folder = large_night(Path(where, "night"), options.frames, options.side)
            compare_evaluation(folder, options.plain_frames or 4, options.img_size)
    elif options.folder is None:
        parser.error("which FOLDER?")
    elif options.what == "epoch":
        compare_epoch(options.folder, options.img_size)
    else:
        compare_evaluation(options.folder, options.plain_frames or 10_000, options.img_size)


if __name__ == "__main__":
    main()
