from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.sorting.cards import Verdict, undo_cards, write_cards


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    folder = tmp_path / "n"
    folder.mkdir()
    pixels = rng.integers(0, 65535, (40, 50)).astype(np.uint16)
    plain, sums, second = (folder / name for name in ("a.fits", "b.FIT", "c.fts"))
    fits.PrimaryHDU(pixels).writeto(plain)
    fits.PrimaryHDU(pixels.astype(np.float32)).writeto(sums, checksum=True)
    extension = fits.ImageHDU(pixels.astype(np.int16) // 2, name="SCI")
    table = fits.BinTableHDU.from_columns([fits.Column("x", "J", array=np.arange(5))])
    fits.HDUList([fits.PrimaryHDU(), extension, table]).writeto(second, checksum=True)
    # Written long ago: the time in the comment of a checksum is not that of today.
    today = datetime.now(UTC).strftime("%Y-%m-%dT").encode()
    for path in (sums, second):
        path.write_bytes(path.read_bytes().replace(b"updated " + today, b"updated 1999-01-01T"))
    return [plain, sums, second]


def test_cards_are_written_and_taken_back_byte_for_byte(frames, tmp_path):
    before = [path.read_bytes() for path in frames]
    verdicts = [
        Verdict(path, i == 1, 0.25 * i, f"cloud \u2601{i}") for i, path in enumerate(frames)
    ]
    record = tmp_path / "run" / "cards.jsonl"
    assert write_cards(verdicts, record) == 3
    for i, path in enumerate(frames):
        index = 1 if path.suffix == ".fts" else 0
        with fits.open(path, checksum=True) as hdus:  # a wrong checksum would warn: an error here
            header = hdus[index].header
            assert header["NSBAD"] == (i == 1)
            assert header["NSPROB"] == 0.25 * i
            assert header["NSREASON"] == f"cloud  {i}"
            with fits.open(Path(frames[i])) as again:
                assert np.array_equal(hdus[index].data, again[index].data)
    assert undo_cards(record) == 3
    assert [path.read_bytes() for path in frames] == before
    assert undo_cards(record) == 0


def test_a_long_header_grows_by_a_block_and_shrinks_again(frames, tmp_path):
    with fits.open(frames[0], mode="update") as hdus:
        for i in range(36 - len(hdus[0].header) - 1):
            hdus[0].header[f"K{i}"] = i
    before = frames[0].read_bytes()
    write_cards([Verdict(frames[0], True, 0.9, "trailing")], tmp_path / "r")
    assert frames[0].stat().st_size == len(before) + 2880
    undo_cards(tmp_path / "r")
    assert frames[0].read_bytes() == before


def test_a_frame_that_changed_since_is_left_alone(frames, tmp_path):
    write_cards([Verdict(path, True, 0.9, "x") for path in frames], tmp_path / "r")
    with frames[0].open("ab") as file:
        file.write(b"\0" * 2880)
    changed = frames[0].read_bytes()
    with pytest.raises(NightsiftError, match=r"2 files put back.*a\.fits has changed"):
        undo_cards(tmp_path / "r")
    assert frames[0].read_bytes() == changed


def test_a_forged_record_writes_nothing(frames, tmp_path):
    write_cards([Verdict(frames[0], True, 0.9, "x")], tmp_path / "r")
    written = frames[0].read_bytes()
    head, line = (json.loads(text) for text in (tmp_path / "r").read_text().splitlines())
    line["header"] = "AAAA"
    (tmp_path / "r2").write_text(json.dumps(head) + "\n" + json.dumps(line) + "\n")
    with pytest.raises(NightsiftError, match="is not the old one"):
        undo_cards(tmp_path / "r2")
    assert frames[0].read_bytes() == written
    with pytest.raises(NightsiftError, match="absent"):
        undo_cards(tmp_path / "absent")


def test_compressed_frames_are_passed_over(tmp_path):
    path = tmp_path / "a.fits.gz"
    fits.PrimaryHDU(np.zeros((20, 20), np.int16)).writeto(path)
    assert write_cards([Verdict(path, True, 1.0, "x")], tmp_path / "r") == 0
