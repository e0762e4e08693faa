from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from nightsift.look.look import Wanted, take_look
from nightsift.look.picture import block_means
from nightsift.look.store import LookStore
from nightsift.look.transforms.two_scale import TwoScale
from nightsift.night.night import Label, Night, NightSet
from nightsift.report import page
from nightsift.report.page import cards_of, write_page
from nightsift.report.pictures import PICTURE_PX, FramePictures


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = ["a<b>&.fits", *(f"f{i}.fits" for i in range(1, 6)), "table.fits"]
    for name in names[:-1]:
        pixels = rng.normal(300, 9, (40, 60)).astype(np.float32)
        fits.PrimaryHDU(pixels).writeto(tmp_path / name)
    return pd.DataFrame(
        {
            "file": [str(tmp_path / name) for name in names],
            "verdict": ["bad", "good", "bad", "review", "bad", "good", ""],
            "prob_bad": [0.9, 0.1, 0.8, 0.3, 0.99, 0.0, float("nan")],
            "reason": ["cloud", "", "cloud", "trailing", "cloud", "", "unreadable: no image"],
            "explanation": ["cloud: <i>thin</i>", "", "x", "y", "z", "", ""],
            "night": "n<1>",
            "time": "2025-01-01T00:00:00.000",
        }
    )


def test_a_card_stands_beside_the_nearest_good_frame(table):
    cards = [(Path(c.file).name, Path(c.neighbour).name) for c in cards_of(table)]
    assert cards == [
        ("a<b>&.fits", "f1.fits"),
        ("f2.fits", "f1.fits"),
        ("f3.fits", "f1.fits"),
        ("f4.fits", "f5.fits"),
    ]
    alone = table[table["verdict"] == "bad"]
    assert {card.neighbour for card in cards_of(alone)} == {""}


def test_the_page_needs_nothing_else_and_trusts_no_name(table, tmp_path, monkeypatch):
    out = tmp_path / "out" / "report.html"
    pictures = FramePictures()
    monkeypatch.setattr(pictures, "stars", lambda path: np.zeros((16, 16), np.uint8))
    timeline = tmp_path / "t.png"
    timeline.write_bytes(b"png")
    write_page(out, "x<script>", table, [("n<1>", timeline)], facts=["a & b"], frames=pictures)
    text = out.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)='?\"?(?!data:)[a-z]+:", text)
    assert "a<b>" not in text
    assert "a&lt;b&gt;&amp;.fits" in text
    assert "<i>thin" not in text
    assert text.count("<script>") == 1
    assert text.count("class=frame") == 8
    assert text.count("class=stars") == 8
    assert "unreadable: no image" in text


def test_more_cards_than_anybody_looks_through_are_thinned(table, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MAX_CARDS", 2)
    write_page(tmp_path / "p.html", "t", table, [], facts=[], frames=FramePictures())
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "2 of 4 are shown" in text
    assert text.count("<tr class='bad'>") == 3


def test_a_frame_that_has_vanished_leaves_its_card_without_a_picture(table, tmp_path):
    Path(table["file"][2]).unlink()
    write_page(tmp_path / "p.html", "t", table, [], facts=[], frames=FramePictures())
    assert (tmp_path / "p.html").read_text(encoding="utf-8").count("class=frame") == 7


def look_with(tensor: np.ndarray, tmp_path: Path) -> NightSet:
    """A night of one frame whose tensor is kept."""
    path = tmp_path / "f.fits"
    fits.PrimaryHDU(np.zeros((20, 20), np.int16)).writeto(path)
    wanted, store = Wanted(transform=TwoScale(), img_size=128), LookStore(tmp_path / "cache")
    taken = take_look(path, wanted)
    store.add([taken._replace(tensor=tensor)], wanted)
    look = store.read([path], wanted)[path]
    table = pd.DataFrame({"file": [str(path)], "night": "n"})
    return NightSet((Night("n", (look,), (Label(),), True, False, table),))


def test_stars_are_cut_from_the_middle_of_a_two_scale_tensor(tmp_path):
    tensor = np.zeros((4, 128, 128), np.float32)
    tensor[3, 40, 50] = 5.5
    grey = FramePictures(look_with(tensor, tmp_path)).stars(tmp_path / "f.fits")
    assert grey is not None
    # 64 px drawn twice as large, the first row at the bottom.
    assert grey[127 - 2 * (40 - 32), 2 * (50 - 32)] == 255
    assert grey.shape == (128, 128)


def test_other_tensors_and_unknown_files_have_no_stars(tmp_path):
    pictures = FramePictures(look_with(np.zeros((1, 128, 128), np.float32), tmp_path))
    assert pictures.stars(tmp_path / "f.fits") is None
    assert pictures.stars(tmp_path / "other.fits") is None


def test_pictures_come_from_the_cache_and_from_the_file_where_it_is_gone(tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "f.fits"
    fits.PrimaryHDU(rng.normal(300, 9, (400, 600)).astype(np.float32)).writeto(path)
    wanted, store = Wanted(picture_px=PICTURE_PX), LookStore(tmp_path / "cache")
    store.add([take_look(path, wanted)], wanted)
    look = store.read([path], wanted)[path]
    table = pd.DataFrame({"file": [str(path)], "night": "n"})
    pictures = FramePictures(NightSet((Night("n", (look,), (Label(),), True, False, table),)))
    read = block_means(fits.getdata(path), PICTURE_PX)
    content = path.read_bytes()
    path.unlink()
    np.testing.assert_array_equal(pictures.small(path).values, read.values)
    path.write_bytes(content)
    shutil.rmtree(tmp_path / "cache")
    np.testing.assert_array_equal(pictures.small(path).values, read.values)
