"""The LightningDataModule: mixed labelled frames plus time-ordered nights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.combined_loader import CombinedLoader
from torch.utils.data import DataLoader

from nightsift.data.batches import (
    FrameBatch,
    FrameDataset,
    RunSampler,
    WindowDataset,
    batch_loader,
    frame_loader,
    ordered_loader,
)
from nightsift.data.cache import TensorCache
from nightsift.data.catalogue import Catalogue, NightData, Record, Sources, build_catalogue
from nightsift.data.inputs import attach_inputs
from nightsift.data.split import SplitSpec, assign_splits
from nightsift.data.windows import centred_windows, check_window
from nightsift.errors import NightsiftError
from nightsift.look.store import MEASURED
from nightsift.look.transforms import Transform


class ClassCounts(NamedTuple):
    """Labelled training frames of each class, for the frame and the sequence head."""

    frame_good: int
    frame_bad: int
    seq_good: int
    seq_bad: int


class EvaluationSet(NamedTuple):
    """Records of one split; `windows` (M, T) are rows of it, for the frames `windowed` (M,)."""

    records: list[Record]
    windowed: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]


class NightsDataModule(pl.LightningDataModule):
    """Frames and windows of labelled nights, decoded once and split by night.

    Args:
        mixed_dirs: folders of loose labelled frames.
        seq_dirs: night folders, or folders of night folders.
        label_csv: the label table that is believed first; empty for none.
        label_dirs: more folders that hold `*labels*.csv`.
        labels_from_names: "bad" in the file name of an unlisted frame means bad.
        max_gap_h: a longer pause starts a new night, hours.
        transform: pixels to network input.
        img_size: side of the network input, px.
        window: frames per window, odd.
        frame_batch: frames per training batch.
        seq_batch: windows per training batch.
        run_length: consecutive windows that are drawn together and share their encodings;
            1 draws every window by itself.
        frames: `all` draws every labelled frame for the frame head; `mixed` only the mixed ones,
            where the frame head also learns from the frames of the windows.
        measured: whether the model sees measured numbers beside the pixels.
        sampler: `plain` shuffles the frames; `balanced` draws both classes equally often.
        split: how nights are divided.
        cache_dir: where tensors are kept.
        workers: threads that decode; 0 means one per core.
        seed: of the draws.
    """

    def __init__(
        self,
        *,
        mixed_dirs: Sequence[str],
        seq_dirs: Sequence[str],
        label_csv: str,
        label_dirs: Sequence[str],
        labels_from_names: bool,
        max_gap_h: float,
        transform: Transform,
        img_size: int,
        window: int,
        frame_batch: int,
        seq_batch: int,
        run_length: int,
        frames: Literal["all", "mixed"],
        measured: bool,
        sampler: Literal["plain", "balanced"],
        split: SplitSpec,
        cache_dir: str,
        workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        check_window(window)
        if min(frame_batch, seq_batch) < 1 or not 1 <= run_length <= seq_batch:
            raise ValueError(
                "data.frame_batch and data.seq_batch must be >= 1, data.run_length 1 to seq_batch"
            )
        if frames not in ("all", "mixed"):
            raise ValueError(f"data.frames must be all or mixed, got {frames!r}")
        if sampler not in ("plain", "balanced"):
            raise ValueError(f"data.sampler must be plain or balanced, got {sampler!r}")
        self.sources = Sources(
            mixed_dirs=[Path(folder) for folder in mixed_dirs],
            seq_dirs=[Path(folder) for folder in seq_dirs],
            label_csv=[Path(label_csv)] if label_csv else [],
            label_dirs=[Path(folder) for folder in label_dirs],
            labels_from_names=labels_from_names,
            max_gap_h=max_gap_h,
        )
        self.cache = TensorCache(Path(cache_dir), transform, img_size=img_size, workers=workers)
        self.store = Path(cache_dir) / MEASURED
        self.workers = workers
        self.window = window
        self.frame_batch = frame_batch
        self.seq_batch = seq_batch
        self.run_length = run_length
        self.frames = frames
        self.measured = measured
        self.sampler = sampler
        self.split = split
        self.seed = seed
        self.progress: Callable[[int, int], None] | None = None
        self._catalogue: Catalogue | None = None

    @property
    def catalogue(self) -> Catalogue:
        """Every file found; available after `setup`."""
        if self._catalogue is None:
            raise RuntimeError("call setup() first")
        return self._catalogue

    def setup(self, stage: str | None = None) -> None:
        """Find, decode, label, group and split; does nothing the second time.

        Raises:
            NightsiftError: no data, or not both classes in the training part.
        """
        if self._catalogue is not None:
            return
        catalogue = build_catalogue(self.sources, self.cache, progress=self.progress)
        if self.measured:
            attach_inputs(catalogue, self.store, workers=self.workers, progress=self.progress)
        self._catalogue = catalogue
        assign_splits(self._catalogue.nights, self.split, window=self.window)
        counts = self.class_counts
        if not counts.frame_good or not counts.frame_bad:
            raise NightsiftError(
                "training needs good and bad labelled frames, the training part has "
                f"{counts.frame_good} good and {counts.frame_bad} bad "
                f"({self._catalogue.summary()}): add labels or change data.split"
            )
        if not any(record.label is not None for record in self.evaluation_set("val").records):
            raise NightsiftError("validation has no labelled frame: change data.split")

    @property
    def class_counts(self) -> ClassCounts:
        """Labelled training frames by class."""
        frames = [r.label for r in self._train_frames()]
        steps = [r.label for records in self._train_sequences() for r in records]
        return ClassCounts(frames.count(0), frames.count(1), steps.count(0), steps.count(1))

    def _train_frames(self) -> list[Record]:
        return [
            record
            for night in self.catalogue.nights
            for record in night.records
            if record.split == "train" and record.label is not None
        ]

    def _drawn_frames(self) -> list[Record]:
        if self.frames == "all":
            return self._train_frames()
        nights = self.catalogue.nights
        mixed = {id(record) for night in nights if not night.ordered for record in night.records}
        return [record for record in self._train_frames() if id(record) in mixed]

    def _train_sequences(self) -> list[list[Record]]:
        parts = [self._part(night, "train") for night in self.catalogue.nights if night.ordered]
        return [part for part in parts if any(record.label is not None for record in part)]

    @staticmethod
    def _part(night: NightData, split: str) -> list[Record]:
        return [record for record in night.records if record.split == split]

    def train_dataloader(self) -> CombinedLoader:
        """Frames and windows side by side; the shorter loader adds nothing once it has ended.

        Every epoch has its own seed, so that a resumed run draws what the uninterrupted one
        would have drawn.
        """
        epoch = self.trainer.current_epoch if self.trainer else 0
        generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
        loaders: dict[str, DataLoader[object]] = {}
        frames = self._drawn_frames()
        if frames:
            loaders["frames"] = frame_loader(
                FrameDataset(self.cache, frames),
                batch=self.frame_batch,
                balanced=self.sampler == "balanced",
                generator=generator,
            )
        sequences = self._train_sequences()
        if sequences:
            runs = RunSampler(
                sequences,
                batch=self.seq_batch,
                run_length=self.run_length,
                generator=generator,
            )
            dataset = WindowDataset(self.cache, sequences, window=self.window)
            loaders["windows"] = batch_loader(dataset, runs, generator)
        return CombinedLoader(loaders, mode="max_size")

    def val_dataloader(self) -> DataLoader[FrameBatch]:
        """Validation frames once, in order."""
        records = self.evaluation_set("val").records
        return ordered_loader(FrameDataset(self.cache, records), batch=self.frame_batch)

    def evaluation_set(self, split: str) -> EvaluationSet:
        """Frames of one split with the windows of the ordered ones."""
        records: list[Record] = []
        windowed: list[int] = []
        windows = [np.empty((0, self.window), dtype=np.int64)]
        for night in self.catalogue.nights:
            part = self._part(night, split)
            if night.ordered:
                windowed += range(len(records), len(records) + len(part))
                windows.append(centred_windows(len(part), self.window).rows + len(records))
            records += part
        return EvaluationSet(records, np.array(windowed, dtype=np.int64), np.concatenate(windows))
