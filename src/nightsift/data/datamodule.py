"""The LightningDataModule: mixed labelled frames plus time-ordered nights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.utilities.combined_loader import CombinedLoader
from torch.utils.data import DataLoader

from nightsift.data.batches import Member, NightBatch, make_member
from nightsift.data.causes import known_causes
from nightsift.data.changes import Planes, kept_changes
from nightsift.data.inputs import InputSpec, compute_inputs
from nightsift.data.loaders import (
    Drawing,
    Part,
    Share,
    labels_of,
    night_loader,
    training_loaders,
)
from nightsift.data.measured import measured_inputs
from nightsift.data.split import PARTS, Split, SplitSpec, split_nights
from nightsift.errors import NightsiftError
from nightsift.look.look import Wanted
from nightsift.look.measure import AllFeatures
from nightsift.look.store import LookStore
from nightsift.look.transforms import Transform
from nightsift.look.transforms.robust import Robust
from nightsift.night.night import NightSet
from nightsift.night.reading import Bar, no_bar, read_nights
from nightsift.night.sources import Sources


class ClassCounts(NamedTuple):
    """Labelled training frames of each class, for the frame and the sequence head."""

    frame_good: int
    frame_bad: int
    seq_good: int
    seq_bad: int


class NightsDataModule(pl.LightningDataModule):
    """Frames and windows of labelled nights, decoded once and split by night.

    A training batch is `{"frames": FrameBatch | None, "windows": WindowBatch | None}`; an item
    of validation, test and prediction is a whole night (`nightsift.data.batches.NightBatch`).
    Prediction takes all frames, labelled or not.

    Args:
        seq_dirs: night folders, or folders of night folders.
        mixed_dirs: folders of loose labelled frames.
        label_csv: the label table that is believed first; empty for none. `*labels*.csv`
            inside the folders are found without being named.
        label_dirs: more folders that hold `*labels*.csv`.
        labels_from_names: "bad" in the file name of an unlisted frame means bad.
        max_gap_h: a longer pause starts a new night, hours.
        transform: pixels to network input; None for `nightsift.look.transforms.robust.Robust`.
        img_size: side of the network input, px, at least 16.
        window: frames per window, odd.
        frame_batch: frames per training batch.
        seq_batch: windows per training batch.
        run_length: consecutive windows that are drawn together and share their encodings;
            1 draws every window by itself; at most `seq_batch`.
        frames: `all` draws every labelled frame for the frame head; `mixed` only the mixed ones,
            where the frame head also learns from the frames of the windows.
        measured: whether the model sees measured numbers beside the pixels; or which ones.
        changes: whether it sees how each frame's pictures differ from its night's, instead of
            these themselves; needs `measured` and the transform `two_scale`.
        causes: names that a cause head is taught; None for all reasons where `measured`, else
            none.
        sampler: `plain` shuffles the frames; `balanced` draws both classes equally often.
        split: how nights are divided; None for `SplitSpec()`.
        cache_dir: where looks at files are kept.
        workers: files read at the same time; 0 means one per core.
        processes: read in processes instead of threads: faster, but only for programs with an
            `if __name__ == "__main__"`.
        seed: of the draws.
    """

    def __init__(
        self,
        seq_dirs: Sequence[str | Path] = (),
        mixed_dirs: Sequence[str | Path] = (),
        *,
        label_csv: str = "",
        label_dirs: Sequence[str] = (),
        labels_from_names: bool = False,
        max_gap_h: float = 4.0,
        transform: Transform | None = None,
        img_size: int = 128,
        window: int = 9,
        frame_batch: int = 32,
        seq_batch: int = 8,
        run_length: int = 8,
        frames: Literal["all", "mixed"] = "all",
        measured: bool | InputSpec = False,
        changes: bool = False,
        causes: Sequence[str] | None = None,
        sampler: Literal["plain", "balanced"] = "plain",
        split: SplitSpec | None = None,
        cache_dir: str | Path = "outputs/cache",
        workers: int = 0,
        processes: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if img_size < 16:
            raise NightsiftError(f"data.img_size must be at least 16, got {img_size}")
        self.drawing = Drawing(
            window=window,
            frame_batch=frame_batch,
            seq_batch=seq_batch,
            run_length=run_length,
            frames=frames,
            sampler=sampler,
            seed=seed,
        )
        self.sources = Sources(
            mixed_dirs=[Path(folder) for folder in mixed_dirs],
            seq_dirs=[Path(folder) for folder in seq_dirs],
            label_csv=[Path(label_csv)] if label_csv else [],
            label_dirs=[Path(folder) for folder in label_dirs],
            labels_from_names=labels_from_names,
            max_gap_h=max_gap_h,
        )
        self.inputs = measured if isinstance(measured, InputSpec) else None
        if measured is True:
            self.inputs = measured_inputs(changes=changes)
        if changes and not measured:
            raise NightsiftError("data.changes=true needs data.measured=true")
        if causes is None:
            causes = known_causes() if measured else []
        self.causes = list(causes)
        self.wanted = Wanted(
            transform=transform or Robust(),
            img_size=img_size,
            measure=AllFeatures() if measured else None,
        )
        self.cache_dir = Path(cache_dir)
        self.store = LookStore(self.cache_dir)
        self.workers = workers
        self.processes = processes
        self.split_spec = split or SplitSpec()
        self.bar: Bar = no_bar
        self._nights: NightSet | None = None
        self._split: Split | None = None
        self._members: list[Member] = []

    @property
    def nights(self) -> NightSet:
        """Every night found; after `setup`."""
        if self._nights is None:
            raise RuntimeError("call setup() first")
        return self._nights

    @property
    def split(self) -> Split:
        """Which part each frame belongs to; after `setup` for anything but prediction."""
        if self._split is None:
            raise RuntimeError("call setup() first")
        return self._split

    @property
    def changes(self) -> dict[str, Planes]:
        """Planes of what changed, by name of the night; empty where the model sees none."""
        kept = {member.night.name: member.changes for member in self._members}
        return {name: planes for name, planes in kept.items() if planes is not None}

    @property
    def card_facts(self) -> dict[str, Any]:
        """What the card of a model must say about its input, as JSON primitives."""
        transform = self.wanted.transform
        assert transform is not None
        return {
            "transform": transform.spec(),
            "img_size": self.wanted.img_size,
            "window": self.drawing.window,
            "inputs": self.inputs.to_json() if self.inputs else {},
            "causes": list(self.causes),
        }

    @property
    def split_facts(self) -> dict[str, Any]:
        """What the card of a model must say about the nights it has seen."""
        nights = self.nights.nights
        return {
            "splits": {part: self.split.names(part) for part in PARTS},
            "fingerprints": {night.name: night.fingerprint for night in nights},
        }

    def prepare_data(self) -> None:
        """Read every file once, in one process: the others find the looks in the cache."""
        self._read()

    def setup(self, stage: str | None = None) -> None:
        """Read and group, and for all but prediction split; neither is done twice.

        Raises:
            NightsiftError: no data; for fitting: not both classes in the training part, or no
                label in the validation part.
        """
        self._read()
        if stage == "predict":
            return
        if self._split is None:
            self._split = split_nights(
                self.nights.nights, self.split_spec, window=self.drawing.window
            )
        if stage in ("fit", None):
            self._check_labels()

    def _check_labels(self) -> None:
        counts = self.class_counts
        if not counts.frame_good or not counts.frame_bad:
            raise NightsiftError(
                "training needs good and bad labelled frames, the training part has "
                f"{counts.frame_good} good and {counts.frame_bad} bad "
                f"({self.nights.summary()}): add labels or change data.split"
            )
        if not any((member.labels[rows] >= 0).any() for member, rows in self._parts("val")):
            raise NightsiftError("validation has no labelled frame: change data.split")

    def _read(self) -> None:
        if self._nights is not None:
            return
        nights = read_nights(
            self.sources,
            self.wanted,
            self.store,
            workers=self.workers,
            processes=self.processes,
            bar=self.bar,
        )
        inputs = compute_inputs(
            self.inputs, nights.nights, workers=self.workers, processes=self.processes
        )
        changes: list[Planes] | list[None] = [None] * len(nights.nights)
        if self.inputs is not None and self.inputs.changes:
            changes = kept_changes(
                nights.nights,
                self.wanted,
                self.cache_dir,
                workers=self.workers,
                processes=self.processes,
            )
        self._members = [
            make_member(number, night, own, self.causes, planes)
            for number, (night, own, planes) in enumerate(
                zip(nights.nights, inputs, changes, strict=True)
            )
        ]
        self._nights = nights

    @property
    def class_counts(self) -> ClassCounts:
        """Labelled training frames by class."""
        parts = self._parts("train")
        frames = labels_of(parts)
        steps = labels_of([part for part in parts if part[0].night.ordered])
        return ClassCounts(
            *(int(np.sum(own == value)) for own in (frames, steps) for value in (0, 1))
        )

    def _parts(self, part: str) -> list[Part]:
        """The nights that have frames in a part, and their rows."""
        found = [(member, self.split.rows(member.night, part)) for member in self._members]
        return [(member, rows) for member, rows in found if len(rows)]

    def train_dataloader(self) -> CombinedLoader:
        """Frames and windows side by side; the shorter loader adds nothing once it has ended."""
        # Lightning sets it outside of its constructor, where mypy does not look.
        fixed = getattr(self.trainer, "overfit_batches", 0) > 0
        loaders = training_loaders(self._parts("train"), self.drawing, self._share, fixed=fixed)
        return CombinedLoader(loaders, mode="max_size")

    def val_dataloader(self) -> DataLoader[NightBatch]:
        """Validation nights in order."""
        return self._night_loader("validation", self._parts("val"))

    def test_dataloader(self) -> DataLoader[NightBatch]:
        """Test nights in order."""
        return self._night_loader("test", self._parts("test"))

    def predict_dataloader(self) -> DataLoader[NightBatch]:
        """All nights in order, whatever part they belong to."""
        whole = [(member, np.arange(len(member.night))) for member in self._members]
        return self._night_loader("prediction", whole)

    def _night_loader(self, name: str, parts: list[Part]) -> DataLoader[NightBatch]:
        if not parts:
            raise NightsiftError(f"no frames in the {name} part: change data.split")
        return night_loader(parts, self.drawing.window, self._share)

    @property
    def _share(self) -> Share:
        if self.trainer is None:
            return Share()
        return Share(self.trainer.global_rank, self.trainer.world_size)
