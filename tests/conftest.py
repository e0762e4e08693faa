"""Small seeded nights as FITS files with known truth."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from scenes import Scene, judged

SHARED = Path(__file__).parents[2] / "shared"
MakeNight = Callable[..., Path]


def star_frame(rng: np.random.Generator, *, bad: bool, side: int = 64) -> np.ndarray:
    """Twelve Gaussian stars on a noisy sky; faint ones on a bright sky where bad."""
    sky, scale = (900.0, 0.05) if bad else (300.0, 1.0)
    image = rng.normal(sky, np.sqrt(sky), (side, side))
    y, x = np.mgrid[:side, :side]
    places = np.random.default_rng(7).uniform(6, side - 6, (12, 2))
    for cy, cx in places:
        image += scale * 4000 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 1.5**2))
    return np.clip(image, 0, 65535).astype(np.uint16)


def write_frame(path: Path, pixels: np.ndarray, time: datetime | None, **cards: object) -> None:
    header = fits.Header()
    if time is not None:
        header["DATE-OBS"] = time.replace(tzinfo=None).isoformat(timespec="milliseconds")
        header["EXPTIME"] = 60.0
    header.update({key.replace("_", "-").upper(): value for key, value in cards.items()})
    fits.writeto(path, pixels, header)


@pytest.fixture
def make_night(tmp_path: Path) -> MakeNight:
    """make_night("a", n=12, bad={3, 4}, seed=1): a labelled night folder below tmp_path."""

    def make(
        name: str,
        *,
        n: int = 12,
        bad: set[int] | None = None,
        unlabelled: set[int] | None = None,
        seed: int = 0,
        side: int = 64,
        root: Path | None = None,
        **cards: object,
    ) -> Path:
        folder = (root or tmp_path) / name
        folder.mkdir(parents=True)
        rng = np.random.default_rng(seed)
        start = datetime(2025, 3, 1, 20, tzinfo=UTC) + timedelta(days=seed)
        bad, unlabelled = bad or set(), unlabelled or set()
        rows = []
        for i in range(n):
            file = f"f{i + 1}.fits"
            cards = {"object": name, "telescop": "T", "filter": "R", **cards}
            pixels = star_frame(rng, bad=i in bad, side=side)
            write_frame(folder / file, pixels, start + timedelta(seconds=90 * i), **cards)
            label = "" if i in unlabelled else ("bad" if i in bad else "good")
            rows.append((file, label, f"note {i}"))
        with (folder / "labels.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("file", "label", "notes"), *rows])
        return folder

    return make


@pytest.fixture
def nights(make_night: MakeNight, tmp_path: Path) -> Path:
    """Three labelled nights of 24 frames below one folder, each with a spell of bad frames."""
    root = tmp_path / "nights"
    for seed in range(3):
        spell = set(range(6 + seed, 12 + seed))
        make_night(f"night{seed}", n=24, bad=spell, unlabelled={1}, seed=seed, root=root)
    return root


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every path that is decoded by a look, as often as it is; threads only."""
    from nightsift.look import look

    seen: list[Path] = []
    read_frame = look.read_frame

    def counting(path: Path) -> object:
        seen.append(path)
        return read_frame(path)

    monkeypatch.setattr(look, "read_frame", counting)
    return seen


@pytest.fixture(scope="session")
def shared_nights() -> Path:
    """The folder of real labelled nights; skips where it is absent."""
    if not (SHARED / "nights").is_dir():
        pytest.skip("no folder of real nights beside the checkout")
    return SHARED / "nights"


@pytest.fixture(scope="session")
def judge_night(tmp_path_factory) -> Callable[..., pd.DataFrame]:
    """judge_night(scenes, seed=0): candidates in time order."""

    def judge(scenes: list[Scene], *, seed: int = 0) -> pd.DataFrame:
        return judged(tmp_path_factory.mktemp("night"), scenes, seed=seed)

    return judge
