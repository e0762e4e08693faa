"""Figures of a run, in one style."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from nightsift.files import replacing
from nightsift.metrics.calibration import reliability
from nightsift.metrics.scores import binary_scores
from nightsift.metrics.threshold import is_bad

Floats = npt.NDArray[np.float64]
DPI = 120
# Okabe & Ito's colours, distinguishable with every kind of colour vision.
HEAD_COLOURS = {"frame": "#56B4E9", "sequence": "#E69F00", "fused": "#000000"}
BAD, GOOD, MARGINAL, REJECTED = "#D55E00", "#8C8C8C", "#E69F00", "#F6DDCC"
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "font.size": 9,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def new_figure(width: float, height: float, *, fitted: bool = True) -> Figure:
    """An empty figure that belongs to no window, sizes in inches, margins `fitted` or not."""
    figure = Figure(figsize=(width, height), layout="constrained" if fitted else None)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, whole or not at all."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")


def precision_recall_figure(heads: Mapping[str, Floats], label: Floats, threshold: float) -> Figure:
    """Precision against recall of each head; the dot is the threshold on the fused one.

    Args:
        heads: (N,) probabilities of `frame`, `sequence`, `fused`; NaN left out.
        label: (N,) 1 bad, 0 good.
        threshold: of the fused probability; NaN where there is none.
    """
    title = f"{int(label.sum())} bad of {len(label)} frames"
    with mpl.rc_context(STYLE):
        figure = new_figure(5.0, 4.2)
        axes = figure.add_subplot()
        for name, prob in heads.items():
            known = ~np.isnan(prob)
            if not 0 < label[known].sum() < known.sum():
                continue
            recall, precision = _curve(prob[known], label[known])
            ap = float(binary_scores(prob[known], label[known], threshold)["average_precision"])
            width = 1.8 if name == "fused" else 1.1
            axes.step(
                recall,
                precision,
                where="pre",
                color=HEAD_COLOURS[name],
                lw=width,
                label=f"{name}: AP {ap:.3f}",
            )
        if not math.isnan(threshold):
            point = binary_scores(heads["fused"], label, threshold)
            axes.plot(point["recall"], point["precision"], "o", color=BAD, ms=7, clip_on=False)
            title += f"; dot: threshold {threshold:.3f}"
        axes.set(
            xlabel="recall: share of bad frames found",
            ylabel="precision: share of rejections that are right",
            xlim=(0, 1.01),
            ylim=(0, 1.03),
            title=title,
        )
        axes.legend(loc="lower left")
    return figure


def _curve(prob: Floats, label: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(-prob, kind="stable")
    last = np.append(np.diff(prob[order]) != 0, True)
    true = np.cumsum(label[order])[last]
    rejected = (np.arange(len(prob)) + 1)[last]
    return np.append(0, true / true[-1]), np.append(1.0, true / rejected)


def reliability_figure(heads: Mapping[str, Floats], label: Floats) -> Figure:
    """Share of bad frames against stated probability, with how often each is stated."""
    with mpl.rc_context(STYLE):
        figure = new_figure(5.0, 5.0)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        top.plot([0, 1], [0, 1], color=GOOD, lw=0.8, ls="--", label="perfect")
        for name, prob in heads.items():
            known = ~np.isnan(prob)
            if not known.any():
                continue
            bins = reliability(prob[known], label[known])
            used = bins.counts > 0
            style = {"color": HEAD_COLOURS[name], "lw": 1.8 if name == "fused" else 1.0}
            top.plot(bins.mean_prob[used], bins.bad_fraction[used], "o-", ms=4, label=name, **style)
            bottom.stairs(bins.counts, bins.edges, **style)
        top.set(ylabel="share of frames that are bad", ylim=(-0.03, 1.03))
        top.legend(loc="upper left")
        bottom.set(
            xlabel="stated probability of bad", ylabel="frames", yscale="symlog", xlim=(0, 1)
        )
    return figure


def night_figure(
    night: str,
    time: Sequence[datetime | None],
    prob_frame: Floats,
    prob_seq: Floats,
    prob_bad: Floats,
    label: Floats,
    threshold: float,
) -> Figure:
    """Probability along one night, with threshold, labels and rejected frames.

    Args:
        night: title.
        time: (N,) mid-exposure, UTC; the frame number is used where one is missing.
        prob_frame: (N,) probabilities of the frame head; likewise the other two.
        prob_seq: of the sequence head.
        prob_bad: fused.
        label: (N,) 1 bad, 0 good, -1 unlabelled.
        threshold: of the fused probability; NaN where there is none.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(9.0, 3.4)
        axes = figure.add_subplot()
        x = draw_timeline(axes, time, prob_bad, label, threshold)
        axes.plot(x, prob_frame, lw=0.8, color=HEAD_COLOURS["frame"], label="frame head", zorder=2)
        axes.plot(
            x, prob_seq, lw=0.8, color=HEAD_COLOURS["sequence"], label="sequence head", zorder=2
        )
        rejected = f"{is_bad(prob_bad, threshold).sum()} of {len(prob_bad)} frames rejected"
        none = f"{len(prob_bad)} frames, no threshold"
        axes.set_title(f"{night}: {none if math.isnan(threshold) else rejected}")
        figure.legend(loc="outside lower center", ncols=7)
    return figure


def draw_timeline(
    axes: Axes,
    time: Sequence[datetime | None],
    prob_bad: Floats,
    label: Floats,
    threshold: float,
) -> Any:
    """The fused probability along a night; returns the x positions of the frames."""
    x: Any = np.arange(1, len(prob_bad) + 1)
    if all(stamp is not None for stamp in time):
        x = np.array([_naive_utc(stamp) for stamp in time if stamp], dtype="datetime64[ms]")
        locator = AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.set_xlabel("mid-exposure, UTC")
    else:
        axes.set_xlabel("frame")
    _shade(axes, x, is_bad(prob_bad, threshold))
    axes.plot(x, prob_bad, color=HEAD_COLOURS["fused"], lw=1.2, label="fused", zorder=3)
    if not math.isnan(threshold):
        axes.axhline(threshold, color=BAD, lw=0.9, ls="--", label="threshold", zorder=1)
    size = 5.0 if len(prob_bad) < 300 else 2.5
    for value, name, face, edge, order in (
        (0, "labelled good", GOOD, GOOD, 4),
        (-1, "unlabelled", "white", GOOD, 4),
        (1, "labelled bad", BAD, BAD, 5),
    ):
        chosen = label == value
        if chosen.any():
            axes.plot(
                x[chosen],
                prob_bad[chosen],
                "o",
                ms=size,
                mfc=face,
                mec=edge,
                mew=0.8,
                label=name,
                zorder=order,
            )
    axes.set(ylabel="probability of bad", ylim=(-0.04, 1.04))
    return x


def _naive_utc(stamp: datetime) -> datetime:
    """UTC without a zone, as datetime64 wants it; a naive time is UTC already."""
    return stamp.astimezone(UTC).replace(tzinfo=None) if stamp.tzinfo else stamp


def _shade(axes: Axes, x: Any, rejected: npt.NDArray[np.bool_]) -> None:
    """Shade from halfway before the first to halfway behind the last rejected frame of a run."""
    if len(x) < 2:
        return
    middle = x[:-1] + (x[1:] - x[:-1]) / 2
    edges = np.concatenate([x[:1], middle, x[-1:]])
    changes = np.flatnonzero(np.diff(np.concatenate([[0], rejected.astype(int), [0]])))
    for start, stop in zip(changes[::2], changes[1::2], strict=True):
        axes.axvspan(edges[start], edges[stop], color=REJECTED, lw=0, zorder=0)


def overview_figure(
    night: str,
    time: Sequence[datetime | None],
    prob_bad: Floats,
    label: Floats,
    threshold: float,
    *,
    examples: Sequence[tuple[int, npt.NDArray[Any], str]],
) -> Figure:
    """Frames of a night above the probability along it.

    Args:
        night: title.
        time: as for `night_figure`, also the next three.
        prob_bad: fused probabilities.
        label: labels.
        threshold: of the fused probability.
        examples: index in the night, (H, W) stretched pixels 0-1, and caption of each frame.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(11.0, 4.6)
        grid = figure.add_gridspec(2, len(examples), height_ratios=(1.05, 1))
        timeline = figure.add_subplot(grid[1, :])
        x = draw_timeline(timeline, time, prob_bad, label, threshold)
        for column, (index, pixels, caption) in enumerate(examples):
            axes = figure.add_subplot(grid[0, column])
            axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, origin="lower")
            colour = BAD if is_bad(prob_bad[index], threshold) else "#404040"
            axes.set_title(f"{'ABCDEFGH'[column]}  {caption}", color=colour, fontsize=9)
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            for spine in axes.spines.values():
                spine.set(visible=True, color=colour, linewidth=2)
            timeline.annotate(
                "ABCDEFGH"[column],
                (x[index], prob_bad[index]),
                xytext=(0, -13 if prob_bad[index] > 0.5 else 7),
                textcoords="offset points",
                ha="center",
                fontweight="bold",
                color=colour,
            )
        timeline.set_title(night, loc="left")
        figure.legend(loc="outside lower center", ncols=6)
    return figure
