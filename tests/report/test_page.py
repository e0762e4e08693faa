from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from nightsift.fits.header import FrameInfo
from nightsift.look.look import Look, Taken, Wanted, stamp_of
from nightsift.look.store import LookStore
from nightsift.look.two_scale import TwoScale
from nightsift.report import page
from nightsift.report.page import cards_of, star_cutouts, write_page


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


def test_the_page_needs_nothing_else_and_trusts_no_name(table, tmp_path):
    out = tmp_path / "out" / "report.html"
    stars = np.zeros((16, 16), np.uint8)
    timeline = tmp_path / "t.png"
    timeline.write_bytes(b"png")
    write_page(
        out, "x<script>", table, [("n<1>", timeline)], facts=["a & b"], cutouts=lambda file: stars
    )
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
    write_page(tmp_path / "p.html", "t", table, [], facts=[], cutouts=lambda file: None)
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "2 of 4 are shown" in text
    assert text.count("<tr class='bad'>") == 3


def test_a_frame_that_has_vanished_leaves_its_card_without_a_picture(table, tmp_path):
    Path(table["file"][2]).unlink()
    write_page(tmp_path / "p.html", "t", table, [], facts=[], cutouts=lambda file: None)
    assert (tmp_path / "p.html").read_text(encoding="utf-8").count("class=frame") == 7


def kept_look(path: Path, tensor: np.ndarray, cache: Path) -> Look:
    """A look at a file whose tensor is this one."""
    path.write_bytes(b"any content")
    wanted = Wanted(TwoScale(), 128)
    info = FrameInfo(height=300, width=400)
    store = LookStore(cache / path.stem)
    store.add([Taken(path, stamp_of(path), info, tensor=tensor)], wanted)
    return store.read([path], wanted)[path]


def test_stars_are_cut_from_the_middle_of_a_two_scale_tensor(tmp_path):
    tensor = np.zeros((4, 128, 128), np.float32)
    tensor[3, 40, 50] = 5.5
    look = kept_look(tmp_path / "a.fits", tensor, tmp_path / "cache")
    grey = star_cutouts(look)
    assert grey is not None
    # 64 px drawn twice as large, the first row at the bottom.
    assert grey[127 - 2 * (40 - 32), 2 * (50 - 32)] == 255
    assert grey.shape == (128, 128)
    single = kept_look(tmp_path / "b.fits", tensor[3], tmp_path / "cache")
    assert star_cutouts(single) is None
    assert star_cutouts(Look(look.path, look.info)) is None
    shutil.rmtree(tmp_path / "cache")
    assert star_cutouts(look) is None
