from __future__ import annotations

from pathlib import Path

import matplotlib.image as mpimg
import numpy as np

from nightsift.fits.folders import natural_key
from nightsift.look.picture import block_means
from nightsift.report import contact_sheet
from nightsift.report.contact_sheet import (
    BAD,
    GOOD,
    Tile,
    draw_contact_sheets,
    draw_sheet,
    grey_values,
)


def test_a_thumbnail_keeps_stars_and_fits():
    frame = np.random.default_rng(0).normal(1000, 10, (300, 470))
    frame[150:153, 200:203] += 3000
    small = grey_values(block_means(frame, 100))
    assert small.shape == (60, 94)
    assert small.min() >= 0
    assert small.max() <= 1
    row, column = np.unravel_index(np.argmax(small), small.shape)
    assert (row, column) == (30, 40)
    assert np.median(small) < 0.7


def test_a_constant_frame_has_a_thumbnail_too():
    assert np.all(np.isfinite(grey_values(block_means(np.full((64, 64), 7, dtype=np.uint16), 32))))


def test_an_unreadable_frame_leaves_its_tile_empty(tmp_path):
    (tmp_path / "broken.fits").write_bytes(b"no FITS file")
    draw_sheet([Tile(tmp_path / "broken.fits", "broken", BAD)], tmp_path / "sheet.png", "one")
    assert mpimg.imread(tmp_path / "sheet.png").shape[2] == 4


def test_a_long_night_is_thinned_and_what_is_bad_is_kept(make_night, tmp_path, monkeypatch):
    folder: Path = make_night("long", n=60, bad={3, 17, 40}, root=tmp_path)
    shown: list[Tile] = []
    monkeypatch.setattr(contact_sheet, "draw_sheet", lambda tiles, *_: shown.extend(tiles))
    done: list[tuple[int, int]] = []
    draw_contact_sheets([folder], progress=lambda *step: done.append(step))
    assert len(shown) == 48
    assert sum(tile.colour == BAD for tile in shown) == 3
    assert sum(tile.colour == GOOD for tile in shown) == 45
    names = [tile.path.name for tile in shown]
    assert names == sorted(names, key=natural_key)
    assert done == [(1, 1)]
