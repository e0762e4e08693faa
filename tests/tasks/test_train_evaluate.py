from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nightsift.metrics.threshold import is_bad
from nightsift.models.fusion import fuse
from nightsift.models.weights import load_weights

COLUMNS = ["file", "prob_bad", "pred", "label", "prob_frame", "prob_seq"]
COLUMNS += ["night", "time", "split", "reason"]
RUN_FILES = [
    "checkpoints/best.ckpt",
    "checkpoints/last.ckpt",
    "joint_frame_seq.json",
    "joint_frame_seq.pt",
    "joint_frame_seq.safetensors",
    "metrics.csv",
    "metrics.json",
    "predictions.csv",
    "train.log",
    "figures/night_night0.png",
    ".hydra/config.yaml",
]


def run_folder(task: str = "train") -> Path:
    return sorted(Path("outputs", task).glob("2*"))[-1]


@pytest.fixture
def trained(run_task, quick) -> Path:
    assert run_task("train", *quick).status == 0
    return run_folder().absolute()


def test_a_run_leaves_what_the_contract_names_and_nothing_elsewhere(trained, nights):
    for name in RUN_FILES:
        assert (trained / name).is_file(), name
    assert {path.name for path in Path().iterdir()} == {"outputs"}
    assert {path.name for path in Path("outputs").iterdir()} == {"train", "cache"}
    assert not list(trained.rglob("*.part"))
    assert sorted(p.name for p in (nights / "night0").iterdir())[-1] == "labels.csv"


def test_predictions_have_a_row_for_every_file_in_time_order(trained, nights):
    table = pd.read_csv(trained / "predictions.csv")
    assert list(table.columns[:10]) == COLUMNS
    assert list(table.columns[10:]) == ["notes", "series"]
    assert len(table) == table["file"].nunique() == 72
    assert set(table["file"]) == {str(path) for path in nights.rglob("*.fits")}
    for _, night in table.groupby("night"):
        assert night["time"].is_monotonic_increasing
        assert night["prob_seq"].notna().all()
    fused = 0.8 * table["prob_frame"] + 0.2 * table["prob_seq"]
    pd.testing.assert_series_equal(fused, table["prob_bad"], check_names=False, atol=2e-6)


def test_fault_4_the_threshold_is_tuned_on_validation_nights_alone(trained):
    """Published: it is tuned on the data it is reported on."""
    loaded = load_weights(trained)
    assert len(loaded.card.splits["val"]) == 1
    assert set(loaded.card.splits["val"]).isdisjoint(loaded.card.splits["test"])
    choice = loaded.card.threshold_choice
    assert (choice["n_good"], choice["n_bad"]) == (17, 6)
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["threshold"] == loaded.card.threshold
    assert set(metrics["splits"]) == {"train", "val", "test"}
    assert set(metrics["splits"]["test"]) == {"frame", "sequence", "fused"}
    assert metrics["splits"]["test"]["fused"]["n"]["value"] == 23


def test_every_kind_of_weights_file_gives_the_same_table(trained, nights, run_task):
    reference = pd.read_csv(trained / "predictions.csv")
    names = ["", "joint_frame_seq.pt", "joint_frame_seq.safetensors", "checkpoints/best.ckpt"]
    for number, name in enumerate(names):
        out = f"{number}.csv"
        ended = run_task(
            "evaluate", str(trained / name), f"data.seq_dirs=[{nights}]", f"out_csv={out}",
            "resamples=5",
        )  # fmt: skip
        assert ended.status == 0, ended.err
        table = pd.read_csv(out)
        pd.testing.assert_frame_equal(table[COLUMNS], reference[COLUMNS], atol=2e-6)


def test_fault_1_every_policy_fuses_both_heads_for_every_frame(trained, nights, run_task):
    for policy in ("weighted", "frame_only", "seq_center_only", "max_prob", "avg_prob"):
        ended = run_task(
            "evaluate", f"ckpt={trained}", f"data.seq_dirs=[{nights}]",
            f"fusion.policy={policy}", f"out_csv={policy}.csv", "resamples=5",
        )  # fmt: skip
        assert ended.status == 0, ended.err
        table = pd.read_csv(f"{policy}.csv")
        expected = fuse(table["prob_frame"], table["prob_seq"], policy=policy)
        assert len(table) == 72
        np.testing.assert_allclose(table["prob_bad"], expected, atol=2e-6)


def test_fault_2_the_image_size_of_evaluation_counts(trained, nights, run_task):
    """Published: the image-size option of evaluation is ignored."""
    tables = []
    for size in (32, 48):
        run_task(
            "evaluate", f"ckpt={trained}", f"data.seq_dirs=[{nights}]",
            f"data.img_size={size}", f"out_csv={size}.csv", "resamples=5",
        )  # fmt: skip
        tables.append(pd.read_csv(f"{size}.csv")["prob_frame"])
    assert (tables[0] - tables[1]).abs().max() > 1e-4


def test_a_threshold_is_stored_given_or_tuned_on_nights_that_are_not_reported(
    trained, nights, run_task
):
    base = ["evaluate", f"ckpt={trained}", f"data.seq_dirs=[{nights}]", "resamples=5"]
    assert run_task(*base, "threshold=0.9", "out_csv=given.csv").status == 0
    table = pd.read_csv("given.csv")
    assert (table["pred"] == is_bad(table["prob_bad"], 0.9)).all()
    ended = run_task(*base, "calibrate=true", "calibration.nights=[night2]", "out_csv=tuned.csv")
    assert ended.status == 0, ended.err
    table = pd.read_csv("tuned.csv")
    assert set(table.loc[table["night"] == "night2", "split"]) == {"calibration"}
    metrics = json.loads((run_folder("evaluate") / "metrics.json").read_text())
    counts = [heads["fused"]["n"]["value"] for heads in metrics["splits"].values()]
    assert sum(counts) == 46
    assert run_task(*base, "calibrate=true").status == 2


def test_fault_14_a_foreign_state_dict_is_evaluated_with_the_published_input(
    nights, run_task, tmp_path
):
    from nightsift.models.architectures.joint import JointFrameSeqModel

    torch.manual_seed(0)
    torch.save(JointFrameSeqModel().state_dict(), tmp_path / "foreign.pt")
    base = ["evaluate", f"ckpt={tmp_path / 'foreign.pt'}", f"data.seq_dirs=[{nights}]"]
    assert run_task(*base, "out_csv=a.csv", "resamples=5").status == 0
    assert run_task(*base, "out_csv=b.csv", "resamples=5", "data/transform=robust").status == 0
    published, robust = pd.read_csv("a.csv"), pd.read_csv("b.csv")
    assert (published["prob_frame"] - robust["prob_frame"]).abs().max() > 1e-4
    assert set(published["split"]) == {"test"}


def test_unlabelled_frames_are_scored_and_unreadable_ones_listed(trained, nights, run_task):
    (nights / "night0" / "labels.csv").unlink()
    (nights / "night0" / "broken.fits").write_bytes(b"no")
    ended = run_task("predict", str(nights / "night0"), f"ckpt={trained}", "out_csv=p.csv")
    assert ended.status == 0, ended.err
    table = pd.read_csv("p.csv")
    assert len(table) == 25
    broken = table[table["file"].str.endswith("broken.fits")].iloc[0]
    assert broken["reason"].startswith("unreadable: ")
    assert pd.isna(broken["prob_bad"])
    assert pd.isna(broken["pred"])
    assert table["label"].isna().all()


def test_fault_5_the_published_recipe_trains_on_this_torch(run_task, quick):
    """Published: training crashes on current torch (`ReduceLROnPlateau(verbose=...)`)."""
    arguments = ["+experiment=published", *quick[1:]]
    assert run_task("train", *arguments).status == 0
    card = load_weights(run_folder()).card
    assert card.transform == {"name": "published"}


def test_resuming_gives_the_weights_of_an_uninterrupted_run(run_task, quick):
    arguments = [*quick, "callbacks.early_stopping=null", "scheduler=plateau"]
    arguments += ["optim.lr=0.01", "scheduler.patience=0"]
    assert run_task("train", *arguments, "trainer.max_epochs=4", "hydra.run.dir=whole").status == 0
    assert run_task("train", *arguments, "trainer.max_epochs=2", "hydra.run.dir=half").status == 0
    assert (
        run_task(
            "train", *arguments, "trainer.max_epochs=4", "hydra.run.dir=rest", "resume=half"
        ).status
        == 0
    )
    whole, rest = (
        torch.load(f"{name}/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "rest")
    )
    differing = [key for key, value in whole.items() if not torch.equal(value, rest[key])]
    assert differing == []


def test_a_sweep_survives_a_failed_job_and_ends_in_a_table(run_task, quick):
    arguments = [a for a in quick if not a.startswith("trainer")]
    ended = run_task(
        "train", "-m", *arguments, "trainer.max_epochs=1", "loss.frame_weight=0.5,2.0,0.8"
    )
    assert ended.status == 0
    assert "3 jobs, 1 failed" in ended.out
    folder = sorted(Path("outputs/train/multirun").iterdir())[-1]
    table = pd.read_csv(folder / "sweep.csv")
    assert list(table["loss.frame_weight"]) == [0.5, 2.0, 0.8]
    assert list(table["status"]) == ["done", "failed", "done"]
    assert "frame_weight" in table["error"][1]
    assert table["test_fused_average_precision"].notna().tolist() == [True, False, True]
    assert (folder / "sweep.png").stat().st_size > 5000
