"""Splits by night, so that no frame is judged by a model that has seen its own night."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nightsift.data.catalogue import NightData
from nightsift.errors import NightsiftError

log = logging.getLogger(__name__)

PARTS = ("train", "val", "test")
# Frames between two blocks of one night that belong to no part.
GAP = "gap"
_TRIES = 500


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
    deal_mixed: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.val_fraction, self.test_fraction) < 0 or (
            self.val_fraction + self.test_fraction >= 1
        ):
            raise ValueError("data.split: fractions must be >= 0 and leave something to train on")


def assign_splits(nights: Sequence[NightData], spec: SplitSpec, *, window: int) -> None:
    """Set `split` of every record to train, val, test or gap.

    Named nights go where they were named. The others are dealt to the parts so that, first,
    every part holds good and bad labelled frames and a night with windows where that is
    possible, and second, the shares of labelled frames come close to the fractions. Where
    there are fewer labelled nights than parts to fill, each night is cut into contiguous blocks
    with a gap of one window, with a warning: neighbouring frames are alike, so such numbers
    flatter.

    Args:
        nights: all nights; their records are changed in place.
        spec: how to divide.
        window: frames per window, the length of the gap.

    Raises:
        NightsiftError: a named night does not exist, or is named twice.
    """
    fixed = _named(nights, spec)
    for night in nights:
        if night.name in fixed:
            _set(night, fixed[night.name])
    free = [night for night in nights if night.name not in fixed]
    open_parts = {"train": 1.0}
    if "val" not in fixed.values():
        open_parts["val"] = spec.val_fraction
    if "test" not in fixed.values():
        open_parts["test"] = spec.test_fraction
    open_parts = {part: share for part, share in open_parts.items() if share > 0}
    open_parts["train"] = 1 - sum(share for part, share in open_parts.items() if part != "train")
    labelled = [night for night in free if night.labels]
    for night in free:
        if not night.labels:
            _set(night, "train")  # unlabelled: never trained on, never counted
    ordered = [night for night in labelled if night.ordered]
    if not spec.deal_mixed and len(ordered) >= len(open_parts):
        for night in labelled:
            _set(night, "train")
        labelled = ordered
    if not labelled:
        return
    if len(labelled) < len(open_parts):
        _cut_into_blocks(labelled, open_parts, window)
        return
    for night, part in zip(labelled, _deal(labelled, open_parts, spec.seed), strict=True):
        _set(night, part)


def _named(nights: Sequence[NightData], spec: SplitSpec) -> dict[str, str]:
    wanted = [(name, "val") for name in spec.val_nights]
    wanted += [(name, "test") for name in spec.test_nights]
    if spec.leave_out:
        wanted.append((spec.leave_out, "test"))
    fixed: dict[str, str] = {}
    for name, part in wanted:
        members = match_nights(name, nights)
        for night in members:
            if fixed.setdefault(night.name, part) != part:
                raise NightsiftError(f"data.split: night {night.name} is named twice")
    return fixed


def match_nights(name: str, nights: Sequence[NightData]) -> list[NightData]:
    """The nights called `name`, or all nights of the folder of that name.

    Raises:
        NightsiftError: there are none; lists the names there are.
    """
    members = [night for night in nights if name in (night.name, night.name.partition("#")[0])]
    if not members:
        known = ", ".join(night.name for night in nights[:20])
        raise NightsiftError(f"no night is called {name!r}; there are: {known}")
    return members


def _set(night: NightData, part: str) -> None:
    for record in night.records:
        record.split = part


def _deal(nights: Sequence[NightData], parts: dict[str, float], seed: int) -> list[str]:
    """The best of many seeded deals, or of all of them where they are few."""
    names = list(parts)
    counts = np.array([[night.labels.count(0), night.labels.count(1)] for night in nights])
    if len(names) ** len(nights) <= _TRIES:
        deals = [list(deal) for deal in itertools.product(range(len(names)), repeat=len(nights))]
    else:
        rng = np.random.default_rng(seed)
        shares = np.array(list(parts.values()))
        deals = [list(rng.choice(len(names), len(nights), p=shares)) for _ in range(_TRIES)]
    order = np.random.default_rng(seed).permutation(len(deals))
    ordered = np.array([night.ordered for night in nights])
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


def _cut_into_blocks(nights: Sequence[NightData], parts: dict[str, float], window: int) -> None:
    log.warning(
        "only %d labelled night(s) for %s: cut into contiguous blocks with a gap of %d frames. "
        "Frames of one night are alike, so the numbers will flatter; add nights for honest ones",
        len(nights),
        " + ".join(parts),
        window,
    )
    cut = 0
    for night in nights:
        usable = len(night.records) - window * (len(parts) - 1)
        _set(night, "train")  # what is too short to cut is trained on
        if usable >= len(parts):
            cut += 1
            _set_blocks(night, parts, usable, window)
    if not cut:
        raise NightsiftError(
            f"every labelled night is too short to cut into {' + '.join(parts)} with gaps of "
            f"{window} frames: add nights or set data.window lower"
        )


def _set_blocks(night: NightData, parts: dict[str, float], usable: int, window: int) -> None:
    _set(night, GAP)
    ends = [0, *np.round(np.cumsum(list(parts.values())) * usable).astype(int)]
    for number, part in enumerate(parts):
        shift = number * window
        for record in night.records[ends[number] + shift : ends[number + 1] + shift]:
            record.split = part
