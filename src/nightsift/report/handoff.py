"""Verdicts as the lists and scripts that the next program wants."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pandas as pd

from nightsift.errors import NightsiftError
from nightsift.files import file_name, link_or_copy, replacing
from nightsift.fits.folders import natural_key
from nightsift.report.sessions import joined, nina_table, pixinsight_table

# What Siril's `link light` names its sequence.
_SIRIL_SEQUENCE = "light_"


def write_lists(folder: Path, table: pd.DataFrame, features: pd.DataFrame) -> list[Path]:
    """Write the lists of a night beside its predictions.

    - `kept.txt`, `rejected.txt`: one absolute path per line; doubtful frames are kept, files
      that hold no frame are in neither.
    - `astroimagej.tbl`: tab-separated, one row per slice in the order of the stack, with
      `Label` (file name), `slice` and the verdict, as AstroImageJ's measurement tables have.
    - `subframe_selector.csv`, `ImageMetaData.csv`: see `nightsift.report.sessions`.
    - `siril_<folder>/`: for each folder of frames, see `siril_files`.

    Args:
        folder: made when needed.
        table: predictions with verdicts.
        features: of the same frames.

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
    judged = joined(table, features)
    for name, rows in (
        ("subframe_selector.csv", pixinsight_table(judged)),
        ("ImageMetaData.csv", nina_table(judged)),
    ):
        written[folder / name] = rows.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    folders = table.groupby([Path(file).absolute().parent for file in table["file"]], sort=False)
    for number, (frames, part) in enumerate(folders, start=1):
        name = file_name(f"siril_{Path(str(frames)).name}")
        own = folder / (f"{name}_{number}" if (folder / name / "unselect.ssf") in written else name)
        written |= {own / key: text for key, text in siril_files(part).items()}
    for path, text in written.items():
        path.parent.mkdir(exist_ok=True)
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


def siril_files(table: pd.DataFrame) -> dict[str, str]:
    """What takes the rejected frames of one folder out of a Siril sequence of all its files.

    - `light_.seq`, to be copied over the file of that name after `link light` or
      `convert light`, for Siril 1.0 and later;
    - `unselect.ssf`, a script that does the same, for Siril 1.2 and later.

    Siril numbers files from 1 in the natural order of their names. What is no frame of the sky
    is taken out too.

    Args:
        table: every file of one folder.

    Returns:
        File name to content.
    """
    ordered = sorted(_verdicts(table), key=lambda item: natural_key(Path(item[0]).name))
    kept = [verdict in ("good", "review") for _, verdict in ordered]
    selection = "".join(f"I {i} {int(keep)}\n" for i, keep in enumerate(kept, start=1))
    sequence = (
        "#Siril sequence file\n"
        # Name, first number, frames, selected ones, digits, reference (none), version.
        f"S '{_SIRIL_SEQUENCE}' 1 {len(kept)} {sum(kept)} 5 -1 3\nL 1\n{selection}"
    )
    out_of_it = [number for number, keep in enumerate(kept, start=1) if not keep]
    unselect = "requires 1.2.0\n" + "".join(
        f"unselect {_SIRIL_SEQUENCE} {first} {last}\n" for first, last in _runs(out_of_it)
    )
    return {f"{_SIRIL_SEQUENCE}.seq": sequence, "unselect.ssf": unselect}


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

    Copies where the system has no links. The frames themselves are not touched. Beside each
    night `siril_<night>.ssf` makes a Siril sequence `light_` of it (Siril 1.0 and later).

    Args:
        folder: a new or an empty folder.
        table: predictions with verdicts.

    Returns:
        How many frames are there now.

    Raises:
        NightsiftError: the folder holds something already.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NightsiftError(f"kept_folder={folder} is not empty: give a new folder")
    kept = table[table["verdict"].isin(["good", "review"])]
    for night, part in kept.groupby("night", sort=False):
        name = file_name(str(night))
        (folder / name).mkdir(parents=True)
        for file in part["file"]:
            source = Path(str(file)).absolute()
            link_or_copy(source, folder / name / source.name)
        if not any(char in str(folder) for char in '"\n\r'):  # it could end the command
            (folder / f"siril_{name}.ssf").write_text(
                f'requires 1.0.0\ncd "{folder / name}"\n'
                f'link light "-out={folder / f"siril_{name}"}"\ncd "{folder / f"siril_{name}"}"\n',
                encoding="utf-8",
                newline="\n",
            )
    return len(kept)
