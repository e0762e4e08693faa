from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from nightsift.data.cache import TensorCache
from nightsift.data.joint_reading import fill_caches

from nightsift.fits.folders import find_files
from nightsift.heuristics.table import measure_files
from nightsift.look import measure as measuring
from nightsift.look.transforms import build_transform
from nightsift.look.two_scale import TwoScale


@pytest.mark.parametrize("processes", [False, True])
def test_one_reading_gives_what_two_give(nights, tmp_path, monkeypatch, processes):
    files = find_files(nights)
    (files[0].parent / "table.fits").write_bytes(b"no frame")
    files.append(files[0].parent / "table.fits")
    apart = TensorCache(tmp_path / "a", TwoScale(), img_size=32)
    expected = apart.ensure(files)
    features = measure_files(files)
    joint = TensorCache(tmp_path / "b", TwoScale(), img_size=32)
    called: list[bool] = []
    fill_caches(
        files,
        joint,
        tmp_path / "b" / "m",
        workers=2,
        processes=processes,
        meanwhile=lambda: called.append(True),
    )
    assert called == [True]
    assert joint.missing(files) == files[-1:]

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(measuring, "measure_frame", never)
    found = measure_files(files[:-1], store=tmp_path / "b" / "m")
    for path, one, other in zip(files, expected, joint.ensure(files), strict=True):
        assert (one.info, one.error) == (other.info, other.error)
        if one.ref is None:
            continue
        assert np.array_equal(apart.read(one.ref), joint.read(other.ref))
        values = {k: v for k, v in features[path].features.items() if not math.isnan(v)}
        assert values == {k: v for k, v in found[path].features.items() if not math.isnan(v)}


def test_transforms_that_share_nothing_are_left_alone(nights, tmp_path):
    cache = TensorCache(tmp_path, build_transform({"name": "published"}), img_size=32)
    fill_caches(find_files(nights), cache, tmp_path / "m")
    assert cache.missing(find_files(nights)) == find_files(nights)


def test_reading_needs_no_torch():
    """Each process that reads would wait seconds for it."""
    code = "import sys, nightsift.data.joint_reading, nightsift.sorting.night; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in told.stdout.split()
