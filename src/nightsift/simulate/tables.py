"""The truth about frames on disk: labels as an observer would give them, and what was done."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nightsift.simulate.occurrences import Truth, worst_label

LABELS = "labels.csv"
TRUTH = "truth.csv"
_TRUTH_COLUMNS = ("file", "label", "cause", "kind", "strength", "unit", "parameters", "frame")


class FrameTruth(NamedTuple):
    """One frame that was made.

    Attributes:
        name: of the file.
        defects: what was done to it; empty for a clean frame.
        facts: numbers that describe the frame without its defects, units in their names.
        note: for the label table, beside what the defects say.
    """

    name: str
    defects: list[Truth]
    facts: dict[str, float]
    note: str = ""


def write_tables(folder: Path, frames: Sequence[FrameTruth]) -> None:
    """Write `labels.csv` (one row per frame) and `truth.csv` (one per frame and defect).

    The columns `parameters` and `frame` of the latter hold JSON objects of numbers.
    """
    labels = [("file", "label", "notes")]
    truth: list[tuple[str, ...]] = [_TRUTH_COLUMNS]
    for frame in frames:
        seen = [defect for defect in frame.defects if defect.label != "good"]
        notes = [f"{d.cause}: {d.kind} {d.strength:.3g} {d.unit}" for d in seen]
        notes += [frame.note] * bool(frame.note)
        labels.append((frame.name, worst_label(frame.defects), "; ".join(notes)))
        facts = _numbers(frame.facts)
        if not frame.defects:
            truth.append((frame.name, "good", "none", "", "", "", "", facts))
        truth.extend(
            (
                frame.name,
                defect.label,
                defect.cause,
                defect.kind,
                f"{defect.strength:.5g}",
                defect.unit,
                _numbers(defect.parameters),
                facts,
            )
            for defect in frame.defects
        )
    for name, rows in ((LABELS, labels), (TRUTH, truth)):
        with (folder / name).open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)


def _numbers(values: dict[str, float]) -> str:
    return json.dumps({key: float(f"{value:.6g}") for key, value in values.items()})
