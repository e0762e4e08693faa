"""Nights as the values that layers pass on: read from folders, or made of labels alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nightsift.fits.header import FrameInfo
from nightsift.look.look import Look, Wanted
from nightsift.look.store import LookStore
from nightsift.night.night import Label, Night, NightSet
from nightsift.night.reading import read_nights
from nightsift.night.sources import Sources

LABELS = {"b": 1, "g": 0, ".": None}


def read(cache_dir: Path, wanted: Wanted | None = None, **sources: object) -> NightSet:
    """The nights of some folders, read in threads."""
    return read_nights(Sources(**sources), wanted or Wanted(), LookStore(cache_dir), workers=2)


def labelled(
    name: str,
    labels: str,
    *,
    ordered: bool = True,
    telescope: str = "T",
    folder: str = "",
    unit: str = "",
) -> Night:
    """`labelled("a", "ggb.")`: one frame per letter, good, bad or unlabelled."""
    info = FrameInfo(height=8, width=8, telescope=telescope)
    looks = tuple(Look(Path(name, f"f{i}.fits"), info) for i in range(len(labels)))
    features = pd.DataFrame({"file": [str(look.path) for look in looks], "night": name})
    values = tuple(Label(LABELS[letter]) for letter in labels)
    return Night(name, looks, values, ordered, True, features, folder=folder or name, unit=unit)
