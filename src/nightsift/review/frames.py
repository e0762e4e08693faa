"""The frames to look at, in time order, and what was measured of them before."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from nightsift.errors import NightsiftError
from nightsift.fits.folders import find_files
from nightsift.fits.header import FrameInfo
from nightsift.fits.labels import FILE_COLUMNS, decode_table, find_column, find_delimiter
from nightsift.fits.names import FileIndex
from nightsift.fits.reader import FITS_SUFFIXES, UnreadableFrame, read_info
from nightsift.night.grouping import group_nights

# Column of a table of scores, ours first, then the published one.
_SCORE = ("prob_bad", "candidate_score")
_FLAG = ("pred", "flag_any")
MEASURES = ("background_adu", "fwhm_px", "transparency")
_PUBLISHED_MEASURES = {"background_adu": "median"}


@dataclass(frozen=True)
class ReviewFrame:
    """One file of the night.

    Attributes:
        path: the file.
        time: middle of the exposure, UTC; None where the header does not tell.
        night: index of its night among those found.
        error: why it cannot be read; empty if it can.
    """

    path: Path
    time: datetime | None
    night: int
    error: str = ""

    @property
    def short_name(self) -> str:
        """The file name without the suffixes of a FITS file."""
        name = self.path.name
        suffix = max((s for s in FITS_SUFFIXES if name.lower().endswith(s)), key=len, default="")
        return name[: len(name) - len(suffix)]


class Score(NamedTuple):
    """One row of a table of scores; NaN and None where it has nothing.

    Attributes:
        score: larger is worse; a probability of bad if `Scores.probabilities`.
        flagged: whether the frame was called bad.
        reason: the named cause.
        heads: difference of the frame and sequence heads, 0-1.
        background_adu: level of the sky.
        fwhm_px: width of the stars.
        transparency: 1 is clear.
    """

    score: float = math.nan
    flagged: bool | None = None
    reason: str = ""
    heads: float = math.nan
    background_adu: float = math.nan
    fwhm_px: float = math.nan
    transparency: float = math.nan


class Scores(NamedTuple):
    """A table of scores matched to files.

    Attributes:
        rows: file to score.
        probabilities: whether `score` is a probability.
        threshold: between flagged and unflagged frames; NaN where these overlap or one is absent.
    """

    rows: Mapping[Path, Score]
    probabilities: bool
    threshold: float


def read_frames(folder: Path, *, max_gap_h: float = 4.0) -> list[ReviewFrame]:
    """Every FITS file of a folder and below in time order, unreadable ones last.

    Args:
        folder: the night, or a folder of nights.
        max_gap_h: a longer pause begins another night, hours.

    Raises:
        NightsiftError: there is none.
    """
    files = find_files(folder)
    with ThreadPoolExecutor(8) as pool:  # reading headers means waiting for the disk
        facts = dict(zip(files, pool.map(_info, files), strict=True))
    infos = {path: info for path, info in facts.items() if isinstance(info, FrameInfo)}
    nights = group_nights(infos, max_gap_h=max_gap_h)
    frames = [
        ReviewFrame(path, info.time, number)
        for number, night in enumerate(nights)
        for path, info in zip(night.files, night.infos, strict=True)
    ]
    errors = ((path, text) for path, text in facts.items() if isinstance(text, str))
    return frames + [ReviewFrame(path, None, len(nights), text) for path, text in errors]


def read_scores(path: Path, files: Sequence[Path]) -> Scores:
    """Read predictions.csv, candidates.csv or any table with a column of files.

    Raises:
        NightsiftError: it cannot be read, has no column of files, or scores none of them.
    """
    try:
        text, _ = decode_table(path.read_bytes())
    except OSError as error:
        raise NightsiftError(f"{path}: cannot read the scores: {error.strerror}") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=find_delimiter(text) or ",")
    try:
        lines = [cells for cells in reader if cells]
    except csv.Error as error:
        raise NightsiftError(f"{path}, line {reader.line_num}: {error}") from error
    if not lines:
        raise NightsiftError(f"{path}: the table of scores is empty")
    columns = [column.strip().casefold() for column in lines[0]]
    file = lines[0].index(find_column(path, lines[0], FILE_COLUMNS))
    index = FileIndex(files)
    rows: dict[Path, Score] = {}
    for cells in lines[1:]:
        if len(cells) == len(columns) and (name := cells[file].strip()):
            score = _score(dict(zip(columns, cells, strict=True)))
            rows.update(dict.fromkeys(index.find(name, path, elsewhere=True), score))
    if not rows:
        raise NightsiftError(f"{path}: none of its rows means a file of this folder")
    return Scores(rows, "prob_bad" in columns, _threshold(list(rows.values())))


def _info(path: Path) -> FrameInfo | str:
    try:
        return read_info(path)
    except UnreadableFrame as error:
        return str(error)


def _score(row: Mapping[str, str]) -> Score:
    flag = _first(row, _FLAG)
    measures = {name: _number(row.get(name, "")) for name in MEASURES}
    for name, published in _PUBLISHED_MEASURES.items():
        if math.isnan(measures[name]):
            measures[name] = _number(row.get(published, ""))
    return Score(
        _number(_first(row, _SCORE)),
        flag.strip().casefold() in ("1", "1.0", "true") if flag.strip() else None,
        row.get("reason", "").strip(),
        abs(_number(row.get("prob_frame", "")) - _number(row.get("prob_seq", ""))),
        **measures,
    )


def _first(row: Mapping[str, str], names: Sequence[str]) -> str:
    return next((row[name] for name in names if name in row), "")


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _threshold(scores: Sequence[Score]) -> float:
    flagged = [s.score for s in scores if s.flagged and not math.isnan(s.score)]
    passed = [s.score for s in scores if s.flagged is False and not math.isnan(s.score)]
    if not flagged or not passed or min(flagged) < max(passed):
        return math.nan
    return (min(flagged) + max(passed)) / 2
