"""Matched-star photometry of a night: transparency, how even it is, and which stars miss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.look.scene import StarList
from nightsift.night.alignment import frame_centre
from nightsift.night.reference import NightField

Floats = npt.NDArray[np.float64]

MISSING_ROWS, MISSING_COLS = 3, 4
_MIN_STARS = 3
# A star that is expected in a frame was found in this share of the frames that held it.
_USUALLY_SEEN = 0.7
_MOST_EXPECTED = 120
_EDGE_PX = 25.0
_ITERATIONS = 12


class Photometry(NamedTuple):
    """Per frame, (N,) each; NaN where the field was not recognised or too few stars matched.

    Attributes:
        transparency: light of the stars relative to the clearest tenth of the night.
        transparency_scatter: scatter of that over 3x4 cells of the field, magnitudes.
        matched_stars: stars found again.
        expected_stars: stars that usually are seen where this frame points.
        missing_stars: those of them that were not found.
        missing_cell: largest share of missing ones in one of 3x4 cells, 0-1, beyond that of
            the frame as a whole.
    """

    transparency: Floats
    transparency_scatter: Floats
    matched_stars: Floats
    expected_stars: Floats
    missing_stars: Floats
    missing_cell: Floats


def measure_photometry(
    field: NightField, stars: Sequence[StarList], shape: tuple[int, int]
) -> Photometry:
    """Compare the stars of all frames with each other.

    Args:
        field: from `nightsift.night.reference.align_night`.
        stars: one list per frame.
        shape: (H, W) of the frames, px.
    """
    entries = _entries(field, stars)
    n = len(stars)
    frame_term, star_term = median_polish(entries, n, len(field.position))
    counts = np.bincount(entries.frame, minlength=n).astype(float)
    known = counts >= _MIN_STARS
    frame_term[~known] = np.nan
    clear = np.nanpercentile(frame_term, 90) if known.any() else 0.0
    matched = np.array([np.nan if a is None else len(a.pairs) for a in field.alignments])
    rest = entries.flux - frame_term[entries.frame] - star_term[entries.star]
    scatter = _cell_scatter(entries, rest, stars, shape)
    expected, missing, cell = _missing(field, star_term, shape)
    return Photometry(
        np.exp(frame_term - clear),
        np.where(known, scatter, np.nan),
        matched,
        expected,
        missing,
        cell,
    )


class Entries(NamedTuple):
    """(M,) measurements: frame, star, place in the frame's list, log flux, weight."""

    frame: npt.NDArray[np.intp]
    star: npt.NDArray[np.intp]
    place: npt.NDArray[np.intp]
    flux: Floats
    weight: Floats


def median_polish(entries: Entries, n_frames: int, n_stars: int) -> tuple[Floats, Floats]:
    """Split log fluxes into one term per frame and one per star by weighted medians.

    Tukey's median polish (1977, Exploratory Data Analysis, ch. 11). A variable star, a transit
    or a frame behind cloud is an outlier to a median and moves nothing else.

    Returns:
        (n_frames,) and (n_stars,) terms in natural logarithms; NaN without a measurement.
    """
    frame_term, star_term = np.zeros(n_frames), np.zeros(n_stars)
    for _ in range(_ITERATIONS):
        star_term = weighted_medians(
            entries.flux - frame_term[entries.frame], entries.weight, entries.star, n_stars
        )
        before = frame_term
        frame_term = weighted_medians(
            entries.flux - star_term[entries.star], entries.weight, entries.frame, n_frames
        )
        if np.nanmax(np.abs(frame_term - before), initial=0.0) < 1e-4:
            break
        frame_term = np.nan_to_num(frame_term)
    return frame_term, star_term


def weighted_medians(
    values: Floats, weights: Floats, group: npt.NDArray[np.intp], count: int
) -> Floats:
    """(count,) weighted median of each group; NaN for an empty one.

    Args:
        values: (M,).
        weights: (M,) > 0.
        group: (M,) 0 to count - 1.
        count: number of groups.
    """
    out = np.full(count, np.nan)
    if not len(values):
        return out
    order = np.lexsort((values, group))
    sorted_group, sorted_values = group[order], values[order]
    grown = np.cumsum(weights[order])
    first = np.searchsorted(sorted_group, np.arange(count), "left")
    last = np.searchsorted(sorted_group, np.arange(count), "right")
    filled = last > first
    base = np.where(first > 0, grown[np.maximum(first - 1, 0)], 0.0)
    half = base + (grown[np.maximum(last - 1, 0)] - base) / 2
    at = np.searchsorted(grown, half[filled], "left")
    low = np.clip(at, first[filled], last[filled] - 1)
    # Exactly half of the weight on each side: the mean of both middle values.
    even = np.isclose(grown[low], half[filled], rtol=1e-12, atol=0.0)
    high = np.where(even, np.minimum(low + 1, last[filled] - 1), low)
    out[filled] = (sorted_values[low] + sorted_values[high]) / 2
    return out


def _entries(field: NightField, stars: Sequence[StarList]) -> Entries:
    frames, numbers, indices, fluxes, weights = [], [], [], [], []
    for i, (alignment, listed) in enumerate(zip(field.alignments, stars, strict=True)):
        if alignment is None:
            continue
        own, star = alignment.pairs.T
        frames.append(np.full(len(own), i))
        numbers.append(star)
        indices.append(own)
        fluxes.append(np.log(np.maximum(listed.flux[own], 1e-6)))
        # Beyond S/N 50 all count the same: flat field and scintillation, not photons.
        weights.append(np.clip(listed.snr[own], 1.0, 50.0))
    if not frames:
        none = np.empty(0, dtype=np.intp)
        return Entries(none, none, none, np.empty(0), np.empty(0))
    columns = (np.concatenate(part) for part in (frames, numbers, indices, fluxes, weights))
    return Entries(*columns)


def _cell_scatter(
    entries: Entries, rest: Floats, stars: Sequence[StarList], shape: tuple[int, int]
) -> Floats:
    """Scatter over the field, in magnitudes, of each frame's star residuals per cell."""
    if not len(rest):
        return np.full(len(stars), np.nan)
    offsets = np.cumsum([0, *(len(item.x) for item in stars)])
    at = offsets[entries.frame] + entries.place
    x = np.concatenate([item.x for item in stars])[at]
    y = np.concatenate([item.y for item in stars])[at]
    cells = MISSING_ROWS * MISSING_COLS
    group = entries.frame * cells + _cell_of(x, y, shape)
    size = len(stars) * cells
    known = np.isfinite(rest)
    medians = weighted_medians(rest[known], entries.weight[known], group[known], size)
    filled = np.bincount(group[known], minlength=size) >= _MIN_STARS
    table = np.where(filled, medians, np.nan).reshape(len(stars), cells)
    enough = np.isfinite(table).sum(axis=1) >= 4
    out = np.full(len(stars), np.nan)
    out[enough] = 1.0857 * np.nanstd(table[enough], axis=1)
    return out


def _missing(
    field: NightField, star_term: Floats, shape: tuple[int, int]
) -> tuple[Floats, Floats, Floats]:
    """Expected stars, missing ones, and the largest share missing in one cell, per frame."""
    n, k = len(field.alignments), len(field.position)
    centre = frame_centre(shape)
    inside = np.zeros((n, k), dtype=bool)
    seen = np.zeros((n, k), dtype=bool)
    for i, alignment in enumerate(field.alignments):
        if alignment is not None:
            here = alignment.to_frame(field.position, centre)
            edge = min(_EDGE_PX, 0.1 * min(shape))
            inside[i] = np.all((here > edge) & (here < 2 * centre - edge), axis=1)
            seen[i, alignment.pairs[:, 1]] = True
    held = inside.sum(axis=0)
    found = (inside & seen).sum(axis=0)
    out = np.full((3, n), np.nan)
    for i, alignment in enumerate(field.alignments):
        if alignment is None:
            continue
        # Without this frame's own vote.
        others = held - inside[i]
        rate = (found - (inside[i] & seen[i])) / np.maximum(others, 1)
        usual = inside[i] & (others >= 3) & (rate >= _USUALLY_SEEN)
        if usual.any():
            # The faintest third comes and goes with the noise of the sky.
            usual &= star_term >= np.quantile(star_term[usual], 1 / 3)
        wanted = np.flatnonzero(usual)[:_MOST_EXPECTED]
        gone = ~seen[i, wanted]
        place = alignment.to_frame(field.position[wanted], centre)
        cell = _cell_of(place[:, 0], place[:, 1], shape)
        total = np.bincount(cell, minlength=MISSING_ROWS * MISSING_COLS)
        lost = np.bincount(cell[gone], minlength=MISSING_ROWS * MISSING_COLS)
        usable = total >= _MIN_STARS
        # As if two more had been seen: three of three say less than eight of eight.
        share = lost[usable] / (total[usable] + 2)
        worst = float(share.max() - np.median(share)) if usable.sum() >= 3 else np.nan
        out[:, i] = len(wanted), gone.sum(), worst
    return out[0], out[1], out[2]


def _cell_of(x: Floats, y: Floats, shape: tuple[int, int]) -> npt.NDArray[np.intp]:
    row = np.clip((y * MISSING_ROWS / shape[0]).astype(np.intp), 0, MISSING_ROWS - 1)
    col = np.clip((x * MISSING_COLS / shape[1]).astype(np.intp), 0, MISSING_COLS - 1)
    return row * MISSING_COLS + col
