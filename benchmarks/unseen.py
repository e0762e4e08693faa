"""How right weights are on telescopes that training has not seen; writes the table of the docs.

    python benchmarks/unseen.py OUT.md --set "synthetic nights=DIR" --set "benign nights=DIR" ...
        [--ckpt pretrained] [--published RUN_FOLDER] [--cache DIR]
    python benchmarks/unseen.py --quick

Each set is a folder of labelled nights. Rows are the heuristics, the published architecture (if
given), each head, the fused probability and the fused probability without each part of the
input; intervals are 95 %, over nights. Where `truth.csv` lies beside the frames, recall per
defect and strength follows (frames with one defect; gross is the upper 60 % between what is just
bad and the grossest, on a log scale). Numbers also go into OUT.json. `--quick` does all of this
once on two small simulated nights, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from nights import quick_night
from truth import single_truths

from nightsift import judge_features
from nightsift.heuristics.score import FLAG_SCORE
from nightsift.heuristics.table import feature_table
from nightsift.look.store import LookStore
from nightsift.metrics.scores import binary_scores
from nightsift.metrics.threshold import is_bad
from nightsift.models.architectures.two_scale import BRANCHES, TwoScaleModel
from nightsift.models.card import ModelCard
from nightsift.models.weights import LoadedModel, build_model, load_weights
from nightsift.night.night import NightSet
from nightsift.night.reading import read_nights
from nightsift.night.sources import Sources
from nightsift.simulate.defects.catalogue import DEFECTS
from nightsift.training.card import wanted_by
from nightsift.training.evaluation import score_nights

FUSED = "**fused**"
_RESAMPLES = 1000
Floats = npt.NDArray[np.float64]


class Row(NamedTuple):
    """Probabilities of one way of judging, and its threshold."""

    name: str
    prob: Floats
    threshold: float


class Frames(NamedTuple):
    """Labelled frames of one set."""

    path: list[Path]
    label: Floats
    night: npt.NDArray[np.str_]


def read(folder: Path, card: ModelCard, cache_dir: Path) -> NightSet:
    """The nights of a set as weights need them, measured."""
    wanted, store = wanted_by(card, measured=True), LookStore(cache_dir)
    return read_nights(Sources(seq_dirs=[folder]), wanted, store, processes=True)


def without_parts(loaded: LoadedModel, nights: NightSet) -> dict[str, pd.DataFrame]:
    """Predictions without each part of the input, and with measured features alone."""
    if not isinstance(loaded.model, TwoScaleModel):
        return {}
    withheld = {f"fused without {branch}": {branch} for branch in BRANCHES}
    withheld["features alone"] = set(BRANCHES) - {"features"}
    tables = {}
    for name, parts in withheld.items():
        loaded.model.withheld = frozenset(parts)
        tables[name] = score_nights(loaded, nights)
    loaded.model.withheld = frozenset()
    return tables


def rows_of(
    folder: Path, loaded: LoadedModel, published: LoadedModel | None, cache_dir: Path
) -> tuple[Frames, list[Row], pd.DataFrame]:
    """Every way of judging the labelled frames of one set, and the whole table of ours."""
    nights = read(folder, loaded.card, cache_dir)
    ours = score_nights(loaded, nights)
    known = ours[ours["label"].notna() & ours["prob_bad"].notna()]
    frames = Frames(
        [Path(file) for file in known["file"]],
        known["label"].to_numpy(dtype=float),
        known["night"].to_numpy(dtype=np.str_),
    )

    def row(name: str, table: pd.DataFrame, column: str, threshold: float) -> Row:
        by_file = table.set_index("file")[column]
        return Row(name, by_file.loc[known["file"]].to_numpy(dtype=float), threshold)

    heuristics = judge_features(feature_table(nights))
    rows = [row("heuristics score", heuristics, "candidate_score", FLAG_SCORE)]
    if published is not None:
        table = score_nights(published, read(folder, published.card, cache_dir))
        rows.append(row("published network, fused", table, "prob_bad", published.card.threshold))
    threshold = loaded.card.threshold
    parts = without_parts(loaded, nights)
    if "features alone" in parts:
        rows.append(row("features alone", parts.pop("features alone"), "prob_frame", threshold))
    rows.append(row("frame head", ours, "prob_frame", threshold))
    rows.append(row("sequence head", ours, "prob_seq", threshold))
    rows.append(row(FUSED, ours, "prob_bad", threshold))
    rows += [row(name, table, "prob_bad", threshold) for name, table in parts.items()]
    return frames, rows, ours


def at_prior(
    weight: npt.NDArray[np.float64], label: npt.NDArray[np.float64], prior: float | None
) -> npt.NDArray[np.float64]:
    """Weights (B, N) such that bad frames have the share that the probabilities are meant for."""
    bad, good = weight @ label, weight @ (1 - label)
    if prior is None:
        return weight
    share = np.divide(prior * good, (1 - prior) * bad, out=np.ones_like(bad), where=bad > 0)
    return weight * np.where(label == 1, share[:, None], 1.0)


def scores(row: Row, frames: Frames, prior: float | None) -> dict[str, tuple[float, float, float]]:
    """Each number with its interval over nights."""
    nights, member = np.unique(frames.night, return_inverse=True)
    draws = np.random.default_rng(0).multinomial(
        len(nights), np.full(len(nights), 1 / len(nights)), _RESAMPLES
    )

    def measure(weight: npt.NDArray[np.float64]) -> dict[str, Floats]:
        found = binary_scores(row.prob, frames.label, row.threshold, weights=weight)
        rejected = is_bad(row.prob, row.threshold)
        good = weight @ (frames.label == 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            false = weight @ ((frames.label == 0) & rejected) / good
        return {
            "average precision": found["average_precision"],
            "recall at 1 % FR": found["recall_at_1pct_false_rejection"],
            "recall at 2 % FR": recall_at(row.prob, frames.label, weight, 0.02),
            "recall at threshold": found["recall"],
            "FR at threshold": false,
            "ECE at the prior": binary_scores(
                row.prob,
                frames.label,
                row.threshold,
                weights=at_prior(weight, frames.label, prior),
            )["expected_calibration_error"],
        }

    point = measure(np.ones((1, len(frames.label))))
    spread = measure(draws[:, member].astype(np.float64))
    out = {}
    for name, value in point.items():
        drawn = spread[name][np.isfinite(spread[name])]
        low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
        out[name] = (float(value[0]), float(low), float(high))
    return out


def recall_at(prob: Floats, label: Floats, weights: Floats, false: float) -> Floats:
    """(B,) largest recall while at most a share `false` of the good frames is rejected."""
    order = np.argsort(-prob, kind="stable")
    last = np.append(np.diff(prob[order]) != 0, True)
    with np.errstate(invalid="ignore", divide="ignore"):
        good = np.cumsum(weights[:, order] * (label[order] == 0), axis=1)
        bad = np.cumsum(weights[:, order] * (label[order] == 1), axis=1)
        allowed = (good <= false * good[:, -1:] * (1 + 1e-12)) & last
        share = bad / bad[:, -1:]
    return np.where(allowed, share, 0.0).max(axis=1)


def per_defect(frames: Frames, row: Row) -> pd.DataFrame:
    """`kind`, `part` and `caught` of frames with one defect that makes them bad."""
    truth = single_truths(path.parent for path in frames.path)
    truth = truth[truth["label"] == "bad"].set_index("path")
    caught = pd.Series(is_bad(row.prob, row.threshold), index=[str(path) for path in frames.path])
    table = truth[["kind", "part"]].assign(caught=caught.reindex(truth.index))
    return table.dropna(subset="caught")


def entry(value: tuple[float, float, float]) -> str:
    """`0.987 (0.95-1.00)`, or a dash where undefined."""
    middle, low, high = value
    if np.isnan(middle):
        return "-"
    return f"{middle:.3f}" if np.isnan(low) else f"{middle:.3f} ({low:.2f}-{high:.2f})"


def markdown(header: list[str], lines: list[list[str]]) -> str:
    """A table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def section(
    name: str, frames: Frames, rows: list[Row], prior: float | None
) -> tuple[str, dict[str, object]]:
    """The table of one set and its numbers."""
    numbers = {row.name: scores(row, frames, prior) for row in rows}
    columns = list(next(iter(numbers.values())))
    lines = [[key, *(entry(value[c]) for c in columns)] for key, value in numbers.items()]
    bad = int(frames.label.sum())
    text = (
        f"## {name}\n\n{len(np.unique(frames.night))} nights, {bad} bad and "
        f"{len(frames.label) - bad} good frames.\n\n{markdown(['', *columns], lines)}\n"
    )
    written = {
        name: {c: [None if np.isnan(v) else v for v in value[c]] for c in columns}
        for name, value in numbers.items()
    }
    return text, {"n_bad": bad, "n_good": len(frames.label) - bad, "rows": written}


def defects_section(found: list[pd.DataFrame]) -> str:
    """Recall of the fused probability per defect and strength, over all sets."""
    table = pd.concat(found)
    if table.empty:
        return ""
    lines = []
    for kind in [*DEFECTS, "all"]:
        own = table if kind == "all" else table[table["kind"] == kind]
        if len(own):
            cells = [
                f"{part['caught'].mean():.3f} of {len(part)}" if len(part) else "-"
                for part in (own[own["part"] == part] for part in ("faint", "gross"))
            ]
            lines.append([kind, *cells])
    return "## Recall per defect\n\n" + markdown(["defect", "faint", "gross"], lines)


def write(
    out: Path,
    sets: dict[str, Path],
    loaded: LoadedModel,
    published: LoadedModel | None,
    cache_dir: Path,
) -> None:
    """Measure all sets, print and write the page, the numbers and a table per set."""
    texts, numbers, found = [], {}, []
    for name, folder in sets.items():
        frames, rows, table = rows_of(folder, loaded, published, cache_dir)
        text, numbers[name] = section(name, frames, rows, loaded.card.prior)
        found.append(per_defect(frames, next(row for row in rows if row.name == FUSED)))
        table.to_csv(out.with_suffix(f".{len(texts)}.csv"), index=False)
        print(text)
        texts.append(text)
    texts.append(defects_section(found))
    out.write_text("\n".join(texts), encoding="utf-8")
    out.with_suffix(".json").write_text(json.dumps(numbers, indent=2) + "\n")
    print(texts[-1])


def quick() -> None:
    """Two small simulated nights, shipped weights and a published network without training."""
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        for seed in range(2):
            quick_night(folder / "nights" / f"n{seed}", seed=seed)
        card = ModelCard()
        published = LoadedModel(build_model(card).eval(), card)
        sets = {"simulated": folder / "nights"}
        write(folder / "out.md", sets, load_weights("pretrained"), published, folder / "cache")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=DIR")
    parser.add_argument("--ckpt", default="pretrained")
    parser.add_argument("--published", default="")
    parser.add_argument("--cache", type=Path, default=Path("outputs/cache"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        quick()
        return
    if not (options.out and options.set):
        parser.error("OUT.md and at least one --set NAME=DIR are needed")
    named = [item.partition("=") for item in options.set]
    sets = {name: Path(folder) for name, _, folder in named}
    published = load_weights(options.published) if options.published else None
    write(options.out, sets, load_weights(options.ckpt), published, options.cache)


if __name__ == "__main__":
    main()
