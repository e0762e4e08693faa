"""How much faster than the plain way: decode for each window and frame, encode whole windows.

    python benchmarks/reading.py evaluate FOLDER [--frames N]
    python benchmarks/reading.py epoch FOLDER
    python benchmarks/reading.py big [--side 4096] [--frames 64] [--plain-frames 4]
    python benchmarks/reading.py memory

Both ways run in one process, one after the other, on the same files with the same model and
the published transform. The plain way is timed on `--plain-frames` windows where the whole
would take many minutes, and scaled; the output says so.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from nightsift.data.cache import TensorCache
from nightsift.data.catalogue import Sources, build_catalogue
from torch import Tensor

from nightsift.data.batches import FrameDataset, RunSampler, WindowDataset, frame_loader
from nightsift.data.windows import centred_windows
from nightsift.look.transforms.published import Published
from nightsift.models.architectures.joint import JointFrameSeqModel
from nightsift.models.card import ModelCard
from nightsift.training.evaluation import predict_catalogue

SIZE, WINDOW, FRAME_BATCH, SEQ_BATCH = 128, 9, 32, 8


def timed(action: Callable[[], object]) -> float:
    """Seconds that `action` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def plain_tensor(path: Path) -> Tensor:
    """One file decoded and normalised as the published scripts do it, (1, S, S)."""
    pixels = fits.getdata(path).astype(np.float32)
    median = np.median(pixels)
    mad = np.median(np.abs(pixels - median))
    x = torch.from_numpy((pixels - median) / (1.4826 * mad + 1e-6))[None, None]
    return torch.nn.functional.interpolate(x, size=(SIZE, SIZE), mode="bilinear")[0]


def chunks(items: list, size: int) -> list[list]:
    """`items` in pieces of `size`."""
    return [items[i : i + size] for i in range(0, len(items), size)]


@torch.inference_mode()
def evaluate_plainly(model: JointFrameSeqModel, files: list[Path], centres: range) -> None:
    """Frames of `centres` one by one, then their windows, every window decoded and encoded."""
    rows = centred_windows(len(files), WINDOW).rows
    for batch in chunks(list(centres), FRAME_BATCH):
        model(torch.stack([plain_tensor(files[i]) for i in batch]))
    steps = torch.arange(WINDOW)
    for batch in chunks(list(centres), SEQ_BATCH):
        for centre in batch:
            model(torch.stack([plain_tensor(files[i]) for i in rows[centre]]), steps[None])


def evaluate_ours(model: JointFrameSeqModel, folder: Path, cache_dir: Path) -> None:
    """As the task does it, from the folder to the table."""
    cache = TensorCache(cache_dir, Published(), img_size=SIZE)
    catalogue = build_catalogue(Sources(seq_dirs=[folder]), cache)
    predict_catalogue(model, ModelCard(), cache, catalogue)


def compare_evaluation(folder: Path, plain_frames: int) -> None:
    """Print seconds and ratio, with an empty and with a filled cache."""
    torch.manual_seed(0)
    model = JointFrameSeqModel().eval()
    files = sorted(path for path in folder.iterdir() if path.suffix.lower().startswith(".fi"))
    centres = range(min(plain_frames, len(files)))
    evaluate_plainly(model, files, range(1))  # warm the disk cache and torch
    plain = timed(lambda: evaluate_plainly(model, files, centres)) * len(files) / len(centres)
    with tempfile.TemporaryDirectory() as cache:
        cold = timed(lambda: evaluate_ours(model, folder, Path(cache)))
        warm = timed(lambda: evaluate_ours(model, folder, Path(cache)))
    scaled = "" if len(centres) == len(files) else f" (scaled from {len(centres)} frames)"
    print(f"{len(files)} frames: plain {plain:.1f} s{scaled}")
    print(f"  empty cache {cold:.2f} s, {plain / cold:.1f} times faster")
    print(f"  filled cache {warm:.2f} s, {plain / warm:.1f} times faster")


def train_epoch(model: JointFrameSeqModel, batches: Callable[[], list]) -> None:
    """One epoch of forward and backward passes; the loss does not matter for the time."""
    for frames, windows in batches():
        model.zero_grad()
        logits = model(frames, windows)
        target = logits.frame if windows is None else logits.seq
        target.square().mean().backward()


def compare_epoch(folder: Path) -> None:
    """Print seconds and ratio of a training epoch after the first."""
    torch.manual_seed(0)
    model = JointFrameSeqModel().train()
    with tempfile.TemporaryDirectory() as where:
        cache = TensorCache(Path(where), Published(), img_size=SIZE)
        (night,) = build_catalogue(Sources(seq_dirs=[folder]), cache).nights
        records = list(night.records)
        for record in records:
            record.label = record.label or 0
        files = [record.path for record in records]
        rows = centred_windows(len(files), WINDOW).rows

        def ours() -> list:
            generator = torch.Generator().manual_seed(0)
            frames = FrameDataset(cache, records)
            loader = frame_loader(frames, batch=FRAME_BATCH, balanced=False, generator=generator)
            windows = WindowDataset(cache, [records], window=WINDOW)
            runs = RunSampler([records], batch=SEQ_BATCH, run_length=SEQ_BATCH, generator=generator)
            yield from ((batch.frames, None) for batch in loader)
            yield from ((w.frames, w.windows) for w in (windows[run] for run in runs))

        def plainly() -> list:
            for batch in chunks(files, FRAME_BATCH):
                yield torch.stack([plain_tensor(path) for path in batch]), None
            for batch in chunks(list(range(len(files))), SEQ_BATCH):
                frames = [plain_tensor(files[i]) for centre in batch for i in rows[centre]]
                yield torch.stack(frames), torch.arange(len(frames)).reshape(-1, WINDOW)

        ours_s = min(timed(lambda: train_epoch(model, ours)) for _ in range(2))
        plain_s = timed(lambda: train_epoch(model, plainly))
    print(f"epoch of {len(files)} frames and windows: plain {plain_s:.1f} s, ours {ours_s:.1f} s")
    print(f"  {plain_s / ours_s:.1f} times faster")


def make_big(folder: Path, side: int, frames: int) -> None:
    """A night of large uint16 frames with stars."""
    rng = np.random.default_rng(0)
    base = rng.normal(1000, 30, (side, side))
    base[rng.integers(0, side, 3000), rng.integers(0, side, 3000)] += 20000
    base = base.astype(np.uint16)
    start = datetime(2025, 1, 1, 20)
    for i in range(frames):
        header = fits.Header({"DATE-OBS": (start + timedelta(minutes=i)).isoformat()})
        fits.writeto(folder / f"f{i:04d}.fits", np.roll(base, 7 * i, axis=1), header)


def measure_memory() -> None:
    """Peak memory of evaluating 400, 1600 and 4800 frames, each in a process of its own."""
    for frames in (400, 1600, 4800):
        command = [sys.executable, __file__, "_memory", "--frames", str(frames), "--side", "256"]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout, end="")


def one_memory(side: int, frames: int) -> None:
    """Evaluate and print the peak of this process."""
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where, "night")
        folder.mkdir()
        make_big(folder, side, 16)
        content = [path.read_bytes() for path in sorted(folder.iterdir())]
        for i in range(16, frames):
            (folder / f"g{i:05d}.fits").write_bytes(content[i % 16])
        evaluate_ours(JointFrameSeqModel().eval(), folder, Path(where, "cache"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{frames} frames: peak {peak:.0f} MiB")


def main() -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["evaluate", "epoch", "big", "memory", "_memory"])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--plain-frames", type=int, default=10_000)
    options = parser.parse_args()
    if options.what == "evaluate":
        compare_evaluation(options.folder, options.plain_frames)
    elif options.what == "epoch":
        compare_epoch(options.folder)
    elif options.what == "memory":
        measure_memory()
    elif options.what == "_memory":
        one_memory(options.side, options.frames)
    else:
        folder = Path(tempfile.mkdtemp())
        try:
            make_big(folder, options.side, options.frames)
            compare_evaluation(folder, min(options.plain_frames, 4))
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
