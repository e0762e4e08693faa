from __future__ import annotations

import numpy as np
import pytest
import torch

from nightsift.look.blocks import block_average, block_max, block_mean, block_sum, pool_cells


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.float32])
@pytest.mark.parametrize(
    ("shape", "out"), [((96, 96), (32, 32)), ((100, 50), (25, 12)), ((20, 30), (20, 30))]
)
def test_block_average_is_the_mean_of_blocks(kind, shape, out):
    pixels = np.random.default_rng(0).integers(0, 30000, shape).astype(kind)
    blocks = block_average(pixels, 32)
    assert blocks.shape == out
    side = shape[0] // out[0]
    assert blocks[3, 5] == pytest.approx(
        pixels[3 * side : 4 * side, 5 * side : 6 * side].astype(float).mean(), rel=1e-6
    )


def test_saturated_blocks_do_not_overflow():
    pixels = np.full((4096, 64), 65535, np.uint16)
    assert block_average(pixels, 2).max() == pytest.approx(65535)


def test_a_frame_narrower_than_a_block_is_one_block_wide():
    pixels = np.arange(24, dtype=np.int32).reshape(2, 12)
    np.testing.assert_array_equal(block_mean(pixels, 4), [[7.5, 11.5, 15.5]])
    assert block_average(pixels, 3).shape == (1, 3)


def test_block_means_leave_an_incomplete_margin_out():
    image = np.arange(35, dtype=np.float32).reshape(5, 7)
    assert block_mean(image, 2) == pytest.approx(np.array([[4, 6, 8], [18, 20, 22]]))
    assert block_max(image, 2) == pytest.approx(np.array([[8, 10, 12], [22, 24, 26]]))
    np.testing.assert_array_equal(block_mean(image, 1), image)


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("factor", [2, 3, 200])
def test_whole_numbers_are_added_exactly(kind, factor):
    largest = np.iinfo(np.int16).max if np.iinfo(kind).bits == 16 else 2**30
    pixels = np.full((2 * factor, factor), largest, kind)
    pixels[0, 0] -= 1
    assert block_sum(pixels, factor).tolist() == [
        [factor**2 * largest - 1],
        [factor**2 * largest],
    ]


def test_floats_are_added_in_their_own_type_unless_told():
    pixels = np.full((8, 8), 3e37, np.float32)
    assert block_mean(np.ones((8, 8), np.float32), 2).dtype == np.float32
    assert block_mean(pixels, 8, np.float64) == pytest.approx(3e37)
    assert block_average(pixels, 1) == pytest.approx(3e37)


@pytest.mark.parametrize("shape", [(500, 650), (90, 128), (33, 500), (256, 384)])
def test_cells_are_those_of_adaptive_pooling(shape):
    image = np.random.default_rng(0).normal(1000, 30, shape).astype(np.float32)
    tensor = torch.from_numpy(image)[None, None]
    mean = torch.nn.functional.adaptive_avg_pool2d(tensor, 128)[0, 0].numpy()
    top = torch.nn.functional.adaptive_max_pool2d(tensor, 128)[0, 0].numpy()
    np.testing.assert_allclose(pool_cells(image, 128), mean, rtol=1e-6)
    np.testing.assert_array_equal(pool_cells(image, 128, brightest=True), top)
