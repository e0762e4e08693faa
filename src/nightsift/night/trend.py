"""Deviation of each frame from the smooth course of its night, without the frame's own pull."""

from __future__ import annotations

from itertools import combinations, pairwise
from math import comb
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.look.statistics import MAD_TO_SIGMA, robust_sigma

Floats = npt.NDArray[np.float64]

# Frames needed for any comparison; for a line; for a parabola. A cubic would bend into a spell
# of cloud at the end of a night.
MIN_FRAMES = 5
_FRAMES_FOR_DEGREE = (MIN_FRAMES, 8, 16)
# A higher degree must make the typical residual smaller by this factor.
_WORTH = 0.87
_STARTS = 150
_MOST_POINTS = 300
_TUKEY = 4.685
_NEIGHBOURS = 5
_JUMP_SIGMA = 6.0
_MOST_JUMPS = 7
# Share of the night that a level must last to be the one that all others are measured from.
_LEVEL_SHARE = 0.15


class Deviation(NamedTuple):
    """How far each frame lies from what the others let expect.

    Attributes:
        value: (N,) value minus expectation; NaN where there is none of either.
        scale: (N,) robust standard deviation of the other frames' deviations, 0 for a constant
            feature; NaN for fewer than `MIN_FRAMES` others.
    """

    value: Floats
    scale: Floats


def slow_deviation(time: Floats, values: Floats, *, worse: int = 0) -> Deviation:
    """Deviation from the smooth course that most of the night follows.

    The course is a polynomial of at most third degree. Where the values jump (a cloud comes, a
    focus is lost) it consists of a parabola with a level of its own between two jumps, and
    deviations count from the best level: what lasts a third of the night is no course.
    Residuals are those of a fit without the frame itself.

    Args:
        time: (N,) in any unit, or frame numbers, ascending; all the same where the order tells
            nothing: then there is neither course nor jump, only the usual value.
        values: (N,), NaN where there is none.
        worse: 1 if larger values are worse, -1 if smaller ones are, 0 if both are: then the
            level that most frames have is the best one.
    """
    known = np.flatnonzero(np.isfinite(values))
    out = np.full(len(values), np.nan)
    if len(known) <= MIN_FRAMES:
        return Deviation(out, out.copy())
    t, y = _normalised(time[known]), values[known]
    if not t.any():
        out[known] = _refined(np.ones((len(t), 1)), y, y - np.median(y))[0]
        return Deviation(out, _scale_of_others(out))
    segment = _segments(y)
    best, best_size = np.empty(0), np.inf
    for degree, needed in enumerate(_FRAMES_FOR_DEGREE if segment[-1] == 0 else ()):
        if len(known) < needed or len(np.unique(t)) <= degree + 1:
            break
        design = np.vander(t, degree + 1, increasing=True)
        residual = _refined(design, y, y - design @ _least_median(t, y, degree))[0]
        size = float(np.median(np.abs(residual)))
        if size < _WORTH * best_size:
            best, best_size = residual, size
    out[known] = _from_levels(t, y, segment, worse) if segment[-1] else best
    return Deviation(out, _scale_of_others(out))


def local_deviation(values: Floats) -> Deviation:
    """Deviation from the median of the five frames before and the five behind.

    Blind to anything that lasts, which is its purpose: a step to another level deviates in
    none of its frames.

    Args:
        values: (N,) in time order, NaN where there is none.
    """
    out = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    n = len(known)
    if n <= MIN_FRAMES:
        return Deviation(out, out.copy())
    y = values[known]
    padded = np.full(n + 2 * _NEIGHBOURS, np.nan)
    padded[_NEIGHBOURS : _NEIGHBOURS + n] = y
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEIGHBOURS + 1).copy()
    windows[:, _NEIGHBOURS] = np.nan
    # A frame at the edge of a spell belongs to one side: take the nearer of both sides' medians
    # where they disagree.
    whole = np.nanmedian(windows, axis=1)
    deviation = y - whole
    for side in (windows[:, :_NEIGHBOURS], windows[:, _NEIGHBOURS + 1 :]):
        full = np.isfinite(side).sum(axis=1) >= 3
        middle = np.full(n, np.nan)
        middle[full] = np.nanmedian(side[full], axis=1)
        nearer = np.abs(y - middle) < np.abs(deviation)
        deviation = np.where(full & nearer, y - middle, deviation)
    out[known] = deviation
    return Deviation(out, _scale_of_others(out))


def best_deviation(values: Floats, *, worse: int) -> Deviation:
    """Deviation from the best fifth of the night: sees what is bad for most of it.

    A night that is alike throughout, however it looks, deviates nowhere.

    Args:
        values: (N,) in time order, NaN where there is none.
        worse: 1 if larger values are worse, -1 if smaller ones are.
    """
    out = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    if len(known) <= MIN_FRAMES:
        return Deviation(out, out.copy())
    y = values[known]
    out[known] = y - np.percentile(y, 20 if worse > 0 else 80)
    # From frame to frame: the night's own range must not hide what is bad half of it.
    steps = robust_sigma(np.diff(y), 0.0) / np.sqrt(2)
    scale = np.full(len(values), np.nan)
    scale[known] = steps
    return Deviation(out, scale)


def _normalised(time: Floats) -> Floats:
    middle, half = (time.max() + time.min()) / 2, (time.max() - time.min()) / 2
    return np.asarray((time - middle) / half) if half > 0 else np.zeros_like(time)


def _segments(y: Floats) -> npt.NDArray[np.intp]:
    """(N,) number of the stretch between two jumps that each value lies in.

    A jump is a place where the medians of the five values before and behind differ by more
    than noise explains and by more than slow changes make them differ elsewhere.
    """
    n, width = len(y), _NEIGHBOURS
    if n < 4 * width:
        return np.zeros(n, dtype=np.intp)
    medians = np.median(np.lib.stride_tricks.sliding_window_view(y, width), axis=1)
    contrast = np.abs(medians[width:] - medians[:-width])
    noise = robust_sigma(np.diff(y), 0.0) / np.sqrt(2)
    limit = max(
        _JUMP_SIGMA * noise * np.sqrt(np.pi / width), _JUMP_SIGMA * float(np.median(contrast))
    )
    numbers = np.zeros(n, dtype=np.intp)
    for _ in range(_MOST_JUMPS):
        at = int(np.argmax(contrast))
        if contrast[at] <= limit:
            break
        numbers[at + width :] += 1
        contrast[max(0, at - width + 1) : at + width] = 0
    return numbers


def _from_levels(t: Floats, y: Floats, segment: npt.NDArray[np.intp], worse: int) -> Floats:
    """Deviation from a parabola on the best of the levels that the stretches have."""
    levels = (segment[:, None] == np.arange(segment[-1] + 1)).astype(float)
    design = np.column_stack([levels, t, t**2])
    middle = np.array([np.median(y[segment == number]) for number in range(segment[-1] + 1)])
    residual, coefficients = _refined(design, y, y - middle[segment])
    offsets, counts = coefficients[: segment[-1] + 1], levels.sum(axis=0)
    usable = counts >= max(MIN_FRAMES, _LEVEL_SHARE * len(y))
    if worse == 0 or not usable.any():
        reference = offsets[np.argmax(counts)]
    else:
        reference = worse * np.min(worse * offsets[usable])
    return np.asarray(residual + offsets[segment] - reference)


def _refined(design: Floats, y: Floats, residual: Floats) -> tuple[Floats, Floats]:
    """Residual of each point from the fit to the others, and the coefficients.

    Tukey's biweight, starting from the residuals given.
    """
    hat = np.zeros(len(y))
    coefficients: npt.NDArray[Any] = np.zeros(design.shape[1])
    for _ in range(15):
        size = robust_sigma(residual, 0.0)
        # Exact data: weights of 0 and 1 leave the majority.
        width = _TUKEY * max(size, 1e-9 * (float(np.abs(y).max()) + 1e-300))
        root = np.maximum(1 - (residual / width) ** 2, 0.0)[:, None]
        q, _ = np.linalg.qr(design * root)
        hat = np.sum(q * q, axis=1)
        coefficients = np.linalg.lstsq(design * root, y * root[:, 0], rcond=None)[0]
        new = y - design @ coefficients
        done = np.allclose(new, residual, rtol=0, atol=1e-3 * max(size, 1e-300))
        residual = np.asarray(new)
        if done:
            break
    # The residual from a fit without the point, for given weights (hat matrix identity).
    return residual / np.maximum(1 - hat, 0.05), coefficients


def _least_median(t: Floats, y: Floats, degree: int) -> Floats:
    """Coefficients of the polynomial with the least median of absolute residuals.

    Among many through few points each (Rousseeuw 1984, J. Am. Stat. Assoc. 79, 871,
    https://doi.org/10.1080/01621459.1984.10477105): up to almost half of the values cannot
    move it.
    """
    pick = np.unique(np.linspace(0, len(t) - 1, _MOST_POINTS).round().astype(int))
    t, y = t[pick], y[pick]
    n, size = len(t), degree + 1
    if comb(n, size) <= _STARTS:
        subsets = np.array(list(combinations(range(n), size)))
    else:
        rng = np.random.default_rng(0)
        # One point from each of equal parts of the night: no wild extrapolation.
        edges = np.linspace(0, n, size + 1).astype(int)
        subsets = np.stack(
            [rng.integers(low, high, _STARTS) for low, high in pairwise(edges)],
            axis=1,
        )
    gaps = np.diff(np.sort(t[subsets], axis=1), axis=1)
    subsets = subsets[(gaps > 1e-6).all(axis=1)]
    if not len(subsets):
        return np.concatenate([[np.median(y)], np.zeros(degree)])
    through = np.vander(t[subsets].ravel(), size, increasing=True).reshape(-1, size, size)
    coefficients = np.linalg.solve(through, y[subsets][..., None])[..., 0]
    residual = np.abs(y - coefficients @ np.vander(t, size, increasing=True).T)
    return np.asarray(coefficients[int(np.argmin(np.median(residual, axis=1)))])


def _scale_of_others(deviation: Floats) -> Floats:
    """1.4826 times the median absolute deviation of all frames but the one in question."""
    out = np.full(len(deviation), np.nan)
    known = np.flatnonzero(np.isfinite(deviation))
    size = np.abs(deviation[known])
    order = np.argsort(size, kind="stable")
    ranked = size[order]
    n = len(known)
    if n <= MIN_FRAMES:
        return out
    # Median of n - 1 values: which two of the ranking it lies between once one is taken out.
    low, high = (n - 2) // 2, (n - 1) // 2
    rank = np.empty(n, dtype=int)
    rank[order] = np.arange(n)
    first = ranked[np.where(rank <= low, low + 1, low)]
    second = ranked[np.where(rank <= high, high + 1, high)]
    out[known] = MAD_TO_SIGMA * (first + second) / 2
    return out
