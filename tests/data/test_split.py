"""Whole nights to parts, as a value beside the nights."""

from __future__ import annotations

import logging
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from nightsift.data.split import Split, SplitSpec, split_nights
from nightsift.errors import NightsiftError
from nightsift.night.night import Night
from values import labelled


def parts_of(nights: list[Night], spec: SplitSpec, window: int = 9) -> dict[str, set[str]]:
    split = split_nights(nights, spec, window=window)
    return {night.name: set(split.of(night)) for night in nights}


def test_a_night_is_never_divided_and_every_part_has_both_classes():
    nights = [labelled(f"n{i}", "g" * 20 + "b" * (5 if i % 2 else 0)) for i in range(8)]
    split = split_nights(nights, SplitSpec(), window=9)
    assert all(len(set(split.of(night))) == 1 for night in nights)
    for part in ("train", "val", "test"):
        labels = [night.label_values[split.rows(night, part)] for night in nights]
        assert set(np.concatenate(labels)) == {0, 1}


def test_every_part_gets_a_night_with_windows():
    nights = [labelled(f"n{i}", "ggb" * 10) for i in range(3)]
    loose = [labelled(f"m{i}", "gb"[i % 2], ordered=False) for i in range(60)]
    split = split_nights([*nights, *loose], SplitSpec(deal_mixed=True), window=9)
    assert {str(split.of(night)[0]) for night in nights} == {"train", "val", "test"}
    every = [str(part) for night in [*nights, *loose] for part in split.of(night)]
    assert every.count("train") > every.count("test") > 0


def test_mixed_frames_are_trained_on_unless_nights_are_few():
    nights = [labelled(f"n{i}", "ggb" * 10) for i in range(3)]
    mixed = [labelled(f"m{i}", "gb"[i % 2], ordered=False) for i in range(30)]
    parts = parts_of([*nights, *mixed], SplitSpec())
    assert set.union(*(parts[night.name] for night in mixed)) == {"train"}
    assert set.union(*(parts[night.name] for night in nights)) == {"train", "val", "test"}
    parts = parts_of([nights[0], *mixed], SplitSpec())
    assert set.union(*(parts[night.name] for night in mixed)) == {"train", "val", "test"}


def test_the_same_seed_gives_the_same_split_and_shares_are_close():
    nights = [labelled(f"n{i}", "gggb" * (5 + i)) for i in range(12)]

    def run(seed: int) -> list[str]:
        split = split_nights(nights, SplitSpec(seed=seed), window=9)
        return [str(part) for night in nights for part in split.of(night)]

    first = run(0)
    assert first == run(0)
    assert any(first != run(seed) for seed in range(1, 4))
    assert first.count("val") / len(first) == pytest.approx(0.2, abs=0.08)
    assert first.count("test") / len(first) == pytest.approx(0.2, abs=0.08)


@pytest.mark.parametrize("name", ["n1", "n1 2025-03-02 R"])
def test_leave_one_night_out_also_by_folder(name):
    names = ("n0", "n1 2025-03-01 R", "n1 2025-03-02 R", "n2", "n3")
    nights = [labelled(n, "gb" * 9, folder=n.split()[0]) for n in names]
    parts = parts_of(nights, SplitSpec(leave_out=name))
    assert parts["n1 2025-03-02 R"] == {"test"}
    assert (parts["n1 2025-03-01 R"] == {"test"}) == (name == "n1")
    assert {"test"} not in [parts[n] for n in ("n0", "n2", "n3")]
    assert {"train"} in parts.values()
    assert {"val"} in parts.values()


def test_named_nights_go_where_they_are_named():
    nights = [labelled(f"n{i}", "gb" * 9) for i in range(4)]
    parts = parts_of(nights, SplitSpec(val_nights=["n3"], test_nights=["n0"]))
    assert parts == {"n0": {"test"}, "n1": {"train"}, "n2": {"train"}, "n3": {"val"}}


def test_a_single_night_is_cut_into_blocks_with_a_gap_and_a_warning(caplog):
    only = labelled("n", "gb" * 50)
    with caplog.at_level(logging.WARNING):
        split = split_nights([only], SplitSpec(), window=9)
    assert "numbers will flatter" in caplog.text
    order = split.of(only).tolist()
    edges = [i for i in range(1, 100) if order[i] != order[i - 1]]
    assert [order[0], *(order[i] for i in edges)] == ["train", "gap", "val", "gap", "test"]
    assert edges[1] - edges[0] == edges[3] - edges[2] == 9
    assert order.count("train") == pytest.approx(0.6 * 82, abs=1)


def test_unlabelled_nights_are_no_test():
    nights = [labelled(f"n{i}", "gb" * 9) for i in range(3)] + [labelled("u", "....")]
    assert parts_of(nights, SplitSpec())["u"] == {"train"}


def test_a_split_is_a_value_that_answers_for_every_night():
    nights = [labelled(f"n{i}", "gb" * 9) for i in range(4)]
    spec = SplitSpec(val_nights=["n3"], test_nights=["n0"])
    split = split_nights(nights, spec, window=9)
    assert [split.names(part) for part in ("train", "val", "test")] == [
        ["n1", "n2"],
        ["n3"],
        ["n0"],
    ]
    np.testing.assert_array_equal(split.rows(nights[3], "val"), np.arange(18))
    assert len(split.rows(nights[3], "train")) == 0
    stranger = labelled("x", "gbg")
    assert split.of(stranger).tolist() == ["", "", ""]
    assert len(Split().rows(nights[0], "train")) == 0
    with pytest.raises(FrozenInstanceError, match="cannot assign"):
        split.parts = {}  # type: ignore[misc]


def test_moving_nights_makes_another_split():
    nights = [labelled(f"n{i}", "gb" * 9) for i in range(4)]
    split = split_nights(nights, SplitSpec(val_nights=["n3"], test_nights=["n0"]), window=9)
    moved = split.moved([nights[1], nights[3]], "calibration")
    assert moved.names("calibration") == ["n1", "n3"]
    assert moved.of(nights[1]).tolist() == ["calibration"] * 18
    assert moved.names("train") == ["n2"]
    assert split.names("val") == ["n3"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (SplitSpec(leave_out="x"), "no night is called 'x'; there are: n0, n1"),
        (SplitSpec(val_nights=["n0"], test_nights=["n0"]), "night n0 is named twice"),
    ],
)
def test_wrong_names_are_refused(spec, message):
    nights = [labelled("n0", "gb" * 9), labelled("n1", "gb" * 9)]
    with pytest.raises(NightsiftError, match=message):
        split_nights(nights, spec, window=9)


def test_a_night_shorter_than_its_gaps_is_refused():
    with pytest.raises(NightsiftError, match="too short to cut"):
        split_nights([labelled("n", "gb" * 5)], SplitSpec(), window=9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "leave something"),
        ({"val_fraction": -0.1}, "leave something"),
        ({"by": "filter"}, "night or telescope, got 'filter'"),
        ({"fold": 0, "leave_out": "n1"}, "all name the test"),
        ({"fold": 0, "test_nights": ["n1"]}, "all name the test"),
    ],
)
def test_impossible_specifications_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SplitSpec(**arguments)


def series(name: str, nights: int) -> list[Night]:
    """Nights of two frames that were compared with each other."""
    return [labelled(f"{name}{i}", "gb", unit=f"series {name}") for i in range(nights)]


@pytest.mark.parametrize("seed", range(5))
def test_frames_that_were_compared_with_each_other_are_never_parted(seed):
    nights = [*(labelled(f"n{i}", "gb" * 9) for i in range(4)), *series("s", 12)]
    parts = parts_of(nights, SplitSpec(seed=seed))
    assert len(set.union(*(parts[f"s{i}"] for i in range(12)))) == 1
    assert set.union(*parts.values()) == {"train", "val", "test"}


def test_a_night_that_is_named_takes_its_series_along():
    nights = [*(labelled(f"n{i}", "gb" * 9) for i in range(4)), *series("s", 3)]
    parts = parts_of(nights, SplitSpec(leave_out="s1"))
    assert [parts[f"s{i}"] for i in range(3)] == [{"test"}] * 3
    assert {"test"} not in [parts[f"n{i}"] for i in range(4)]
    spec = SplitSpec(val_nights=["s0"], test_nights=["s1"])
    with pytest.raises(NightsiftError, match=r"series s, whose nights are compared .* named twice"):
        split_nights(nights, spec, window=9)


def test_a_series_alone_is_cut_into_blocks_of_nights(caplog):
    nights = [labelled(f"s{i}", "gb"[i % 2], unit="series s") for i in range(40)]
    split = split_nights(nights, SplitSpec(), window=3)
    assert "only 1 labelled night" in caplog.text
    parts = [str(split.of(night)[0]) for night in nights]
    assert [part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]] == [
        *("train", "gap", "val", "gap", "test")
    ]
    assert parts.count("gap") == 6
