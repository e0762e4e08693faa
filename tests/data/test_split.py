from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nightsift.data.catalogue import NightData, Record
from nightsift.data.split import SplitSpec, assign_splits
from nightsift.errors import NightsiftError


def night(name: str, labels: str, *, ordered: bool = True) -> NightData:
    """`night("a", "ggb.")`: one frame per letter, good, bad or unlabelled."""
    values = {"g": 0, "b": 1, ".": None}
    records = [
        Record(Path(name, str(i)), night=name, label=values[c]) for i, c in enumerate(labels)
    ]
    return NightData(name, tuple(records), ordered, timed=True)


def splits(nights: list[NightData]) -> dict[str, set[str]]:
    return {n.name: {r.split for r in n.records} for n in nights}


def test_a_night_is_never_divided_and_every_part_has_both_classes():
    nights = [night(f"n{i}", "g" * 20 + "b" * (5 if i % 2 else 0)) for i in range(8)]
    assign_splits(nights, SplitSpec(), window=9)
    parts = splits(nights)
    assert all(len(part) == 1 for part in parts.values())
    for part in ("train", "val", "test"):
        labels = {r.label for n in nights for r in n.records if r.split == part}
        assert labels == {0, 1}


def test_every_part_gets_a_night_with_windows():
    nights = [night(f"n{i}", "ggb" * 10) for i in range(3)]
    nights += [night(f"m{i}", "gb"[i % 2], ordered=False) for i in range(60)]
    assign_splits(nights, SplitSpec(deal_mixed=True), window=9)
    parts = {r.split for n in nights if n.ordered for r in n.records}
    assert parts == {"train", "val", "test"}
    labelled = [r.split for n in nights for r in n.records]
    assert labelled.count("train") > labelled.count("test") > 0


def test_mixed_frames_are_trained_on_unless_nights_are_few():
    nights = [night(f"n{i}", "ggb" * 10) for i in range(3)]
    mixed = [night(f"m{i}", "gb"[i % 2], ordered=False) for i in range(30)]
    assign_splits([*nights, *mixed], SplitSpec(), window=9)
    assert {r.split for n in mixed for r in n.records} == {"train"}
    assert {r.split for n in nights for r in n.records} == {"train", "val", "test"}
    assign_splits([nights[0], *mixed], SplitSpec(), window=9)
    assert {r.split for n in mixed for r in n.records} == {"train", "val", "test"}


def test_the_same_seed_gives_the_same_split_and_shares_are_close():
    def run(seed: int) -> list[str]:
        nights = [night(f"n{i}", "gggb" * (5 + i)) for i in range(12)]
        assign_splits(nights, SplitSpec(seed=seed), window=9)
        return [r.split for n in nights for r in n.records]

    first = run(0)
    assert first == run(0)
    assert first.count("val") / len(first) == pytest.approx(0.2, abs=0.08)
    assert first.count("test") / len(first) == pytest.approx(0.2, abs=0.08)


@pytest.mark.parametrize("name", ["n1", "n1#2"])
def test_leave_one_night_out_also_by_folder(name):
    nights = [night("n0", "gb" * 9), night("n1#1", "gb" * 9), night("n1#2", "gb" * 9)]
    nights += [night("n2", "gb" * 9), night("n3", "gb" * 9)]
    assign_splits(nights, SplitSpec(leave_out=name), window=9)
    parts = splits(nights)
    assert parts["n1#2"] == {"test"}
    assert (parts["n1#1"] == {"test"}) == (name == "n1")
    assert {"train"} in parts.values()
    assert {"val"} in parts.values()


def test_named_nights_go_where_they_are_named():
    nights = [night(f"n{i}", "gb" * 9) for i in range(4)]
    assign_splits(nights, SplitSpec(val_nights=["n3"], test_nights=["n0"]), window=9)
    parts = splits(nights)
    assert parts == {"n0": {"test"}, "n1": {"train"}, "n2": {"train"}, "n3": {"val"}}


def test_a_single_night_is_cut_into_blocks_with_a_gap_and_a_warning(caplog):
    only = night("n", "gb" * 50)
    with caplog.at_level(logging.WARNING):
        assign_splits([only], SplitSpec(), window=9)
    assert "numbers will flatter" in caplog.text
    order = [r.split for r in only.records]
    edges = [i for i in range(1, 100) if order[i] != order[i - 1]]
    assert [order[0], *(order[i] for i in edges)] == ["train", "gap", "val", "gap", "test"]
    assert edges[1] - edges[0] == edges[3] - edges[2] == 9
    assert order.count("train") == pytest.approx(0.6 * 82, abs=1)


def test_unlabelled_nights_are_no_test():
    nights = [night(f"n{i}", "gb" * 9) for i in range(3)] + [night("u", "....")]
    assign_splits(nights, SplitSpec(), window=9)
    assert splits(nights)["u"] == {"train"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (SplitSpec(leave_out="x"), "no night is called 'x'; there are: n0, n1"),
        (SplitSpec(val_nights=["n0"], test_nights=["n0"]), "named twice"),
    ],
)
def test_wrong_names_are_refused(spec, message):
    nights = [night("n0", "gb" * 9), night("n1", "gb" * 9)]
    with pytest.raises(NightsiftError, match=message):
        assign_splits(nights, spec, window=9)


def test_a_night_shorter_than_its_gaps_is_refused():
    with pytest.raises(NightsiftError, match="too short to cut"):
        assign_splits([night("n", "gb" * 5)], SplitSpec(), window=9)


def test_fractions_must_leave_something_to_train_on():
    with pytest.raises(ValueError, match="leave something"):
        SplitSpec(val_fraction=0.5, test_fraction=0.5)
