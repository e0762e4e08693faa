from __future__ import annotations

import numpy as np
import pytest
import torch

from nightsift.errors import NightsiftError
from nightsift.look.transforms import build_transform
from nightsift.look.transforms.published import Published, median_and_mad
from nightsift.look.transforms.robust import Robust

SHAPES = [(500, 650), (256, 256), (301, 257), (100, 90), (1024, 1024)]


def scene(shape: tuple[int, int], dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.normal(1000, 30, shape) + (rng.random(shape) < 0.01) * 5000
    return image.astype(dtype)


def published_plainly(pixels: np.ndarray, size: int) -> np.ndarray:
    x = pixels.astype(np.float32)
    median = np.median(x)
    mad = np.median(np.abs(x - median))
    x = (x - median) / (1.4826 * mad + 1e-6)
    tensor = torch.from_numpy(x)[None, None]
    return torch.nn.functional.interpolate(
        tensor, size=(size, size), mode="bilinear", align_corners=False
    )[0, 0].numpy()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_published_is_bit_for_bit_the_plain_way(shape, dtype):
    pixels = scene(shape, dtype)
    np.testing.assert_array_equal(Published()(pixels, 128), published_plainly(pixels, 128))


def test_histogram_medians_are_exact_for_signed_even_and_odd_counts():
    rng = np.random.default_rng(0)
    for shape in [(16, 16), (17, 17), (31, 16)]:
        pixels = rng.integers(-32768, 32767, shape, dtype=np.int16)
        values = pixels.astype(np.float32)
        median, mad = median_and_mad(pixels)
        assert median == np.median(values)
        assert mad == np.median(np.abs(values - np.median(values)))


def test_robust_does_not_depend_on_gain_offset_or_a_gradient():
    pixels = scene((256, 320), "float32")
    ramp = np.linspace(0, 500, 320, dtype=np.float32)[None, :]
    reference = Robust()(pixels, 64)
    np.testing.assert_allclose(Robust()(3.7 * pixels - 200, 64), reference, atol=0.02)
    np.testing.assert_allclose(Robust()(pixels + ramp, 64), reference, atol=0.25)


def test_fault_11_a_star_survives_reduction_from_4096_to_128():
    """Published: bilinear without antialias reads one pixel in a thousand."""
    rng = np.random.default_rng(1)
    empty = rng.normal(300, 17, (4096, 4096)).astype(np.float32)
    star = empty.copy()
    star[2050:2055, 2060:2065] += 2000
    cell = (2050 // 32, 2060 // 32)
    robust = Robust()
    assert robust(star, 128)[cell] - robust(empty, 128)[cell] > 1.0
    change = np.abs(Published()(star, 128) - Published()(empty, 128))
    assert change.max() < 0.01


def test_a_constant_plane_gives_zeros_not_nan():
    for transform in (Robust(), Published()):
        out = transform(np.full((64, 64), 1000, dtype=np.uint16), 32)
        assert out.dtype == np.float32
        assert np.all(out == 0)


@pytest.mark.parametrize("transform", [Robust(mesh=8, softening=2.0, clip=4.0), Published()])
def test_a_transform_is_rebuilt_from_its_spec(transform):
    assert build_transform(transform.spec()).spec() == transform.spec()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "magic"}, "unknown transform .* known: .*robust"),
        ({"name": "robust", "size": 3}, "robust"),
        ({"name": "robust", "mesh": 1}, "mesh must be"),
    ],
)
def test_wrong_specs_are_refused(spec, message):
    with pytest.raises(NightsiftError, match=message):
        build_transform(spec)
