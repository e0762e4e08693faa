from __future__ import annotations

import numpy as np
import pytest

from nightsift.models.fusion import POLICIES, fuse

FRAME = np.array([0.2, 0.9, 0.5])
SEQ = np.array([0.6, 0.1, np.nan])


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("weighted", [0.28, 0.74, 0.5]),
        ("frame_only", [0.2, 0.9, 0.5]),
        ("seq_center_only", [0.6, 0.1, 0.5]),
        ("max_prob", [0.6, 0.9, 0.5]),
        ("avg_prob", [0.4, 0.5, 0.5]),
    ],
)
def test_each_policy_on_known_numbers(policy, expected):
    np.testing.assert_allclose(fuse(FRAME, SEQ, policy=policy), expected)


def test_fault_1_policies_differ_for_every_frame_of_a_night():
    """Published: fusion needs as many windows as frames, so all policies print the same."""
    results = [tuple(fuse(FRAME[:2], SEQ[:2], policy=policy)) for policy in POLICIES]
    assert len(set(results)) == len(POLICIES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"policy": "best"}, "must be one of weighted"),
        ({"frame_weight": 1.5}, "0-1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fuse(FRAME, SEQ, **arguments)


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one prob_seq per frame"):
        fuse(FRAME, SEQ[:2])
