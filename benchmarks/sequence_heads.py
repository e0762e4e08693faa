"""Which sequence head is best: gru, tcn or attention, over the same embeddings.

    python benchmarks/sequence_heads.py [CKPT] --train DIR --test DIR [--cache DIR]
    python benchmarks/sequence_heads.py --quick

Frames are embedded once with the weights; then each head is trained alone on windows of the
training nights, three times from different seeds, and measured on the centre of every window of
the test nights. `--quick` does so once on two small simulated nights, to see that it works.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from nights import quick_night
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from nightsift.data.batches import make_member, night_batch
from nightsift.data.inputs import compute_inputs
from nightsift.look.store import LookStore
from nightsift.metrics.scores import binary_scores
from nightsift.models.sequences import SEQUENCES
from nightsift.models.weights import LoadedModel, load_weights
from nightsift.night.night import UNLABELLED
from nightsift.night.reading import read_nights
from nightsift.night.sources import Sources
from nightsift.training.card import input_spec, wanted_by

_EPOCHS, _BATCH, _HIDDEN = 15, 64, 48


class Head(nn.Module):
    """A sequence encoder and its linear layer."""

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.sequence = SEQUENCES[name](width, _HIDDEN)
        self.out = nn.Linear(self.sequence.outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (W, T) of windows (W, T, E)."""
        logits: Tensor = self.out(self.sequence(x))
        return logits.squeeze(-1)


@torch.inference_mode()
def windows_of(
    folder: Path, loaded: LoadedModel, cache_dir: Path, window: int
) -> tuple[Tensor, Tensor]:
    """Embeddings (W, T, E) and labels (W, T) of every window of a folder of nights."""
    card = loaded.card
    sources, store = Sources(seq_dirs=[folder]), LookStore(cache_dir)
    nights = read_nights(sources, wanted_by(card), store, processes=True).nights
    inputs = compute_inputs(input_spec(card), nights, processes=True)
    embeddings, labels = [], []
    for number, (night, own) in enumerate(zip(nights, inputs, strict=True)):
        member = make_member(number, night, own)
        batch = night_batch(member, np.arange(len(night)), window=window)
        embedding = torch.cat([loaded.model.encode(*part) for part in batch.parts(32)])
        embeddings.append(embedding[batch.windows])
        labels.append(batch.labels[batch.windows].masked_fill(~batch.mask, UNLABELLED))
    return torch.cat(embeddings), torch.cat(labels)


def fit(name: str, data: tuple[Tensor, Tensor], seed: int) -> Head:
    """Train one head."""
    torch.manual_seed(seed)
    x, y = data
    head = Head(name, x.shape[-1])
    optimizer = torch.optim.AdamW(head.parameters(), 2e-3, weight_decay=1e-2)
    steps = _EPOCHS * -(-len(x) // _BATCH)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(_EPOCHS):
        for rows in torch.randperm(len(x)).split(_BATCH):
            known = y[rows] >= 0
            if known.any():
                logits = head(x[rows])[known]
                optimizer.zero_grad()
                binary_cross_entropy_with_logits(logits, y[rows][known]).backward()
                optimizer.step()
            scheduler.step()
    return head.eval()


def compare(
    loaded: LoadedModel, folders: tuple[Path, Path], cache_dir: Path, window: int, *, seeds: int
) -> None:
    """Print a line for each head; `folders` are those to train on and to test on."""
    # Clones: what was made in inference mode cannot be trained on.
    train, test = (
        tuple(part.clone() for part in windows_of(folder, loaded, cache_dir, window))
        for folder in folders
    )
    label = test[1][:, window // 2]
    known = label >= 0
    truth = label[known].numpy()
    for name in SEQUENCES:
        start, precision, recall = time.perf_counter(), [], []
        for seed in range(seeds):
            head = fit(name, train, seed)
            with torch.inference_mode():
                prob = torch.sigmoid(head(test[0][known])[:, window // 2]).numpy()
            found = binary_scores(prob, truth, 0.5)
            precision.append(float(found["average_precision"]))
            recall.append(float(found["recall_at_1pct_false_rejection"]))
        print(
            f"window {window} {name}: average precision {np.mean(precision):.4f} "
            f"+-{np.std(precision):.4f}, recall at 1 % {np.mean(recall):.4f} "
            f"+-{np.std(recall):.4f}, {time.perf_counter() - start:.0f} s"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ckpt", nargs="?", default="pretrained")
    parser.add_argument("--train", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("outputs/cache"))
    parser.add_argument("--windows", type=int, nargs="+", default=[9])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    loaded = load_weights(options.ckpt)
    if options.quick:
        with tempfile.TemporaryDirectory() as where:
            folders = (quick_night(Path(where, "a"), seed=1), quick_night(Path(where, "b"), seed=2))
            compare(loaded, folders, Path(where, "cache"), 5, seeds=1)
        return
    if not (options.train and options.test):
        parser.error("--train and --test say which nights")
    for window in options.windows:
        compare(loaded, (options.train, options.test), options.cache, window, seeds=3)


if __name__ == "__main__":
    main()
