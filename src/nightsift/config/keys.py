"""Keys of the tasks, each declared once: its type, its value unless another is given, its use.

The choices of a group (`data`, `model`, ...) come from the files in `conf/`. Ranges are checked
by what the keys are passed to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class TaskKeys:
    """Keys of every task.

    Attributes:
        plugins: modules of other people that are imported before anything is made.
        run_dir: folder that the task writes into.
    """

    plugins: list[str] = field(default_factory=list)
    run_dir: str = "${hydra:runtime.output_dir}"


@dataclass
class ExportKeys:
    """Where a training run writes its weights, a `.pt`, and whether as ONNX too."""

    path: str = "${run_dir}/joint_frame_seq.pt"
    onnx: bool = False


@dataclass
class TrainKeys(TaskKeys):
    """Keys of `train`.

    Attributes:
        seed: of everything that is drawn.
        cache_dir: where tensors and measurements are kept.
        resume: a run folder or checkpoint to go on from; empty for a new run.
        start_from: weights to begin with, as `ckpt` of `evaluate`; empty for new ones.
        augmentation: whether training frames are flipped, turned and scaled.
        resamples: of the bootstrap.
        optimize: the validation score that a sweeper is told (`nightsift.tasks.optimize`).
    """

    seed: int = 0
    cache_dir: str = "outputs/cache"
    resume: str = ""
    start_from: str = ""
    augmentation: bool = True
    resamples: int = 1000
    optimize: str = "val_fused_average_precision"
    export: ExportKeys = field(default_factory=ExportKeys)
    data: Any = MISSING
    model: Any = MISSING
    loss: Any = MISSING
    optim: Any = MISSING
    scheduler: Any = None
    fusion: Any = MISSING
    calibration: Any = MISSING
    simulate: Any = MISSING
    real: Any = MISSING
    trainer: Any = MISSING
    callbacks: Any = MISSING
    logger: Any = MISSING


@dataclass
class EvaluateKeys(TaskKeys):
    """Keys of `evaluate`.

    Attributes:
        ckpt: `pretrained`, a run folder or a file of weights, or a list of them to average.
        out_csv: the predictions; empty for the run folder.
        threshold: a probability, or `auto` for the one in the weights.
        calibrate: whether it is tuned on `calibration.nights`.
        device: `auto`, `cpu`, `cuda`.
        cache_dir: where tensors and measurements are kept.
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """

    ckpt: Any = MISSING
    out_csv: str = ""
    threshold: Any = "auto"
    calibrate: bool = False
    device: str = "auto"
    cache_dir: str = "outputs/cache"
    seed: int = 0
    resamples: int = 1000
    data: Any = MISSING
    fusion: Any = MISSING
    calibration: Any = MISSING
    simulate: Any = MISSING


@dataclass
class LimitsKeys:
    """`nightsift.heuristics.limits.Limits`; None where there is none.

    Attributes:
        fwhm_px: largest FWHM of the stars, px.
        fwhm_arcsec: largest FWHM of the stars, arcsec.
        pixel_scale_arcsec: arcsec per pixel; None for what the headers say.
        elongation: largest ratio of the stars' axes.
        transparency: least share of the starlight of the clearest frames.
        background: largest level of the sky, adu.
    """

    fwhm_px: float | None = None
    fwhm_arcsec: float | None = None
    pixel_scale_arcsec: float | None = None
    elongation: float | None = None
    transparency: float | None = None
    background: float | None = None


@dataclass
class PredictKeys(TaskKeys):
    """Keys of `predict`.

    Attributes:
        folder: a night, or a folder of nights.
        ckpt: `pretrained`, a run folder or a file of weights, or a list of them to average.
        out_csv: the predictions; empty for the run folder.
        ignore: a reason that is not to reject, or a list of them.
        limits: beyond which a frame is bad.
        action: `report`, `link` or `move`.
        kept_folder: of the links to kept frames; empty for the run folder.
        yes: whether files are really moved and headers written.
        undo: record of a run that is taken back.
        write_header: whether verdicts go into the headers.
        lightcurve: whether what rejection buys is measured.
        target: (x, y) of the star on the first kept frame, px; empty for a bright steady one.
        transit: first and last moment of the transit, UTC; empty for none.
        watch: whether frames are judged as they arrive.
        poll_s: pause between two looks into the folder, s.
        quiet_s: pause without a frame after which verdicts on pending ones are told, s.
        spell: bad frames in a row after which `on_spell` runs.
        on_spell: a command.
        threshold: a probability, or `auto` for the one in the weights.
        device: `auto`, `cpu`, `cuda`.
        cache_dir: where tensors and measurements are kept.
    """

    folder: str = ""
    ckpt: Any = "pretrained"
    out_csv: str = ""
    ignore: Any = field(default_factory=list)
    limits: LimitsKeys = field(default_factory=LimitsKeys)
    action: str = "report"
    kept_folder: str = ""
    yes: bool = False
    undo: str = ""
    write_header: bool = False
    lightcurve: bool = False
    target: list[float] = field(default_factory=list)
    transit: list[str] = field(default_factory=list)
    watch: bool = False
    poll_s: float = 0.5
    quiet_s: float = 120.0
    spell: int = 3
    on_spell: str = ""
    threshold: Any = "auto"
    device: str = "auto"
    cache_dir: str = "outputs/cache"
    data: Any = MISSING
    fusion: Any = MISSING


@dataclass
class HeuristicsKeys(TaskKeys):
    """Keys of `heuristics`.

    Attributes:
        folder: a night, or a folder of nights.
        out_features: the measurements; empty for the run folder.
        out_candidates: the ranking; empty for the run folder.
        parquet: whether the measurements are written as Parquet too.
        top_n: frames on the contact sheet and in `prior_folder`.
        prior_folder: of links to the likely bad frames; empty for none.
        limits: beyond which a frame is flagged.
        max_gap_h: a longer pause begins another night, hours.
        workers: frames at the same time; 0 for one per core.
        cache_dir: where measurements are kept.
    """

    folder: str = MISSING
    out_features: str = ""
    out_candidates: str = ""
    parquet: bool = False
    top_n: int = 30
    prior_folder: str = ""
    limits: LimitsKeys = field(default_factory=LimitsKeys)
    max_gap_h: float = 4.0
    workers: int = 0
    cache_dir: str = "outputs/cache"
    heuristics: Any = MISSING


@dataclass
class SimulateKeys(TaskKeys):
    """Keys of `simulate`.

    Attributes:
        out: a new folder.
        source: folder of frames that defects are put into; empty for synthetic ones.
        max_gap_h: a longer pause in `source` begins another night, hours.
        contact_sheets: whether they are drawn.
        workers: processes; 0 for as many as there are cores.
    """

    out: str = MISSING
    source: str = ""
    max_gap_h: float = 4.0
    contact_sheets: bool = True
    workers: int = 0
    simulate: Any = MISSING


@dataclass
class ReviewKeys(TaskKeys):
    """Keys of `review`.

    Attributes:
        folder: the night.
        csv: the label table; empty for the one in the folder, or `labels.csv` there.
        scores: table of predictions or candidates; empty for none.
        filter: which frames are shown.
        order: `time`, `score` or `disagreement`.
        rows: of the grid.
        cols: of the grid.
        backend: `auto`, `gui`, `webagg` or `ipympl`.
        port: of the page in a browser.
        width: of the window, inches.
        height: of the window, inches.
        max_gap_h: a longer pause begins another night, hours.
        cache_dir: where thumbnails are kept.
    """

    folder: str = MISSING
    csv: str = ""
    scores: str = ""
    filter: str = "bad"
    order: str = "time"
    rows: int = 3
    cols: int = 3
    backend: str = "auto"
    port: int = 8988
    width: float = 12
    height: float = 8
    max_gap_h: float = 4.0
    cache_dir: str = "outputs/cache"


@dataclass
class SourcesKeys:
    """`data` of `evaluate` and `predict`; None means what the weights were made for.

    Attributes:
        mixed_dirs: folders of loose frames.
        seq_dirs: night folders, or folders of night folders.
        label_csv: the label table that is believed first; empty for none.
        label_dirs: more folders that hold `*labels*.csv`.
        labels_from_names: "bad" in the file name of an unlisted frame means bad.
        max_gap_h: a longer pause begins another night, hours.
        transform: pixels to network input.
        img_size: side of the network input, px.
        window: frames per window, odd.
        frame_batch: frames that go through the network together.
        workers: threads that decode; 0 for one per core.
    """

    mixed_dirs: list[str] = field(default_factory=list)
    seq_dirs: list[str] = field(default_factory=list)
    label_csv: str = ""
    label_dirs: list[str] = field(default_factory=list)
    labels_from_names: bool = False
    max_gap_h: float = 4.0
    transform: Any = None
    img_size: int | None = None
    window: int | None = None
    frame_batch: int = 32
    workers: int = 0


@dataclass
class FusionKeys:
    """`nightsift.models.fusion.fuse`; None means what the weights were made for."""

    policy: str | None = None
    frame_weight: float | None = None


@dataclass
class CalibrationKeys:
    """How the fused probability is read.

    Attributes:
        objective: what the threshold is tuned for: `f1`, `max_false_rejection` or `cost`.
        max_false_rejection: share of the good frames that may be rejected, 0-1.
        cost_ratio: cost of a rejected good frame relative to a kept bad one, > 0.
        temperature: whether one is fitted.
        prior: share of bad frames that the probabilities are meant for; None as in training.
        prior_strength: frames that it counts as beside those of a night, whose own share of bad
            frames moves its probabilities; None for one share everywhere.
        max_missed: share of the bad frames that may lie below what is to be looked at; None
            for nothing to be looked at.
        max_review: share of the good frames that may lie within it or above.
        nights: that the threshold is tuned on; `evaluate calibrate=true`.
    """

    objective: str = "f1"
    max_false_rejection: float = 0.01
    cost_ratio: float = 5.0
    temperature: bool = False
    prior: float | None = None
    prior_strength: float | None = None
    max_missed: float | None = None
    max_review: float = 1.0
    nights: list[str] = field(default_factory=list)


TASKS: dict[str, type[TaskKeys]] = {
    "train": TrainKeys,
    "evaluate": EvaluateKeys,
    "predict": PredictKeys,
    "heuristics": HeuristicsKeys,
    "simulate": SimulateKeys,
    "review": ReviewKeys,
}
# Groups whose keys are no constructor's: `conf/` refers to them as `keys`.
GROUPS: dict[str, type] = {
    "data": SourcesKeys,
    "fusion": FusionKeys,
    "calibration": CalibrationKeys,
}
