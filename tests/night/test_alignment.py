"""Turning, mirroring and shifting points, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from nightsift.night.alignment import Alignment, frame_centre

CENTRE = frame_centre((600, 800))
NO_PAIRS = np.empty((0, 2), dtype=np.intp)
TURNED = Alignment(30.0, 1.02, np.array([5.0, -3.0]), NO_PAIRS)
MIRRORED = Alignment(-140.0, 0.99, np.array([40.0, 7.0]), NO_PAIRS, mirrored=True)
POINTS = np.array([[10.0, 20.0], [400.0, 300.0], [700.0, 50.0]])


@pytest.mark.parametrize("alignment", [TURNED, MIRRORED])
def test_the_way_back_undoes_the_way_there(alignment):
    there = alignment.to_reference(POINTS, CENTRE)
    np.testing.assert_allclose(alignment.to_frame(there, CENTRE), POINTS, atol=1e-9)


@pytest.mark.parametrize("first", [TURNED, MIRRORED])
@pytest.mark.parametrize("second", [TURNED, MIRRORED])
def test_two_alignments_make_one(first, second):
    step = second.to_reference(first.to_reference(POINTS, CENTRE), CENTRE)
    whole = second.after(first)
    np.testing.assert_allclose(whole.to_reference(POINTS, CENTRE), step, atol=1e-9)
    assert whole.mirrored == (first.mirrored != second.mirrored)
