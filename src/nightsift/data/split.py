"""Splits by night, so that no frame is judged by a model that has seen its own night."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nightsift.data.folds import left_out_fold
from nightsift.errors import NightsiftError
from nightsift.night.night import Night, match_nights

log = logging.getLogger(__name__)

PARTS = ("train", "val", "test")
# Frames between two blocks of one night that belong to no part.
GAP = "gap"
_TRIES = 500
# Wide enough for every part: parts of a night are assigned to slices.
_PART = "<U11"


@dataclass(frozen=True)
class Split:
    """Which part each frame of each night belongs to.

    Attributes:
        parts: night name to (N,) parts, `train`, `val`, `test`, `gap` or `calibration`.
    """

    parts: Mapping[str, npt.NDArray[np.str_]] = field(default_factory=dict)

    def of(self, night: Night) -> npt.NDArray[np.str_]:
        """(N,) part of each frame; "" throughout for a night that is not split."""
        return self.parts.get(night.name, np.full(len(night), "", dtype=np.str_))

    def rows(self, night: Night, part: str) -> npt.NDArray[np.intp]:
        """Numbers of the frames of a night that belong to `part`, in time order."""
        return np.flatnonzero(self.of(night) == part)

    def names(self, part: str) -> list[str]:
        """Names of the nights of which at least one frame belongs to `part`."""
        return sorted(name for name, parts in self.parts.items() if part in parts)

    def moved(self, nights: Sequence[Night], part: str) -> Split:
        """The same with whole nights in `part`."""
        return Split({**self.parts, **{night.name: _whole(night, part) for night in nights}})


@dataclass(frozen=True, kw_only=True)
class SplitSpec:
    """How nights are divided.

    Attributes:
        val_fraction: share of the labelled frames that validation should get, 0-1.
        test_fraction: the same for the test.
        val_nights: names of nights that must be validation; a folder's name means all of
            its nights.
        test_nights: names of nights that must be the test.
        leave_out: one night (or folder of nights) that is the whole test; empty for none.
        fold: number of the fold that is the whole test, from 0; -1 for none. A sweep over
            all of them tests every labelled night once.
        folds: how many folds there are; 0 makes each group a fold of its own.
        by: what a group is that folds never cut: `night` or `telescope`.
        deal_mixed: whether mixed frames are dealt to all parts, as nights are. Otherwise they
            are trained on, and the model is judged on nights, which is what it is used for;
            without enough labelled nights they are dealt all the same.
        seed: of the choice of nights.
    """

    val_fraction: float = 0.2
    test_fraction: float = 0.2
    val_nights: Sequence[str] = ()
    test_nights: Sequence[str] = ()
    leave_out: str = ""
    fold: int = -1
    folds: int = 0
    by: str = "night"
    deal_mixed: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.val_fraction, self.test_fraction) < 0 or (
            self.val_fraction + self.test_fraction >= 1
        ):
            raise ValueError("data.split: fractions must be >= 0 and leave something to train on")
        if self.by not in ("night", "telescope"):
            raise ValueError(f"data.split.by must be night or telescope, got {self.by!r}")
        if self.fold >= 0 and (self.leave_out or self.test_nights):
            raise ValueError("data.split: fold, leave_out and test_nights all name the test")


def split_nights(nights: Sequence[Night], spec: SplitSpec, *, window: int) -> Split:
    """Divide frames into train, val and test, whole nights where there are enough.

    Short nights of a series that are compared with each other count as one night.

    Named nights go where they were named. The others are dealt to the parts so that, first,
    every part holds good and bad labelled frames and a night with windows where that is
    possible, and second, the shares of labelled frames come close to the fractions. Where
    there are fewer labelled nights than parts to fill, each night is cut into contiguous blocks
    with a gap of one window, with a warning: neighbouring frames are alike, so such numbers
    flatter.

    Args:
        nights: all nights.
        spec: how to divide.
        window: frames per window, the length of the gap.

    Raises:
        NightsiftError: a named night does not exist, or is named twice; no such fold.
    """
    fixed = _named(nights, spec)
    out = {night.name: _whole(night, fixed.get(night.name, "train")) for night in nights}
    free = [night for night in nights if night.name not in fixed]
    open_parts = {"train": 1.0}
    if "val" not in fixed.values():
        open_parts["val"] = spec.val_fraction
    if "test" not in fixed.values():
        open_parts["test"] = spec.test_fraction
    open_parts = {part: share for part, share in open_parts.items() if share > 0}
    open_parts["train"] = 1 - sum(share for part, share in open_parts.items() if part != "train")
    # Unlabelled nights stay where they are: never trained on, never counted.
    labelled = [night for night in free if (night.label_values >= 0).any()]
    ordered = [night for night in labelled if night.ordered]
    if not spec.deal_mixed and len(ordered) >= len(open_parts):
        labelled = ordered
    if not labelled:
        return Split(out)
    units = _units(labelled)
    if len(units) < len(open_parts):
        return Split(out | _cut_into_blocks(units, open_parts, window))
    for unit, part in zip(units, _deal(units, open_parts, spec.seed), strict=True):
        # Nights without labels lend frames to the others of a series, and go where those go.
        for night in free:
            if night.unit == unit[0].unit:
                out[night.name] = _whole(night, part)
    return Split(out)


def _units(nights: Sequence[Night]) -> list[list[Night]]:
    """Nights that no split parts from each other: those of a series of short ones, or one."""
    units: dict[str, list[Night]] = {}
    for night in nights:
        units.setdefault(night.unit, []).append(night)
    return list(units.values())


def _whole(night: Night, part: str) -> npt.NDArray[np.str_]:
    return np.full(len(night), part, dtype=_PART)


def _named(nights: Sequence[Night], spec: SplitSpec) -> dict[str, str]:
    wanted = [(name, "val") for name in spec.val_nights]
    wanted += [(name, "test") for name in spec.test_nights]
    if spec.leave_out:
        wanted.append((spec.leave_out, "test"))
    chosen = [(match_nights(name, nights), part) for name, part in wanted]
    if spec.fold >= 0:
        chosen.append(
            (left_out_fold(nights, spec.fold, spec.folds, by=spec.by, seed=spec.seed), "test")
        )
    parts: dict[str, str] = {}
    for members, part in chosen:
        for night in members:
            if parts.setdefault(night.unit, part) != part:
                raise NightsiftError(f"data.split: {_called(night)} is named twice")
    return {night.name: parts[night.unit] for night in nights if night.unit in parts}


def _called(night: Night) -> str:
    if night.unit == night.name:
        return f"night {night.name}"
    return f"{night.unit}, whose nights are compared with each other and cannot be parted,"


def _deal(units: Sequence[Sequence[Night]], parts: dict[str, float], seed: int) -> list[str]:
    """The best of many seeded deals, or of all of them where they are few."""
    names = list(parts)
    labels = [np.concatenate([night.label_values for night in unit]) for unit in units]
    counts = np.array([[np.sum(own == value) for value in (0, 1)] for own in labels])
    if len(names) ** len(units) <= _TRIES:
        deals = [list(deal) for deal in itertools.product(range(len(names)), repeat=len(units))]
    else:
        rng = np.random.default_rng(seed)
        shares = np.array(list(parts.values()))
        deals = [list(rng.choice(len(names), len(units), p=shares)) for _ in range(_TRIES)]
    order = np.random.default_rng(seed).permutation(len(deals))
    ordered = np.array([unit[0].ordered for unit in units])
    wanted = list(parts.values())
    best = min(order, key=lambda i: _cost(np.array(deals[i]), counts, ordered, wanted))
    return [names[part] for part in deals[best]]


def _cost(
    deal: np.ndarray, counts: np.ndarray, ordered: np.ndarray, shares: Sequence[float]
) -> tuple[int, int, int, float]:
    """Parts without frames, without a class, without windows; distance from the shares."""
    table = np.array([counts[deal == part].sum(axis=0) for part in range(len(shares))])
    sizes = table.sum(axis=1)
    distance = np.abs(sizes / max(1, sizes.sum()) - np.array(shares)).sum()
    windowless = len(shares) - len(np.unique(deal[ordered]))
    return int((sizes == 0).sum()), int((table == 0).sum()), windowless, float(distance)


def _cut_into_blocks(
    units: Sequence[Sequence[Night]], parts: dict[str, float], window: int
) -> dict[str, npt.NDArray[np.str_]]:
    log.warning(
        "only %d labelled night(s) for %s: cut into contiguous blocks with a gap of %d frames. "
        "Frames of one night are alike, so the numbers will flatter; add nights for honest ones",
        len(units),
        " + ".join(parts),
        window,
    )
    out: dict[str, npt.NDArray[np.str_]] = {}
    for unit in units:
        frames = sum(map(len, unit))
        # What is too short to cut is trained on.
        usable = frames - window * (len(parts) - 1)
        if usable >= len(parts):
            ends = np.cumsum([len(night) for night in unit])
            cut = np.split(_blocks(frames, parts, usable, window), ends[:-1])
            out |= {night.name: own for night, own in zip(unit, cut, strict=True)}
    if not out:
        raise NightsiftError(
            f"every labelled night is too short to cut into {' + '.join(parts)} with gaps of "
            f"{window} frames: add nights or set data.window lower"
        )
    return out


def _blocks(frames: int, parts: dict[str, float], usable: int, window: int) -> npt.NDArray[np.str_]:
    out = np.full(frames, GAP, dtype=_PART)
    ends = [0, *np.round(np.cumsum(list(parts.values())) * usable).astype(int)]
    for number, part in enumerate(parts):
        shift = number * window
        out[ends[number] + shift : ends[number + 1] + shift] = part
    return out
