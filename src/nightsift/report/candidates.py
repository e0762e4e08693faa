"""What a run of the heuristics leaves behind: tables, figures, and a summary in the terminal."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from nightsift.errors import NightsiftError
from nightsift.files import file_name, replacing
from nightsift.heuristics.score import FLAG_SCORE
from nightsift.report.contact_sheet import Tile, draw_sheet
from nightsift.report.features import features_figure
from nightsift.report.figures import BAD, GOOD, save_figure
from nightsift.report.groups import shown_as
from nightsift.report.pictures import FramePictures
from nightsift.report.terminal import console, rows_by_night

# Nights with a figure of their own, those with most flagged frames first.
MAX_NIGHTS = 24
_SHOWN = 15


def write_candidates(
    run_dir: Path,
    features: pd.DataFrame,
    candidates: pd.DataFrame,
    *,
    top_n: int,
    out_features: Path | None = None,
    out_candidates: Path | None = None,
    parquet: bool = False,
    frames: FramePictures | None = None,
) -> list[Path]:
    """Write both tables, a figure of each night, and the contact sheet.

    Args:
        run_dir: made when needed.
        features: in time order within a night, from `Method.measure`.
        candidates: worst first, from `judge_features`.
        top_n: frames on the contact sheet.
        out_features: where the features go instead of `run_dir`.
        out_candidates: where the candidates go instead of `run_dir`.
        parquet: write the features as Parquet too, beside the CSV.
        frames: pictures of them; None to read the files again.

    Returns:
        What was written.
    """
    if parquet and importlib.util.find_spec("pyarrow") is None:
        raise NightsiftError("parquet=true needs pyarrow: pip install 'nightsift[parquet]'")
    figures = run_dir / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    written = [
        out_features or run_dir / "features.csv",
        out_candidates or run_dir / "candidates.csv",
    ]
    for path, table in zip(written, (features, candidates), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")
    if parquet:
        written.append(written[0].with_suffix(".parquet"))
        with replacing(written[-1]) as temporary:
            features.to_parquet(temporary, index=False)
    readable = candidates[candidates["error"] == ""]
    shown = shown_as(readable)
    nights = readable["flag_any"].groupby(shown).sum().sort_values(ascending=False, kind="stable")
    for night in nights.index[:MAX_NIGHTS]:
        name = file_name(str(night))
        part = readable[shown == night].sort_values("index")
        flagged = part["flag_any"].to_numpy(dtype=bool)
        title = f"{night}: {flagged.sum()} of {len(part)} frames flagged"
        figure = features_figure(title, part, np.where(flagged, "bad", "good"), lines=[FLAG_SCORE])
        save_figure(figure, figures / f"features_{name}.png")
    draw_sheet(
        candidate_tiles(readable.head(top_n)), figures / "candidates.png", "worst first", frames
    )
    return [*written, figures]


def candidate_tiles(table: pd.DataFrame) -> list[Tile]:
    """Rank, score, file and reason of each candidate for a contact sheet.

    Args:
        table: candidates, worst first.
    """
    tiles = []
    for rank, row in enumerate(table.to_dict("records"), start=1):
        path = Path(str(row["file"]))
        why = textwrap.wrap(str(row["explanation"] or row["reason"]), 38)[:2]
        caption = "\n".join([f"{rank}  {row['candidate_score']:.2f}  {path.name[-22:]}", *why])
        tiles.append(Tile(path, caption, BAD if row["flag_any"] else GOOD))
    return tiles


def print_candidates(candidates: pd.DataFrame, mixed: Collection[str] = ()) -> None:
    """The first candidates with their reasons, and the counts of each night.

    Args:
        candidates: worst first, from `judge_features`.
        mixed: names of the nights that are loose frames, which share one row.
    """
    out = console(120)
    readable = candidates["error"] == ""
    flagged = candidates[readable & (candidates["flag_any"] == 1)]
    title = f"{len(flagged)} of {readable.sum()} frames flagged, worst first"
    table = Table(title=title)
    for title in ("score", "file", "why"):
        table.add_column(title)
    for row in flagged.head(_SHOWN).to_dict("records"):
        name = Path(str(row["file"])).name
        table.add_row(f"{row['candidate_score']:.2f}", name, str(row["explanation"]))
    if len(flagged) > _SHOWN:
        table.caption = f"and {len(flagged) - _SHOWN} more in candidates.csv"
    out.print(table)
    if not readable.all():
        print(f"{(~readable).sum()} of {len(candidates)} files hold no frame; see candidates.csv")
    counts = Table(title="nights")
    for title in ("night", "frames", "flagged", "unreadable"):
        counts.add_column(title, justify="left" if title == "night" else "right")
    rows, counts.caption = rows_by_night(candidates.sort_values("index"), mixed, most=MAX_NIGHTS)
    for night, part in rows:
        unreadable = int((part["error"] != "").sum())
        numbers = (len(part), int(part["flag_any"].sum()) - unreadable, unreadable)
        counts.add_row(night or "(no frame)", *(str(number) for number in numbers))
    out.print(counts)
