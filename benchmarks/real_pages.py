"""The page of the benchmark on real telescopes: tables, what went wrong, pictures of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from real_judging import FUSED
from real_numbers import (
    AP,
    COPIES,
    FALSE,
    REASONS,
    RECALL,
    RECALL_2,
    Number,
    Numbers,
    keys,
    over_telescopes,
)
from unseen import markdown

from nightsift.fits.reader import read_frame

Results = dict[str, dict[str, Numbers]]  # by way of judging, then by telescope
_MOST_LISTED, _MOST_DRAWN = 60, 24
_COLUMNS = 6


def cell(number: Number) -> str:
    """`0.987 (0.95-1.00)`, or a dash."""
    if np.isnan(number.value):
        return "-"
    low, high = number.interval
    return f"{number.value:.3f}" + ("" if np.isnan(low) else f" ({low:.2f}-{high:.2f})")


def summary(results: Results) -> str:
    """Every way of judging: mean and worst over telescopes."""
    main = [AP, RECALL_2, RECALL, FALSE, REASONS]
    kinds = [key for key in keys(next(iter(results.values()))) if key.startswith(COPIES)]
    text = "## Mean over telescopes\n\n" + _over(results, main, worst=False)
    text += "\n## Worst telescope\n\n" + _over(results, main, worst=True)
    text += "\n## Good frames of copies rejected, mean over telescopes\n\n"
    text += _over(results, kinds, worst=False)
    return text + "\n## The same, worst telescope\n\n" + _over(results, kinds, worst=True)


def _over(results: Results, columns: list[str], *, worst: bool) -> str:
    lines = []
    for way, own in results.items():
        cells = []
        for key in columns:
            mean, name, number = over_telescopes(own, key)
            cells.append(f"{cell(number)} {name}" if worst and name else cell(mean))
        lines.append([way, *cells])
    short = [key.removeprefix(f"{COPIES}: ") for key in columns]
    return markdown(["", *short], lines)


def per_telescope(results: Results) -> str:
    """Every number of each telescope, real and injected frames together and apart."""
    nothing = Number(np.nan, np.full(1, np.nan), 0)
    text = ""
    for telescope, fused in results[FUSED].items():
        lines = [
            [
                key,
                *(cell(own[telescope].get(key, nothing)) for own in results.values()),
                str(fused[key].frames),
            ]
            for key in fused
        ]
        text += f"## {telescope}\n\n{markdown(['', *results, 'frames'], lines)}\n"
    return text


def wrong_frames(table: pd.DataFrame) -> pd.DataFrame:
    """Frames of one telescope that the fused probability got wrong, with `what`."""
    bad = table[f"{FUSED} bad"]
    missed, false = (table["label"] == 1) & ~bad, (table["label"] == 0) & bad
    wrong = table[missed | false]
    return wrong.assign(what=np.where(wrong["label"] == 1, "missed", "rejected"))


def wrong_section(table: pd.DataFrame, root: Path) -> str:
    """What was missed and falsely rejected, telescope by telescope."""
    text = "# What the fused verdict got wrong\n\n"
    for telescope, own in table.groupby("telescope"):
        wrong = wrong_frames(own)
        lines = [
            [
                row["what"],
                row["group"],
                _short(row["file"], root),
                f"{row[f'{FUSED} prob']:.3f}",
                str(row[f"{FUSED} reason"]),
                " ".join(sorted(row["causes"])),
            ]
            for _, row in wrong.head(_MOST_LISTED).iterrows()
        ]
        text += f"## {telescope}: {len(wrong)} frames"
        text += f", the first {_MOST_LISTED}" if len(wrong) > _MOST_LISTED else ""
        header = ["", "group", "file", "prob", "reason", "known cause"]
        text += f"\n\n{markdown(header, lines)}\n"
    return text


def _short(file: str, root: Path) -> str:
    path = Path(file)
    return str(path.relative_to(root) if path.is_relative_to(root) else Path(*path.parts[-2:]))


def draw_wrong(table: pd.DataFrame, out: Path) -> None:
    """Pictures of frames of one telescope that were judged wrongly, of every group in turn."""
    wrong = wrong_frames(table)
    turn = wrong.groupby(["group", "what"]).cumcount()
    chosen = wrong.assign(turn=turn).sort_values(["turn", "group"], kind="stable")
    chosen = chosen.head(_MOST_DRAWN)
    if not len(chosen):
        return
    rows = -(-len(chosen) // _COLUMNS)
    figure = Figure(figsize=(4 * _COLUMNS, 4.4 * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, _COLUMNS, squeeze=False)).ravel()
    for axis in axes:
        axis.axis("off")
    for axis, (_, row) in zip(axes, chosen.iterrows(), strict=False):
        pixels = read_frame(Path(row["file"])).pixels.astype(float)
        low, high = np.percentile(pixels, [2, 99.5])
        axis.imshow(pixels, cmap="gray", vmin=low, vmax=high, interpolation="antialiased")
        causes = " ".join(sorted(row["causes"]))
        axis.set_title(
            f"{row['what']} {row[f'{FUSED} prob']:.2f} {row[f'{FUSED} reason']} ({causes})\n"
            f"{row['group']}: {Path(row['file']).name[-40:]}",
            fontsize=9,
        )
    figure.savefig(out, dpi=60)


def as_json(results: Results) -> dict[str, object]:
    """Every number with its interval; None where undefined."""

    def plain(number: Number) -> dict[str, object]:
        values = [number.value, *number.interval]
        low, middle, high = (
            None if np.isnan(v) else float(v) for v in (values[1], values[0], values[2])
        )
        return {"value": middle, "low": low, "high": high, "frames": number.frames}

    written: dict[str, object] = {}
    for way, own in results.items():
        means = {key: over_telescopes(own, key) for key in keys(own)}
        written[way] = {
            "mean": {key: plain(mean) for key, (mean, _, _) in means.items()},
            "worst": {key: {"telescope": name, **plain(n)} for key, (_, name, n) in means.items()},
            "telescopes": {
                name: {key: plain(number) for key, number in numbers.items()}
                for name, numbers in own.items()
            },
        }
    return written
