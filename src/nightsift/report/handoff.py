"""Verdicts as the lists and scripts that the next program wants."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.files import link_or_copy, replacing

# What `link` and `convert` of Siril name their sequence.
_SIRIL_SEQUENCE = "light"


def write_lists(folder: Path, table: pd.DataFrame) -> list[Path]:
    """Write the lists of a night beside its predictions.

    - `kept.txt`, `rejected.txt`: one absolute path per line; doubtful frames are kept, files
      that hold no frame are in neither.
    - `astroimagej.tbl`: tab-separated, one row per slice in the order of the stack, with
      `Label` (file name), `slice` and the verdict, as AstroImageJ's measurement tables have.
    - `unselect_<night>.ssf`: a Siril script that takes the rejected frames out of the sequence
      `light` made of all frames of that night in the order of their names.

    Args:
        folder: made when needed.
        table: predictions with verdicts.

    Returns:
        What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    readable = table[table["verdict"] != ""]
    rejected = readable["verdict"] == "bad"
    written = {
        folder / "kept.txt": _paths(readable[~rejected]),
        folder / "rejected.txt": _paths(readable[rejected]),
        folder / "astroimagej.tbl": astroimagej_table(readable),
    }
    for night, part in readable.groupby("night", sort=False):
        name = re.sub(r"[^\w.-]+", "_", str(night))
        written[folder / f"unselect_{name}.ssf"] = siril_script(part)
    for path, text in written.items():
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    return list(written)


def _paths(table: pd.DataFrame) -> str:
    return "".join(f"{Path(file).absolute()}\n" for file in table["file"])


def astroimagej_table(table: pd.DataFrame) -> str:
    """Tab-separated text with a header, slices numbered from 1 within each folder."""
    columns = ("", "Label", "slice", "NSPROB", "NSBAD", "NSREASON")
    lines = ["\t".join(columns)]
    files = table.assign(folder=[str(Path(file).parent) for file in table["file"]])
    row = 0
    for _, part in files.groupby("folder", sort=False):
        ordered = part.assign(name=[Path(file).name for file in part["file"]]).sort_values("name")
        for number, item in enumerate(ordered.itertuples(), start=1):
            row += 1
            bad = 1 if item.verdict == "bad" else 0
            cells = (row, item.name, number, f"{item.prob_bad:.6f}", bad, item.reason or "none")
            lines.append("\t".join(_plain(str(cell)) for cell in cells))
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """No cell may begin another one."""
    return re.sub(r"[\t\r\n]", " ", text)


def siril_script(table: pd.DataFrame) -> str:
    """A Siril script that unselects the rejected frames of one night.

    Siril counts the images of a sequence from 1 in the order in which `link` and `convert` take
    files: that of their names. To be run in the folder that holds the sequence.
    """
    names = sorted((Path(file).name, verdict) for file, verdict in _verdicts(table))
    bad = [number for number, (_, verdict) in enumerate(names, start=1) if verdict == "bad"]
    lines = [
        "# Takes the rejected frames out of the sequence of this night.",
        f"# Made before by: link {_SIRIL_SEQUENCE}   (of the folder with all its frames)",
        "requires 1.2.0",
    ]
    for first, last in _runs(bad):
        lines.append(f"unselect {_SIRIL_SEQUENCE}_ {first} {last}")
    return "\n".join(lines) + "\n"


def _verdicts(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["file"].astype(str), table["verdict"].astype(str), strict=True))


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """First and last of each stretch of consecutive numbers."""
    stretches = [
        [number for _, number in group]
        for _, group in groupby(enumerate(numbers), key=lambda item: item[1] - item[0])
    ]
    return [(stretch[0], stretch[-1]) for stretch in stretches]


def link_kept(folder: Path, table: pd.DataFrame) -> int:
    """Links to the kept frames, a folder per night, for programs that take a folder.

    Copies where the system has no links. The frames themselves are not touched.

    Args:
        folder: a new or an empty folder.
        table: predictions with verdicts.

    Returns:
        How many frames are there now.

    Raises:
        NightsiftError: the folder holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NightsiftError(f"kept_folder={folder} is not empty: give a new folder")
    kept = table[table["verdict"].isin(["good", "review"])]
    for night, part in kept.groupby("night", sort=False):
        own = folder / re.sub(r"[^\w.-]+", "_", str(night))
        own.mkdir(parents=True)
        for file in part["file"]:
            source = Path(str(file)).absolute()
            link_or_copy(source, own / source.name)
    return len(kept)
