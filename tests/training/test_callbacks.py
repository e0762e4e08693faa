from __future__ import annotations

from types import SimpleNamespace

import pytest
from pytorch_lightning.callbacks import ModelCheckpoint

from nightsift.training.callbacks import BestCheckpoint


@pytest.mark.parametrize(
    ("share", "epochs", "first"), [(0.5, 12, 6), (0.5, 2, 1), (0.5, 1, 0), (0.0, 12, 0)]
)
def test_only_later_epochs_compete(monkeypatch, share, epochs, first):
    compared: list[int] = []
    monkeypatch.setattr(
        ModelCheckpoint,
        "on_validation_end",
        lambda self, trainer, module: compared.append(trainer.current_epoch),
    )
    best = BestCheckpoint(first_share=share, monitor="val/selection", mode="max")
    for epoch in range(epochs):
        trainer = SimpleNamespace(current_epoch=epoch, max_epochs=epochs)
        best.on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert compared == list(range(first, epochs))


def test_a_share_is_a_share():
    with pytest.raises(ValueError, match="first_share"):
        BestCheckpoint(first_share=2.0)
