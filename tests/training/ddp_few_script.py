"""Overfits one batch in more processes than there are batches and nights, tests and predicts.

python ddp_few_script.py NIGHTS CACHE OUT PROCESSES
"""

from __future__ import annotations

import json
import sys
import warnings

import pandas as pd
import pytorch_lightning as pl
import torch

from nightsift import JointModule, NightsDataModule, SplitSpec


def main(nights: str, cache: str, out: str, processes: int) -> None:
    """Each process writes down what it has seen."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    split = SplitSpec(val_nights=["night1"], test_nights=["night2"])
    data = NightsDataModule([nights], img_size=32, seq_batch=64, split=split, cache_dir=cache)
    module = JointModule(model_args={"channels": [4, 4, 8]})
    trainer = pl.Trainer(
        max_epochs=2,
        overfit_batches=1,
        accelerator="cpu",
        devices=processes,
        strategy="ddp",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, data)
    (tested,) = trainer.test(module, data, verbose=False)
    predicted = pd.concat(trainer.predict(module, data))["file"].tolist()
    facts = {"steps": trainer.global_step, "test": tested, "predicted": predicted}
    with open(f"{out}_{trainer.global_rank}.json", "w") as stream:  # noqa: PTH123
        json.dump(facts, stream)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
