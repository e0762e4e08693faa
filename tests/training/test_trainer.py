"""The module and the data module in a plain `Trainer`, with what Lightning's people switch on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from nightsift import JointModule, NightsDataModule, NightsiftError, SplitSpec, load_weights
from nightsift.models.architectures.joint import JointFrameSeqModel
from nightsift.training.callbacks import ThresholdCalibration, WeightsExport

pytestmark = [
    # Lightning's own use of torch's pytree.
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    # Tips for larger data and machines than those of a test.
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed"),
    pytest.mark.filterwarnings("ignore:You defined a .validation_step. but have no"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:You requested to overfit but enabled val"),
]

SMALL = {"channels": [4, 4, 8]}
SCORES = ("val/loss", "val/frame_ap", "val/seq_ap", "val/fused_ap", "val/selection")


@pytest.fixture
def data(nights: Path, tmp_path: Path) -> NightsDataModule:
    return make_data(nights, tmp_path)


def make_data(nights: Path, tmp_path: Path, **changes: Any) -> NightsDataModule:
    arguments = {"img_size": 32, "frame_batch": 16, "cache_dir": tmp_path / "cache", **changes}
    return NightsDataModule([nights], **arguments)


def make_module(**changes: Any) -> JointModule:
    torch.manual_seed(0)
    return JointModule(model_args=SMALL, **changes)


def make_trainer(tmp_path: Path, **changes: Any) -> pl.Trainer:
    plain = {
        "max_epochs": 1,
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": tmp_path,
    }
    return pl.Trainer(**{**plain, **changes})


def weights_of(module: JointModule) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in module.model.state_dict().items()}


def test_defaults_are_enough_to_begin_with(nights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, module = NightsDataModule(seq_dirs=[nights]), JointModule()
    trainer = make_trainer(tmp_path, limit_train_batches=1, limit_val_batches=1)
    trainer.fit(module, data)
    assert module.card.transform["name"] == "robust"
    assert set(SCORES) <= trainer.callback_metrics.keys()


def test_fit_validate_test_and_predict(data, tmp_path):
    module, trainer = make_module(), make_trainer(tmp_path, max_epochs=2)
    before = weights_of(module)
    trainer.fit(module, data)
    after = weights_of(module)
    assert any(not torch.equal(before[key], after[key]) for key in before)
    fitted = {name: float(trainer.callback_metrics[name]) for name in SCORES}
    (validated,) = trainer.validate(module, data, verbose=False)
    assert {name: validated[name] for name in SCORES} == pytest.approx(fitted)
    (tested,) = trainer.test(module, data, verbose=False)
    assert {"test/fused_ap", "test/f1", "test/recall"} <= tested.keys()
    tables = trainer.predict(module, data)
    whole = pd.concat(tables)
    assert len(tables) == 3
    assert len(whole) == whole["file"].nunique() == 72
    expected = 0.8 * whole["prob_frame"] + 0.2 * whole["prob_seq"]
    np.testing.assert_allclose(whole["prob_bad"], expected)


def test_prediction_needs_no_labels(data, make_night, tmp_path):
    module, trainer = make_module(), make_trainer(tmp_path)
    trainer.fit(module, data)
    folder = make_night("new", n=7, seed=9)
    (folder / "labels.csv").unlink()
    (table,) = trainer.predict(module, make_data(folder, tmp_path))
    assert table["prob_bad"].between(0, 1).all()
    assert [Path(file).name for file in table["file"]] == [f"f{i + 1}.fits" for i in range(7)]


@pytest.mark.parametrize(
    ("changes", "batches"),
    [
        ({"fast_dev_run": True}, 1),
        ({"fast_dev_run": 2}, 2),
        ({"limit_train_batches": 2, "limit_val_batches": 1}, 2),
        ({"limit_val_batches": 0, "limit_train_batches": 2}, 2),
        ({"num_sanity_val_steps": 1, "limit_train_batches": 1}, 1),
        ({"num_sanity_val_steps": -1, "limit_train_batches": 1}, 1),
        ({"accumulate_grad_batches": 2}, 2),
        ({"overfit_batches": 2, "max_epochs": 2}, 4),
        ({"gradient_clip_val": 0.5, "limit_train_batches": 1}, 1),
        ({"check_val_every_n_epoch": 2, "max_epochs": 2, "limit_train_batches": 1}, 2),
        ({"val_check_interval": 0.5}, 3),
        ({"reload_dataloaders_every_n_epochs": 1, "max_epochs": 2}, 6),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_what_a_trainer_can_be_told(data, tmp_path, changes, batches):
    callbacks = [ThresholdCalibration(), WeightsExport(str(tmp_path / "weights.pt"))]
    trainer = make_trainer(tmp_path, callbacks=callbacks, **changes)
    trainer.fit(make_module(), data)
    assert trainer.global_step == batches


def test_overfitting_sees_the_same_batches_in_every_epoch(data, tmp_path, monkeypatch):
    seen: list[float] = []
    step = JointModule.training_step

    def spy(self: JointModule, batch: Any, batch_idx: int) -> torch.Tensor:
        seen.append(float(batch["frames"].frames.sum()))
        return step(self, batch, batch_idx)

    monkeypatch.setattr(JointModule, "training_step", spy)
    make_trainer(tmp_path, overfit_batches=2, max_epochs=3).fit(make_module(), data)
    assert seen[:2] == seen[2:4] == seen[4:]


def test_every_epoch_draws_another_order(data, tmp_path, monkeypatch):
    seen: list[float] = []
    step = JointModule.training_step

    def spy(self: JointModule, batch: Any, batch_idx: int) -> torch.Tensor:
        seen.append(float(batch["windows"].labels.sum()))
        seen.append(float(batch["frames"].frames.sum()) if batch["frames"] else 0.0)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(JointModule, "training_step", spy)
    make_trainer(tmp_path, max_epochs=2).fit(make_module(), data)
    assert len(seen) % 2 == 0
    assert seen[: len(seen) // 2] != seen[len(seen) // 2 :]


def test_own_loaders_of_frames_and_labels(tmp_path):
    frames = torch.randn(24, 1, 32, 32)
    labels = (torch.arange(24) % 3 == 0).float()
    loader = DataLoader(TensorDataset(frames, labels), batch_size=8)
    module, trainer = make_module(), make_trainer(tmp_path, callbacks=[ThresholdCalibration()])
    trainer.fit(module, loader, loader)
    assert {"val/frame_ap", "val/loss", "train/loss"} <= trainer.callback_metrics.keys()
    assert math.isnan(trainer.callback_metrics["val/seq_ap"])
    (tested,) = trainer.test(module, loader, verbose=False)
    assert "test/f1" in tested
    only_frames = DataLoader(frames, batch_size=8)
    assert sum(len(table) for table in trainer.predict(module, only_frames)) == 24


def test_own_loaders_of_nights(data, tmp_path):
    data.setup()
    loaders = [data.train_dataloader(), data.val_dataloader()]
    trainer = make_trainer(tmp_path)
    trainer.fit(make_module(), *loaders)
    assert set(SCORES) <= trainer.callback_metrics.keys()


def test_a_batch_of_another_kind_is_refused_in_one_line(tmp_path):
    loader = DataLoader(TensorDataset(torch.randn(4, 3)), batch_size=2)
    with pytest.raises(NightsiftError, match="a batch must be a FrameBatch"):
        make_trainer(tmp_path).fit(make_module(), loader)


def test_a_checkpoint_alone_makes_the_module_again(data, tmp_path):
    module = make_module(
        optimizer={"name": "SGD", "lr": 0.05, "momentum": 0.9},
        scheduler={"name": "StepLR", "step_size": 1},
        loss={"frame_weight": 0.7},
    )
    trainer = make_trainer(tmp_path, callbacks=[ThresholdCalibration()])
    trainer.fit(module, data)
    again = JointModule.load_from_checkpoint(
        trainer.checkpoint_callback.best_model_path, weights_only=True
    )
    for key, value in module.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    assert again.calibrated_card == module.calibrated_card
    assert again.loss.arguments == module.loss.arguments
    made = again.configure_optimizers()
    assert isinstance(made["optimizer"], torch.optim.SGD)
    assert isinstance(made["lr_scheduler"]["scheduler"], torch.optim.lr_scheduler.StepLR)
    first, second = (make_trainer(tmp_path).predict(m, data) for m in (module, again))
    pd.testing.assert_frame_equal(pd.concat(first), pd.concat(second))


def test_a_checkpoint_of_other_inputs_is_refused_before_its_tensors_are():
    checkpoint = {"hyper_parameters": {"card": {"inputs": {}, "causes": ["moth"]}}}
    with pytest.raises(NightsiftError, match="made with other causes: give the same plugins"):
        make_module().on_load_checkpoint(checkpoint)


def test_weights_refuse_another_input_and_say_what_fits(data, nights, tmp_path):
    trainer = make_trainer(tmp_path, limit_train_batches=1)
    trainer.fit(make_module(), data)
    again = JointModule.load_from_checkpoint(trainer.checkpoint_callback.best_model_path)
    other = make_data(nights, tmp_path, img_size=48)
    with pytest.raises(NightsiftError, match=r"made for another img_size: module\.data_for"):
        make_trainer(tmp_path).test(again, other, verbose=False)
    fitting = again.data_for([nights], cache_dir=tmp_path / "cache")
    assert make_trainer(tmp_path).test(again, fitting, verbose=False)


def test_a_module_takes_no_other_input_once_it_was_trained(data, nights, tmp_path):
    module, trainer = make_module(), make_trainer(tmp_path, limit_train_batches=1)
    trainer.fit(module, data)
    with pytest.raises(NightsiftError, match="made for another img_size"):
        trainer.test(module, make_data(nights, tmp_path, img_size=48), verbose=False)
    assert module.card.img_size == 32
    assert trainer.test(module, make_data(nights, tmp_path), verbose=False)


def test_a_module_may_be_trained_further_after_its_export(data, tmp_path):
    module = make_module()
    export = WeightsExport(str(tmp_path / "weights.pt"))
    make_trainer(tmp_path, callbacks=[export], enable_checkpointing=False).fit(module, data)
    assert module.model.training
    exported = load_weights(tmp_path / "weights.pt").model.state_dict()
    assert all(torch.equal(value, exported[key]) for key, value in weights_of(module).items())


def test_weights_know_their_causes_whatever_reasons_there_are_today(nights, tmp_path, monkeypatch):
    from nightsift.data import datamodule
    from nightsift.look.transforms.two_scale import TwoScale

    small = {"field_width": 16, "star_width": 16, "feature_width": 8, "embedding": 8}
    trainer = make_trainer(tmp_path, limit_train_batches=1)
    trainer.fit(
        JointModule("TwoScaleModel", small),
        make_data(nights, tmp_path, transform=TwoScale(), measured=True),
    )
    again = JointModule.load_from_checkpoint(trainer.checkpoint_callback.best_model_path)
    monkeypatch.setattr(datamodule, "known_causes", lambda: ["cloud", "of_a_plugin"])
    fitting = again.data_for([nights], cache_dir=tmp_path / "cache")
    assert fitting.causes == again.card.causes != ["cloud", "of_a_plugin"]
    assert make_trainer(tmp_path).test(again, fitting, verbose=False)


def test_a_model_that_names_no_causes_takes_the_same_data_again(nights, tmp_path):
    class Measured(JointFrameSeqModel):
        """Adds one of the measured numbers to the first value of the embedding."""

        uses_inputs, n_inputs = True, 1

        def encode(self, frames: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
            embedding = super().encode(frames)
            return embedding + torch.nan_to_num(inputs[:, :1]) * (embedding > 0)

    data = make_data(nights, tmp_path, measured=True)
    module, trainer = JointModule(Measured(**SMALL)), make_trainer(tmp_path)
    trainer.fit(module, data)
    assert trainer.test(module, data, verbose=False)
    assert (module.card.causes, bool(module.card.inputs)) == ([], True)


@pytest.mark.parametrize(
    ("changes", "rates"),
    [
        ({"check_val_every_n_epoch": 2}, [1.0, 1.0, 1.0, 0.5]),
        ({}, [1.0, 0.5, 0.25, 0.125]),
    ],
)
def test_a_plateau_is_looked_for_where_there_is_a_new_loss(data, tmp_path, changes, rates):
    seen: list[float] = []

    class Rates(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            seen.append(trainer.optimizers[0].param_groups[0]["lr"])

    module = make_module(
        optimizer={"name": "SGD", "lr": 1.0},
        # No loss is ever so much better.
        scheduler={"name": "ReduceLROnPlateau", "factor": 0.5, "patience": 0, "threshold": 0.999},
    )
    trainer = make_trainer(
        tmp_path, max_epochs=5, callbacks=[Rates()], limit_train_batches=1, **changes
    )
    trainer.fit(module, data)
    assert seen[1:] == rates


def test_a_plateau_without_validation_is_said(data, tmp_path):
    module = make_module(scheduler={"name": "ReduceLROnPlateau"})
    trainer = make_trainer(tmp_path, limit_val_batches=0, limit_train_batches=1)
    with pytest.warns(RuntimeWarning, match="val/loss which is not available"):
        trainer.fit(module, data)


def test_a_test_part_without_labels_has_scores_that_say_nothing(nights, tmp_path):
    (nights / "night2" / "labels.csv").unlink()
    split = SplitSpec(val_nights=["night1"], test_nights=["night2"])
    data, module = make_data(nights, tmp_path, split=split), make_module()
    trainer = make_trainer(tmp_path, limit_train_batches=1)
    trainer.fit(module, data)
    (tested,) = trainer.test(module, data, verbose=False)
    assert {"test/f1", "test/recall", "test/fused_ap"} <= tested.keys()
    assert all(map(math.isnan, tested.values()))


def test_the_exported_weights_are_those_of_the_best_epoch(data, tmp_path):
    callbacks = [
        ThresholdCalibration(),
        pl.callbacks.ModelCheckpoint(tmp_path, "best", monitor="val/selection", mode="max"),
        WeightsExport(str(tmp_path / "weights.pt")),
    ]
    module, trainer = make_module(), make_trainer(tmp_path, max_epochs=3, callbacks=callbacks)
    trainer.fit(module, data)
    loaded = load_weights(tmp_path / "weights.pt")
    best = JointModule.load_from_checkpoint(tmp_path / "best.ckpt")
    assert loaded.card == best.calibrated_card
    assert loaded.card.splits["val"]
    assert loaded.card.versions["torch"] == torch.__version__
    for key, value in best.model.state_dict().items():
        assert torch.equal(value, loaded.model.state_dict()[key])


@pytest.mark.parametrize(
    ("scheduler", "every"), [("StepLR", 1), ("ReduceLROnPlateau", 1), ("ReduceLROnPlateau", 2)]
)
def test_resuming_is_exact(nights, tmp_path, scheduler, every):
    arguments = {"StepLR": {"step_size": 1, "gamma": 0.5}, "ReduceLROnPlateau": {"patience": 0}}
    recipe = {"name": scheduler, **arguments[scheduler]}
    fast = {"name": "Adam", "lr": 0.02}

    def run(epochs: int, where: str, resumed: str | None = None) -> JointModule:
        module = make_module(optimizer=fast, scheduler=recipe)
        last = pl.callbacks.ModelCheckpoint(
            tmp_path / where, "last", save_on_train_epoch_end=True, enable_version_counter=False
        )
        trainer = make_trainer(
            tmp_path, max_epochs=epochs, callbacks=[last], check_val_every_n_epoch=every
        )
        trainer.fit(module, make_data(nights, tmp_path), ckpt_path=resumed, weights_only=True)
        return module

    whole = run(4, "whole")
    run(2, "half")
    rest = run(4, "rest", str(tmp_path / "half" / "last.ckpt"))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, rest.state_dict()[key]), key


def test_a_model_that_sees_measured_numbers_is_built_from_the_data(data, nights, tmp_path):
    from nightsift.look.transforms.two_scale import TwoScale

    measured = make_data(nights, tmp_path, transform=TwoScale(), measured=True, frames="mixed")
    small = {"field_width": 16, "star_width": 16, "feature_width": 8, "embedding": 8}
    module = JointModule("TwoScaleModel", small, loss={"cause_weight": 1.0})
    assert module.model is None
    trainer = make_trainer(tmp_path, limit_train_batches=2)
    trainer.fit(module, measured)
    assert module.model.n_inputs == len(measured.inputs.columns)
    again = JointModule.load_from_checkpoint(trainer.checkpoint_callback.best_model_path)
    first, second = (
        pd.concat(make_trainer(tmp_path).predict(m, measured)) for m in (module, again)
    )
    pd.testing.assert_frame_equal(first, second)
    plain = JointModule("TwoScaleModel", small)
    with pytest.raises(NightsiftError, match=r"needs measured numbers: data\.measured=true"):
        make_trainer(tmp_path).fit(plain, data)


def test_folds_test_every_night_once(nights, tmp_path):
    tested: list[str] = []
    for fold in range(3):
        data = make_data(nights, tmp_path, split=SplitSpec(fold=fold))
        data.setup("fit")
        tested += data.split.names("test")
    assert sorted(tested) == ["night0", "night1", "night2"]
