"""Trains as one or as two processes, and writes down what a comparison needs.

python ddp_script.py NIGHTS CACHE OUT.json PROCESSES
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pytorch_lightning as pl
import torch

from nightsift import JointModule, NightsDataModule, SplitSpec
from nightsift.look.transforms.two_scale import TwoScale
from nightsift.training.callbacks import ThresholdCalibration, WeightsExport


def main(nights: str, cache: str, out: str, processes: int) -> None:
    """A step of two processes is what one does in two steps with accumulated gradients."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    data = NightsDataModule(
        [nights],
        transform=TwoScale(),
        img_size=32,
        measured=True,
        frames="mixed",
        seq_batch=5,
        run_length=3,
        split=SplitSpec(val_nights=["night1", "night2"], test_nights=["night3"]),
        cache_dir=cache,
    )
    sizes = {"field_width": 16, "star_width": 16, "feature_width": 8, "embedding": 8}
    module = JointModule(
        "TwoScaleModel",
        sizes,
        loss={"cause_weight": 1.0, "neighbour_span": 4, "pos_weight": False},
        # Plain descent: Adam would magnify rounding in gradients that are nearly zero.
        optimizer={"name": "SGD", "lr": 0.05, "momentum": 0.9},
    )
    alone = processes == 1
    trainer = pl.Trainer(
        max_epochs=4,
        accelerator="cpu",
        devices=processes,
        strategy="auto" if alone else "ddp",
        accumulate_grad_batches=2 if alone else 1,
        logger=pl.loggers.CSVLogger(Path(out).parent, name=Path(out).stem, version=""),
        callbacks=[ThresholdCalibration(), WeightsExport(str(Path(out).with_suffix(".pt")))],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=Path(out).parent,
    )
    trainer.fit(module, data)
    (tested,) = trainer.test(module, data, verbose=False)
    if trainer.is_global_zero:
        facts = {"test": tested, "threshold": module.calibrated_card.threshold}
        facts["world_size"] = trainer.world_size
        Path(out).write_text(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
