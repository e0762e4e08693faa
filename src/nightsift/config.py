"""Gives the groups of the configuration types; the values stay in YAML.

The schemas say what type a key has, so that `data.window=nine` is refused before anything
runs. Ranges are checked by the constructors that the keys are passed to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from nightsift.shipped import CHECKOUT as CHECKOUT
from nightsift.shipped import conf_dir as conf_dir


@dataclass
class TransformSchema:
    """`nightsift.look.transforms.published.Published`."""

    _target_: str = MISSING


@dataclass
class RobustSchema(TransformSchema):
    """`nightsift.look.transforms.robust.Robust`."""

    mesh: int = MISSING
    softening: float = MISSING
    clip: float = MISSING


@dataclass
class TwoScaleSchema(TransformSchema):
    """`nightsift.look.transforms.two_scale.TwoScale`."""

    softening: float = MISSING
    clip: float = MISSING


@dataclass
class SplitSchema:
    """`nightsift.data.split.SplitSpec`."""

    _target_: str = MISSING
    val_fraction: float = MISSING
    test_fraction: float = MISSING
    val_nights: list[str] = MISSING
    test_nights: list[str] = MISSING
    leave_out: str = MISSING
    fold: int = MISSING
    folds: int = MISSING
    by: str = MISSING
    deal_mixed: bool = MISSING
    seed: int = MISSING


@dataclass
class DataSchema:
    """`nightsift.data.datamodule.NightsDataModule`."""

    _target_: str = MISSING
    mixed_dirs: list[str] = MISSING
    seq_dirs: list[str] = MISSING
    label_csv: str = MISSING
    label_dirs: list[str] = MISSING
    labels_from_names: bool = MISSING
    max_gap_h: float = MISSING
    transform: Any = MISSING
    img_size: int = MISSING
    window: int = MISSING
    frame_batch: int = MISSING
    seq_batch: int = MISSING
    run_length: int = MISSING
    frames: str = MISSING
    measured: bool = MISSING
    sampler: str = MISSING
    split: SplitSchema = field(default_factory=SplitSchema)
    cache_dir: str = MISSING
    workers: int = MISSING
    processes: bool = MISSING
    seed: int = MISSING


@dataclass
class SourcesSchema:
    """Frames and labels to evaluate or predict; None means what the weights were made for."""

    mixed_dirs: list[str] = MISSING
    seq_dirs: list[str] = MISSING
    label_csv: str = MISSING
    label_dirs: list[str] = MISSING
    labels_from_names: bool = MISSING
    max_gap_h: float = MISSING
    transform: Any = None
    img_size: int | None = None
    window: int | None = None
    frame_batch: int = MISSING
    workers: int = MISSING


@dataclass
class ModelSchema:
    """`architecture` is an entry of `nightsift.models.architectures.ARCHITECTURES`."""

    architecture: str = MISSING


@dataclass
class JointSchema(ModelSchema):
    """`nightsift.models.architectures.joint.JointFrameSeqModel`."""

    channels: list[int] = MISSING
    frame_hidden: int = MISSING
    seq_hidden: int = MISSING
    dropout: float = MISSING


@dataclass
class TwoScaleModelSchema(ModelSchema):
    """`nightsift.models.architectures.two_scale.TwoScaleModel`, but for what the data decide."""

    field_width: int = MISSING
    star_width: int = MISSING
    feature_width: int = MISSING
    embedding: int = MISSING
    sequence: str = MISSING
    seq_hidden: int = MISSING
    dropout: float = MISSING
    branch_dropout: float = MISSING
    missing: float = MISSING


@dataclass
class LossSchema:
    """`nightsift.training.losses.JointLoss`."""

    _target_: str = MISSING
    frame_weight: float = MISSING
    seq_weight: float | None = None
    cause_weight: float = MISSING
    neighbour_span: int = MISSING
    neighbour_decay: float = MISSING
    step_labels: str = MISSING
    pos_weight: bool = MISSING


@dataclass
class AdamSchema:
    """The arguments of `torch.optim.Adam` and `AdamW` that we set."""

    _target_: str = MISSING
    _partial_: bool = True
    lr: float = MISSING
    weight_decay: float = MISSING


@dataclass
class PlateauSchema:
    """The arguments of `torch.optim.lr_scheduler.ReduceLROnPlateau` that we set."""

    _target_: str = MISSING
    _partial_: bool = True
    factor: float = MISSING
    patience: int = MISSING


@dataclass
class CosineSchema:
    """The arguments of `torch.optim.lr_scheduler.CosineAnnealingLR` that we set."""

    _target_: str = MISSING
    _partial_: bool = True
    T_max: int = MISSING
    eta_min: float = MISSING


@dataclass
class FusionSchema:
    """`nightsift.models.fusion.fuse`; None means what the weights were made for."""

    policy: str | None = MISSING
    frame_weight: float | None = MISSING


@dataclass
class CalibrationSchema:
    """`nightsift.metrics.threshold.Objective`, under the names of the command line."""

    objective: str = MISSING
    max_false_rejection: float = MISSING
    cost_ratio: float = MISSING
    temperature: bool = MISSING
    prior: float | None = None
    max_missed: float | None = None
    max_review: float = MISSING
    nights: list[str] = field(default_factory=list)


@dataclass
class CampaignSchema:
    """`nightsift.simulate.campaign.CampaignSpec`."""

    _target_: str = MISSING
    nights: int = MISSING
    frames_per_night: int = MISSING
    mixed_frames: int = MISSING
    instruments: list[str] = MISSING
    max_side: int = MISSING
    variety: float = MISSING
    bad_fraction: float = MISSING
    benign_fraction: float = MISSING
    lasting_fraction: float = MISSING
    singles_share: float = MISSING
    faintest: float = MISSING
    grossest: float = MISSING
    kinds: list[str] = MISSING
    seed: int = MISSING


@dataclass
class ExportSchema:
    """Where a training run writes its weights."""

    path: str = MISSING
    onnx: bool = MISSING


@dataclass
class TrainConfig:
    """Top level of `train`; the groups have their own schemas."""

    seed: int = MISSING
    cache_dir: str = MISSING
    run_dir: str = MISSING
    resume: str = MISSING
    augmentation: bool = MISSING
    resamples: int = MISSING
    export: ExportSchema = field(default_factory=ExportSchema)
    data: Any = MISSING
    model: Any = MISSING
    loss: Any = MISSING
    optim: Any = MISSING
    scheduler: Any = None
    fusion: Any = MISSING
    calibration: Any = MISSING
    simulate: Any = MISSING
    trainer: Any = MISSING
    callbacks: Any = MISSING
    logger: Any = MISSING


@dataclass
class PredictConfig:
    """Top level of `predict`."""

    folder: str = MISSING
    ckpt: Any = MISSING
    out_csv: str = MISSING
    action: str = MISSING
    kept_folder: str = MISSING
    yes: bool = MISSING
    undo: str = MISSING
    write_header: bool = MISSING
    lightcurve: bool = MISSING
    target: list[float] = MISSING
    transit: list[str] = MISSING
    watch: bool = MISSING
    poll_s: float = MISSING
    spell: int = MISSING
    on_spell: str = MISSING
    threshold: Any = MISSING
    device: str = MISSING
    cache_dir: str = MISSING
    run_dir: str = MISSING
    data: Any = MISSING
    fusion: Any = MISSING


@dataclass
class EvaluateConfig:
    """Top level of `evaluate`."""

    ckpt: Any = MISSING
    out_csv: str = MISSING
    threshold: Any = MISSING
    calibrate: bool = MISSING
    device: str = MISSING
    cache_dir: str = MISSING
    run_dir: str = MISSING
    seed: int = MISSING
    resamples: int = MISSING
    data: Any = MISSING
    fusion: Any = MISSING
    calibration: Any = MISSING
    simulate: Any = MISSING


@dataclass
class RobustScoreSchema:
    """`nightsift.heuristics.score.RobustScore`."""

    _target_: str = MISSING
    weights: dict[str, float] = MISSING
    strictness: float = MISSING


@dataclass
class PublishedScoreSchema:
    """`nightsift.heuristics.published.PublishedScore`."""

    _target_: str = MISSING
    weights: dict[str, float] = MISSING


@dataclass
class HeuristicsConfig:
    """Top level of `heuristics`."""

    folder: str = MISSING
    out_features: str = MISSING
    out_candidates: str = MISSING
    parquet: bool = MISSING
    top_n: int = MISSING
    prior_folder: str = MISSING
    max_gap_h: float = MISSING
    workers: int = MISSING
    cache_dir: str = MISSING
    run_dir: str = MISSING
    heuristics: Any = MISSING


@dataclass
class SimulateConfig:
    """Top level of `simulate`."""

    out: str = MISSING
    source: str = MISSING
    max_gap_h: float = MISSING
    contact_sheets: bool = MISSING
    workers: int = MISSING
    run_dir: str = MISSING
    simulate: Any = MISSING


@dataclass
class ReviewConfig:
    """Top level of `review`."""

    folder: str = MISSING
    csv: str = MISSING
    scores: str = MISSING
    filter: str = MISSING
    order: str = MISSING
    rows: int = MISSING
    cols: int = MISSING
    backend: str = MISSING
    port: int = MISSING
    width: float = MISSING
    height: float = MISSING
    max_gap_h: float = MISSING
    cache_dir: str = MISSING
    run_dir: str = MISSING


SCHEMAS: dict[tuple[str | None, str], type] = {
    (None, "train_schema"): TrainConfig,
    (None, "evaluate_schema"): EvaluateConfig,
    (None, "predict_schema"): PredictConfig,
    (None, "simulate_schema"): SimulateConfig,
    (None, "heuristics_schema"): HeuristicsConfig,
    (None, "review_schema"): ReviewConfig,
    ("data", "nights_schema"): DataSchema,
    ("data", "sources_schema"): SourcesSchema,
    ("data/transform", "published_schema"): TransformSchema,
    ("data/transform", "robust_schema"): RobustSchema,
    ("data/transform", "two_scale_schema"): TwoScaleSchema,
    ("model", "joint_schema"): JointSchema,
    ("model", "two_scale_schema"): TwoScaleModelSchema,
    ("loss", "schema"): LossSchema,
    ("optim", "adam_schema"): AdamSchema,
    ("scheduler", "plateau_schema"): PlateauSchema,
    ("scheduler", "cosine_schema"): CosineSchema,
    ("fusion", "schema"): FusionSchema,
    ("calibration", "schema"): CalibrationSchema,
    ("simulate", "schema"): CampaignSchema,
    ("heuristics", "robust_schema"): RobustScoreSchema,
    ("heuristics", "published_schema"): PublishedScoreSchema,
}


def register_schemas() -> None:
    """Make the schemas known to Hydra; harmless when repeated."""
    store = ConfigStore.instance()
    for (group, name), schema in SCHEMAS.items():
        store.store(group=group, name=name, node=schema)
