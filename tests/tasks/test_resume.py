"""`resume=RUN` alone goes on with that run: its data, its sizes, its experiment."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pytorch_lightning import Trainer

SIZES = [f"model.{name}" for name in ("field_width=16", "star_width=16", "embedding=8")]
COMMON = ["data.img_size=32", "resamples=5", "callbacks.progress=null", "optim.lr=0.01"]


@pytest.mark.parametrize("experiment", ["joint", "two_scale"])
def test_a_run_goes_on_under_its_own_configuration(run_task, nights, experiment):
    sizes = SIZES if experiment == "two_scale" else ["model.channels=[4,4,8]"]
    own = [f"+experiment={experiment}", f"data.seq_dirs=[{nights}]", *sizes, *COMMON]
    own += ["callbacks.early_stopping=null", "scheduler=plateau", "scheduler.patience=0"]
    runs = (
        [*own, "trainer.max_epochs=3", "hydra.run.dir=whole"],
        [*own, "trainer.max_epochs=1", "hydra.run.dir=half"],
        ["resume=half", "trainer.max_epochs=3", "hydra.run.dir=rest"],
    )
    for arguments in runs:
        ended = run_task("train", *arguments)
        assert ended.status == 0, ended.err
    whole, rest = (
        torch.load(f"{name}/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "rest")
    )
    assert [key for key, value in whole.items() if not torch.equal(value, rest[key])] == []


def test_an_interrupted_run_says_how_to_go_on(run_task, quick, monkeypatch, capsys):
    fit = Trainer.fit

    def interrupted(self: Trainer, *args: object, **options: object) -> None:
        fit(self, *args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_task("train", *quick, "hydra.run.dir=stopped")
    line = f"interrupted; to go on: python -m train resume={Path('stopped').absolute()}"
    assert line in capsys.readouterr().err
    monkeypatch.setattr(Trainer, "fit", fit)
    assert run_task("train", "resume=stopped", "trainer.max_epochs=3").status == 0


def test_what_is_no_run_is_refused_in_one_line(run_task, tmp_path):
    (tmp_path / "odd" / "checkpoints").mkdir(parents=True)
    ended = run_task("train", "resume=absent")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "no such checkpoint or run folder" in ended.err
    (tmp_path / "odd" / "checkpoints" / "last.ckpt").write_bytes(b"")
    ended = run_task("train", f"resume={tmp_path / 'odd'}")
    assert ended.status == 2
    assert str(Path(".hydra") / "overrides.yaml") in ended.err
