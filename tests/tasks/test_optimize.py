from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from nightsift.errors import NightsiftError
from nightsift.tasks.optimize import check_optimize, score_to_optimize


def scored(**values: float | None) -> dict:
    return {"splits": {"val": {"fused": {name: {"value": v} for name, v in values.items()}}}}


@pytest.mark.parametrize(
    ("values", "key", "told"),
    [
        ({"average_precision": 0.7}, "val_fused_average_precision", 0.7),
        ({"f1": 1}, "val_fused_f1", 1.0),
        ({"brier": 0.2}, "val_fused_brier", -0.2),
        ({"expected_calibration_error": 0.1}, "val_fused_expected_calibration_error", -0.1),
    ],
)
def test_the_larger_the_better(values, key, told):
    assert score_to_optimize(scored(**values), key) == told


@pytest.mark.parametrize(
    ("metrics", "key", "worst"),
    [
        (scored(average_precision=None), "val_fused_average_precision", 0.0),
        (scored(brier=None), "val_fused_brier", -1.0),
        (scored(f1=0.5), "val_frame_f1", 0.0),
        ({"splits": {}}, "val_fused_f1", 0.0),
    ],
)
def test_what_validation_cannot_tell_is_the_worst_with_a_warning(metrics, key, worst, caplog):
    with caplog.at_level(logging.WARNING):
        assert score_to_optimize(metrics, key) == worst
    assert "validation has no" in caplog.text


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("test_fused_f1", "the test part is for reporting alone"),
        ("train_fused_f1", "expected val_<head>_<score>"),
        ("val_both_f1", "head one of frame, sequence, fused"),
        ("val_fused_luck", "score one of accuracy"),
        ("val_fused_n_bad", "score one of accuracy"),
        ("val_fused", "expected val_<head>_<score>"),
        ("", "expected val_<head>_<score>"),
    ],
)
def test_only_scores_of_the_validation_part_may_be_chosen_by(key, message):
    with pytest.raises(NightsiftError, match=message):
        check_optimize(key)


def test_a_test_score_is_refused_before_anything_is_read(run_task):
    for options in ([], ["-m"]):
        ended = run_task("train", *options, "optimize=test_fused_f1", "data.seq_dirs=[absent]")
        assert ended.status == 2
        (line,) = ended.err.strip().splitlines()
        assert "optimize=test_fused_f1: expected val_" in line


def test_a_search_tries_and_chooses_by_validation(run_task, quick):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="extra optuna")
    quick = ["+experiment=[joint,search]", *quick[1:]]
    ended = run_task(
        "train", "-m", *quick, "trainer.max_epochs=1", "hydra.sweeper.n_trials=2",
        "loss.frame_weight=choice(0.6,0.8)", "model.dropout=0.1",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    (folder,) = Path("outputs/train/multirun").iterdir()
    table = pd.read_csv(folder / "sweep.csv")
    assert list(table["status"]) == ["done", "done"]
    assert set(table["model.dropout"]) == {0.1}
    assert set(table["loss.frame_weight"]) <= {0.6, 0.8}
    assert table["optim.lr"].between(1e-4, 1e-2).all()
    best = OmegaConf.load(folder / "optimization_results.yaml")
    assert best.best_value == pytest.approx(table["val_fused_average_precision"].max())


def test_a_search_in_which_everything_fails_says_so(run_task, quick):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="extra optuna")
    ended = run_task(
        "train", "-m", "+experiment=[joint,search]", *quick[1:], "hydra.sweeper.n_trials=1",
        "loss.frame_weight=7",
    )  # fmt: skip
    assert ended.status == 2
    assert "no trial succeeded" in ended.err.strip().splitlines()[-1]


def test_without_its_package_a_search_names_the_extra():
    from hydra.errors import ConfigCompositionException

    from nightsift.tasks.launch import describe

    error = ConfigCompositionException(
        "In 'experiment/search': Could not find 'hydra/sweeper/optuna'\n\nAvailable options"
    )
    assert describe(error).endswith("'hydra/sweeper/optuna': pip install 'nightsift[optuna]'")
