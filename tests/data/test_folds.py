"""Folds: each labelled night is tested once, by a model that has not seen its group."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nightsift.data.folds import left_out_fold
from nightsift.data.split import SplitSpec, split_nights
from nightsift.errors import NightsiftError
from nightsift.night.night import Night
from values import labelled


@pytest.fixture
def nights() -> list[Night]:
    """Twelve nights of five telescopes, from clear to half bad; one unlabelled, one loose."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(12):
        bad = rng.random(int(rng.integers(20, 60))) < 0.05 * i
        letters = "".join("b" if one else "g" for one in bad)
        found.append(labelled(f"n{i:02d}", letters, telescope=f"T{i % 5}"))
    found.append(labelled("unlabelled", "....", telescope="T9"))
    found.append(labelled("loose", "gb", ordered=False, telescope="T8"))
    return found


def folds_of(nights: list[Night], folds: int, by: str, seed: int = 0) -> list[list[str]]:
    names = {night.name for night in nights if night.ordered and (night.label_values >= 0).any()}
    telescopes = {night.looks[0].info.telescope for night in nights if night.name in names}
    count = folds or len(names if by == "night" else telescopes)
    return [
        [night.name for night in left_out_fold(nights, fold, folds, by=by, seed=seed)]
        for fold in range(count)
    ]


@pytest.mark.parametrize("folds", [0, 2, 3, 5, 12])
@pytest.mark.parametrize("seed", [0, 1])
def test_each_labelled_night_is_in_exactly_one_fold(nights, folds, seed):
    found = folds_of(nights, folds, "night", seed)
    assert all(found)
    assert Counter(name for fold in found for name in fold) == {f"n{i:02d}": 1 for i in range(12)}


@pytest.mark.parametrize("folds", [0, 2, 5])
def test_a_telescope_is_never_cut(nights, folds):
    found = folds_of(nights, folds, "telescope")
    assert all(found)
    assert Counter(name for fold in found for name in fold) == {f"n{i:02d}": 1 for i in range(12)}
    for telescope in range(5):
        own = {f"n{i:02d}" for i in range(12) if i % 5 == telescope}
        assert sum(bool(own & set(fold)) for fold in found) == 1


def test_the_share_of_bad_frames_is_alike_in_all_folds(nights):
    values = {night.name: night.label_values for night in nights}
    shares = [
        np.concatenate([values[name] for name in fold]).mean()
        for fold in folds_of(nights, 3, "night")
    ]
    assert max(shares) - min(shares) < 0.1


def test_another_seed_deals_otherwise_and_the_same_seed_alike(nights):
    assert folds_of(nights, 3, "night", 1) == folds_of(nights, 3, "night", 1)
    assert any(
        folds_of(nights, 3, "night", seed) != folds_of(nights, 3, "night") for seed in (1, 2, 3)
    )


@pytest.mark.parametrize("by", ["night", "telescope"])
def test_the_test_part_of_a_split_is_the_fold(nights, by):
    for fold in range(3):
        spec = SplitSpec(fold=fold, folds=3, by=by)
        split = split_nights(nights, spec, window=9)
        own = left_out_fold(nights, fold, 3, by=by, seed=0)
        assert split.names("test") == sorted(night.name for night in own)
        assert split.names("val")
        assert {"unlabelled", "loose"} <= set(split.names("train"))


@pytest.mark.parametrize("letters", [["gggg"] * 4, ["gggb", "gggg", "gggg", "gggg"], ["bbbb"] * 4])
def test_few_or_no_bad_frames_are_no_hindrance(letters):
    """Also without a warning from the library that deals."""
    nights = [labelled(f"n{i}", text) for i, text in enumerate(letters)]
    found = folds_of(nights, 3, "night")
    assert all(found)
    assert sorted(name for fold in found for name in fold) == ["n0", "n1", "n2", "n3"]


def test_no_fold_is_empty_however_the_frames_lie():
    rng = np.random.default_rng(3)
    for _ in range(60):
        count = int(rng.integers(2, 9))
        nights = [
            labelled(f"n{i}", "g" * int(rng.integers(0, 30)) + "b" * int(rng.integers(1, 30)))
            for i in range(count)
        ]
        folds = int(rng.integers(2, count + 1))
        found = folds_of(nights, folds, "night", int(rng.integers(5)))
        assert all(found), [night.label_values.tolist() for night in nights]
        assert sum(map(len, found)) == count


@pytest.mark.parametrize(
    ("fold", "folds", "by", "message"),
    [
        (3, 3, "night", "no fold 3 of 3: there are 12 labelled groups by night"),
        (0, 13, "night", "no fold 0 of 13: there are 12"),
        (0, 6, "telescope", r"no fold 0 of 6: there are 5 labelled groups by telescope \(T0, T1"),
        (12, 0, "night", "no fold 12 of 12"),
        (0, 1, "night", "no fold 0 of 1"),
    ],
)
def test_a_fold_that_cannot_be_is_refused(nights, fold, folds, by, message):
    with pytest.raises(NightsiftError, match=message):
        left_out_fold(nights, fold, folds, by=by, seed=0)


def test_fewer_frames_than_folds_are_refused():
    nights = [labelled(f"n{i}", letters) for i, letters in enumerate(["gb", "g", "b."])]
    with pytest.raises(NightsiftError, match=r"3 folds need as many labelled frames .* 4 in all"):
        left_out_fold(nights, 0, 3, by="night", seed=0)


def test_one_group_cannot_be_left_out():
    nights = [labelled("n0", "gb" * 9), labelled("n1", "gb" * 9)]
    with pytest.raises(NightsiftError, match=r"no fold 0 of 1: .* by telescope \(T\)"):
        left_out_fold(nights, 0, 0, by="telescope", seed=0)


def test_a_night_in_a_fold_cannot_be_named_for_validation(nights):
    spec = SplitSpec(
        fold=0, folds=12, val_nights=[left_out_fold(nights, 0, 12, by="night", seed=0)[0].name]
    )
    with pytest.raises(NightsiftError, match="is named twice"):
        split_nights(nights, spec, window=9)
