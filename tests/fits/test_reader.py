import bz2
import csv
import gzip
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from nightsift.fits.reader import Frame, UnreadableFrame, is_fits_name, read_frame

ODD = Path(__file__).parents[3] / "shared" / "odd_fits"
ODD_FILES = sorted(ODD.glob("*.[fF][iI][tT]*")) if ODD.is_dir() else []


def read_or_reason(path):
    try:
        return read_frame(path)
    except UnreadableFrame as error:
        return str(error)


def ramp(dtype, shape=(20, 30)):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def reference(path):
    return fits.getdata(path).astype(np.float32)


def card(text):
    return text.ljust(80).encode()


def raw_fits(*cards, data=b""):
    head = b"".join(card(text) for text in (*cards, "END"))
    return head.ljust(-(-len(head) // 2880) * 2880) + data


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("u1", np.float32),
        ("i2", np.int16),
        ("u2", np.uint16),
        ("i4", np.float32),
        ("u4", np.float32),
        ("i8", np.float32),
        ("u8", np.float32),
        ("f4", np.float32),
        ("f8", np.float32),
    ],
)
def test_values_equal_those_of_astropy_bit_for_bit(tmp_path, dtype, expected):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (20, 30 * np.dtype(dtype).itemsize), np.uint8).view(dtype)
    if np.dtype(dtype).kind == "f":
        pixels = rng.normal(1e4, 1e3, (20, 30)).astype(dtype)
    path = tmp_path / "a.fits"
    fits.writeto(path, pixels)
    frame = read_frame(path)
    assert frame.pixels.dtype == expected
    assert frame.pixels.dtype.isnative
    assert frame.pixels.flags.c_contiguous
    np.testing.assert_array_equal(frame.pixels.astype(np.float32), reference(path))
    assert (frame.info.height, frame.info.width) == frame.pixels.shape


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8"])
def test_scaled_values_equal_those_of_astropy_bit_for_bit(tmp_path, dtype):
    path = tmp_path / "a.fits"
    hdu = fits.PrimaryHDU(ramp(dtype))
    hdu.writeto(path)
    content = path.read_bytes()
    scale = card("BSCALE  =               0.0123") + card("BZERO   =               1000.7")
    end = content.index(b"END" + b" " * 77)
    path.write_bytes(content[:end] + scale + content[end : 2880 - 160] + content[2880:])
    assert read_frame(path).pixels.max() < 1009
    np.testing.assert_array_equal(read_frame(path).pixels, reference(path))


def test_non_finite_pixels_become_the_median_of_the_rest(tmp_path):
    pixels = ramp("f4")
    pixels[0, :3] = np.nan, np.inf, -np.inf
    fits.writeto(tmp_path / "a.fits", pixels)
    read = read_frame(tmp_path / "a.fits").pixels
    np.testing.assert_array_equal(read[0, :3], np.median(np.arange(3, 600)))
    np.testing.assert_array_equal(read.ravel()[3:], pixels.ravel()[3:])


@pytest.mark.parametrize("dtype", ["i2", "u2"])
def test_blank_pixels_become_the_median_of_the_rest(tmp_path, dtype):
    hdu = fits.PrimaryHDU(ramp(dtype))
    hdu.header["BLANK"] = 599 if dtype == "i2" else 599 - 32768
    hdu.writeto(tmp_path / "a.fits")
    pixels = read_frame(tmp_path / "a.fits").pixels
    assert pixels.dtype == np.float32
    assert pixels[-1, -1] == np.median(np.arange(599))
    assert pixels[0, 1] == 1


def test_blank_card_without_blank_pixels_keeps_integers(tmp_path):
    hdu = fits.PrimaryHDU(ramp("i2"))
    hdu.header["BLANK"] = -32768
    hdu.writeto(tmp_path / "a.fits")
    assert read_frame(tmp_path / "a.fits").pixels.dtype == np.int16


def test_double_beyond_the_range_of_float32_is_filled(tmp_path):
    pixels = ramp("f8")
    pixels[0, 0] = 1e300
    fits.writeto(tmp_path / "a.fits", pixels)
    assert read_frame(tmp_path / "a.fits").pixels[0, 0] == 300


def test_published_fault_10_only_the_primary_hdu_is_read(tmp_path):
    primary = fits.PrimaryHDU()
    primary.header["OBJECT"], primary.header["FILTER"] = "primary", "R"
    image = fits.ImageHDU(ramp("i2"))
    image.header["OBJECT"] = "image"
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.ones(3))])
    fits.HDUList([primary, table, image]).writeto(tmp_path / "a.fits")
    frame = read_frame(tmp_path / "a.fits")
    np.testing.assert_array_equal(frame.pixels, ramp("i2"))
    assert (frame.info.object, frame.info.filter) == ("image", "R")


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"])
@pytest.mark.parametrize("dtype", ["i2", "u2", "i4"])
def test_published_fault_10_no_fz(tmp_path, kind, dtype):
    image = fits.CompImageHDU(ramp(dtype), compression_type=kind)
    image.header["OBJECT"] = "packed"
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "a.fits.fz")
    frame = read_frame(tmp_path / "a.fits.fz")
    np.testing.assert_array_equal(frame.pixels, ramp(dtype))
    assert frame.pixels.dtype == (np.float32 if dtype == "i4" else np.dtype(dtype))
    assert frame.info.object == "packed"


@pytest.mark.parametrize("name", ["a.FIT", "a.fts", "a.fits.gz", "a.FITS.bz2", "a.fits.fz"])
def test_published_fault_10_extensions_differ(name):
    assert is_fits_name(Path(name))


@pytest.mark.parametrize("name", [".a.fits", "._a.fits", "a.fits.bak", "a.csv", "fits", "a.gz"])
def test_names_that_are_no_frames(name):
    assert not is_fits_name(Path(name))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files_are_known_by_their_content(tmp_path, pack):
    fits.writeto(tmp_path / "a.fits", ramp("u2"))
    packed = tmp_path / "b.fits.gz"
    packed.write_bytes(pack((tmp_path / "a.fits").read_bytes()))
    np.testing.assert_array_equal(read_frame(packed).pixels, ramp("u2"))


def test_cube_gives_its_first_plane(tmp_path):
    fits.writeto(tmp_path / "a.fits", ramp("f4", (2, 3, 20, 30)))
    np.testing.assert_array_equal(read_frame(tmp_path / "a.fits").pixels, ramp("f4"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not FITS"),
        (b"\x1f\x8b hello", "damaged"),
        (b"BZh9 hello", "damaged"),
        (gzip.compress(b"hello" * 9)[:-9], "truncated"),
        (bytes(range(256)) * 40, "not FITS"),
        (raw_fits("SIMPLE  = T", "BITPIX  = 16")[:2000].replace(b"END", b"   "), "truncated"),
        (raw_fits("SIMPLE  = T", "BITPIX  = 17", "NAXIS   = 0"), "BITPIX is 17"),
        (raw_fits("SIMPLE  = T", "BITPIX  = 16"), "NAXIS is None"),
        (raw_fits("SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 0"), "no 2-D image"),
        (
            raw_fits(
                "SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 1", "NAXIS1  = 50", data=bytes(2880)
            ),
            "no 2-D image: 1-D data of 50 values",
        ),
    ],
)
def test_unreadable_content(tmp_path, content, reason):
    path = tmp_path / "x.fits"
    path.write_bytes(content)
    with pytest.raises(UnreadableFrame, match=reason):
        read_frame(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_claims_beyond_the_file_are_refused_before_memory_is_taken(tmp_path, pack):
    cards = ("SIMPLE  = T", "BITPIX  = 64", "NAXIS   = 2", "NAXIS1  = 9999999", "NAXIS2  = 9999999")
    path = tmp_path / "x.fits"
    path.write_bytes(pack(raw_fits(*cards, data=bytes(2880))))
    with pytest.raises(UnreadableFrame, match=r"truncated: \d+ of 799999840000008 bytes"):
        read_frame(path)


def test_other_causes(tmp_path):
    with pytest.raises(UnreadableFrame, match="no such file"):
        read_frame(tmp_path / "x.fits")
    (tmp_path / "x.fits").mkdir()
    with pytest.raises(UnreadableFrame, match="a folder"):
        read_frame(tmp_path / "x.fits")
    fits.writeto(tmp_path / "small.fits", ramp("i2", (10, 40)))
    with pytest.raises(UnreadableFrame, match="image of 10x40 px, at least 16x16 is needed"):
        read_frame(tmp_path / "small.fits")
    fits.writeto(tmp_path / "nan.fits", np.full((20, 20), np.nan, np.float32))
    with pytest.raises(UnreadableFrame, match="no finite pixel"):
        read_frame(tmp_path / "nan.fits")


def test_every_way_to_cut_a_file_short_gives_one_line(tmp_path):
    fits.writeto(tmp_path / "a.fits", ramp("i2"))
    content = (tmp_path / "a.fits").read_bytes()
    path = tmp_path / "b.fits"
    for length in (*range(0, 4080, 199), 2880, 4079):
        path.write_bytes(content[:length])
        with pytest.raises(UnreadableFrame, match=r"truncated|empty|not FITS") as caught:
            read_frame(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(content[: 2880 + 1200])  # only the padding is lost
    np.testing.assert_array_equal(read_frame(path).pixels, ramp("i2"))


def test_damaged_bytes_never_raise_anything_else(tmp_path):
    rng = np.random.default_rng(5)
    image = fits.CompImageHDU(rng.integers(0, 999, (64, 64)).astype("i2"))
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "a.fits.fz")
    content = np.frombuffer((tmp_path / "a.fits.fz").read_bytes(), np.uint8)
    for _ in range(60):
        damaged = content.copy()
        damaged[rng.integers(0, content.size, 12)] = rng.integers(32, 127, 12)
        (tmp_path / "b.fits.fz").write_bytes(damaged.tobytes())
        result = read_or_reason(tmp_path / "b.fits.fz")
        if isinstance(result, str):
            assert "\n" not in result
        else:
            assert np.isfinite(result.pixels).all()


def test_reading_in_threads_gives_the_same(tmp_path):
    paths = []
    for i in range(8):
        paths.append(tmp_path / f"{i}.fits")
        fits.writeto(paths[-1], ramp("u2") + np.uint16(i))
    with ThreadPoolExecutor(4) as pool:
        frames = list(pool.map(read_frame, paths * 4))
    assert [int(frame.pixels[0, 0]) for frame in frames] == list(range(8)) * 4


@pytest.fixture(scope="module")
def odd_images():
    """File name to whether another reader found an image large enough in it."""
    with (ODD / "INVENTORY.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    shapes = re.compile(r"(\d+), (\d+)\):")
    return {
        row["file"]: row["astropy_status"] == "ok"
        and any(min(int(h), int(w)) >= 16 for h, w in shapes.findall(row["images"]))
        for row in rows
    }


@pytest.mark.skipif(not ODD_FILES, reason="no folder of odd files beside the checkout")
@pytest.mark.parametrize("path", ODD_FILES, ids=lambda path: path.name)
def test_odd_files_from_the_wild(path, odd_images):
    result = read_or_reason(path)
    assert isinstance(result, Frame) == odd_images[path.name]
    if isinstance(result, str):
        assert result.startswith(("not FITS", "no 2-D image", "image of", "truncated"))
        return
    assert result.pixels.ndim == 2
    assert min(result.pixels.shape) >= 16
    assert np.isfinite(result.pixels).all()
    assert result.pixels.dtype in (np.int16, np.uint16, np.float32)
