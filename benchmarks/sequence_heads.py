"""Which sequence head is best: gru, tcn or attention, over the same embeddings.

    python benchmarks/sequence_heads.py CKPT --train DIR --test DIR [--cache DIR]

Frames are embedded once with the weights; then each head is trained alone on windows of the
training nights, three times from different seeds, and measured on the centre of every window of
the test nights.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from nightsift.data.cache import TensorCache
from nightsift.data.catalogue import Sources, build_catalogue
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from nightsift.data.batches import frame_batch, label_tensor
from nightsift.data.inputs import attach_inputs
from nightsift.data.windows import centred_windows
from nightsift.look.store import MEASURED
from nightsift.look.transforms import build_transform
from nightsift.metrics.scores import binary_scores
from nightsift.models.sequences import SEQUENCES
from nightsift.models.weights import LoadedModel, load_weights

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
    cache = TensorCache(cache_dir, build_transform(loaded.card.transform))
    catalogue = build_catalogue(Sources(seq_dirs=[folder]), cache)
    attach_inputs(catalogue, cache_dir / MEASURED)
    embeddings, labels = [], []
    for night in catalogue.nights:
        records = night.records
        parts = [frame_batch(cache, records[i : i + 32]) for i in range(0, len(records), 32)]
        embedding = torch.cat([loaded.model.encode(part.frames, part.inputs) for part in parts])
        windows = centred_windows(len(records), window)
        label = label_tensor(records)[windows.rows]
        label[~torch.from_numpy(windows.mask)] = -1
        embeddings.append(embedding[windows.rows])
        labels.append(label)
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


def main() -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ckpt")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("outputs/cache"))
    parser.add_argument("--windows", type=int, nargs="+", default=[9])
    options = parser.parse_args()
    loaded = load_weights(options.ckpt)
    for window in options.windows:
        train, test = (
            tuple(part.clone() for part in windows_of(folder, loaded, options.cache, window))
            for folder in (options.train, options.test)
        )
        label = test[1][:, window // 2]
        known = label >= 0
        for name in SEQUENCES:
            start, found = time.perf_counter(), []
            for seed in range(3):
                head = fit(name, train, seed)
                with torch.inference_mode():
                    logits = head(test[0][known])[:, window // 2]
                    found.append(torch.sigmoid(logits).numpy())
            truth = label[known].numpy()
            precision = [average_precision_score(truth, prob) for prob in found]
            recall = [
                float(binary_scores(p, truth, 0.5)["recall_at_1pct_false_rejection"]) for p in found
            ]
            print(
                f"window {window} {name}: average precision {np.mean(precision):.4f} "
                f"+-{np.std(precision):.4f}, recall at 1 % {np.mean(recall):.4f} "
                f"+-{np.std(recall):.4f}, {time.perf_counter() - start:.0f} s"
            )


if __name__ == "__main__":
    main()
