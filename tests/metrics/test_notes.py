import dataclasses

import numpy as np
import pytest

from nightsift.metrics.bootstrap import score_table
from nightsift.metrics.notes import metrics_notes
from nightsift.metrics.threshold import Objective, choose_threshold


def part(n_bad, n_good, *, sequence=None):
    """Scores of a part with so many frames, of the sequence head with `sequence` of them."""
    label = np.r_[np.ones(n_bad), np.zeros(n_good)]
    prob = np.linspace(0.9, 0.1, len(label))

    def scores(n):
        return score_table(prob[:n], label[:n], np.zeros(n), 0.5, resamples=0)

    n = len(label)
    return {"frame": scores(n), "sequence": scores(sequence or n), "fused": scores(n)}


def metrics(threshold=0.5, choice=None, **splits):
    data = {"threshold": threshold, "splits": splits}
    return data if choice is None else {**data, "threshold_choice": choice}


def test_two_classes_and_a_tuned_threshold_need_no_words():
    choice = choose_threshold([0.2, 0.8], [0, 1], Objective())
    both = metrics(choice.threshold, dataclasses.asdict(choice), val=part(3, 5), test=part(4, 9))
    assert metrics_notes(both) == []
    assert metrics_notes(metrics(test=part(1, 1))) == []


@pytest.mark.parametrize(("counts", "text"), [((19, 0), "19 bad and 0 good"), ((0, 7), "0 bad")])
def test_a_part_with_one_class_is_said_once(counts, text):
    (note,) = metrics_notes(metrics(val=part(3, 5), test=part(*counts)))
    assert note.startswith(f"test: {text}")


def test_a_head_that_saw_one_class_alone_is_named():
    (note,) = metrics_notes(metrics(test=part(3, 5, sequence=3)))
    assert note.startswith("test, sequence: 3 bad and 0 good")


def test_without_a_test_part_there_is_nothing_to_quote():
    assert metrics_notes(metrics(val=part(1, 1))) == [
        "test: no labelled frames; none of these numbers is one to quote"
    ]
    assert metrics_notes(metrics()) == ["no labelled frames: nothing was measured"]


@pytest.mark.parametrize(
    ("prob", "label", "why"),
    [
        ([], [], "no labelled frame"),
        ([0.2, 0.4], [1, 1], "only bad frames are labelled"),
        ([0.3, 0.3], [0, 1], "all scores are equal"),
    ],
)
def test_a_threshold_that_no_validation_could_choose_is_said(prob, label, why):
    choice = choose_threshold(prob, label, Objective())
    data = metrics(choice.threshold, dataclasses.asdict(choice), test=part(1, 1))
    assert metrics_notes(data) == [f"threshold 0.5000 is a default, none could be tuned: {why}"]


def test_a_threshold_without_a_record_or_another_than_the_tuned_one_is_said():
    tuned = dataclasses.asdict(choose_threshold([0.1, 0.5], [0, 1], Objective()))
    for data, text in (
        (metrics(None, {}, test=part(1, 1)), "no threshold was chosen"),
        (metrics(0.5, {}, test=part(1, 1)), "threshold 0.5000: there is no record"),
        (metrics(0.5, tuned, test=part(1, 1)), "0.5000 was given, 0.3000 is the tuned one"),
    ):
        (note,) = metrics_notes(data)
        assert text in note
