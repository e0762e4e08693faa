"""How right weights are on telescopes that training has not seen; writes the table of the docs.

    python benchmarks/unseen.py OUT.md --set "synthetic nights=DIR" --set "benign nights=DIR" ...
        [--ckpt pretrained] [--published RUN_FOLDER] [--cache DIR]

Each set is a folder of labelled nights. Rows are the heuristics, the published architecture (if
given), each head, the fused probability and the fused probability without each part of the
input; intervals are 95 %, over nights. Where `truth.csv` lies beside the frames, recall per
defect and strength follows (frames with one defect; gross is the upper 60 % between what is just
bad and the grossest, on a log scale). Numbers also go into OUT.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from nightsift.data.cache import TensorCache
from nightsift.data.catalogue import Catalogue, Sources, build_catalogue

from nightsift.data.inputs import attach_inputs
from nightsift.heuristics.score import FLAG_SCORE, RobustScore
from nightsift.heuristics.table import measure_night
from nightsift.look.store import MEASURED
from nightsift.look.transforms import build_transform
from nightsift.metrics.scores import binary_scores
from nightsift.models.architectures.two_scale import BRANCHES, TwoScaleModel
from nightsift.models.weights import LoadedModel, load_weights
from nightsift.simulate.defects.catalogue import DEFECTS
from nightsift.training.evaluation import predict_catalogue

_GROSS_FROM = 0.4
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


def read(folder: Path, loaded: LoadedModel, cache_dir: Path) -> tuple[Catalogue, TensorCache]:
    """The catalogue of a set as `loaded` needs it."""
    cache = TensorCache(cache_dir, build_transform(loaded.card.transform))
    catalogue = build_catalogue(Sources(seq_dirs=[folder]), cache)
    if loaded.model.uses_inputs:
        attach_inputs(catalogue, cache_dir / MEASURED)
    return catalogue, cache


def judged(folder: Path, loaded: LoadedModel, cache_dir: Path) -> dict[str, pd.DataFrame]:
    """Predictions, also without each part of the input."""
    catalogue, cache = read(folder, loaded, cache_dir)
    tables = {"": predict_catalogue(loaded.model, loaded.card, cache, catalogue)}
    if isinstance(loaded.model, TwoScaleModel):
        parts = [{branch} for branch in BRANCHES] + [set(BRANCHES) - {"features"}]
        names = [*BRANCHES, "all but features"]
        for name, part in zip(names, [*parts[:-1], {"field", "stars"}], strict=True):
            loaded.model.withheld = frozenset(part)
            tables[name] = predict_catalogue(loaded.model, loaded.card, cache, catalogue)
        loaded.model.withheld = frozenset()
    return tables


def rows_of(
    folder: Path, loaded: LoadedModel, published: LoadedModel | None, cache_dir: Path
) -> tuple[Frames, list[Row], pd.DataFrame]:
    """Every way of judging the labelled frames of one set, and the whole table of ours."""
    tables = judged(folder, loaded, cache_dir)
    ours = tables[""]
    known = ours["label"].notna().to_numpy()
    frames = Frames(
        [Path(file) for file in ours["file"][known]],
        ours["label"][known].to_numpy(dtype=float),
        ours["night"][known].to_numpy(dtype=np.str_),
    )
    threshold = loaded.card.threshold

    def column(table: pd.DataFrame, name: str) -> Floats:
        by_file = table.set_index("file")[name]
        return by_file.loc[[str(path) for path in frames.path]].to_numpy(dtype=float)

    features = measure_night([Path(file) for file in ours["file"]], store=cache_dir / MEASURED)
    heuristics = RobustScore().judge(features).assign(file=features["file"])
    rows = [Row("heuristics score", column(heuristics, "candidate_score"), FLAG_SCORE)]
    if published is not None:
        other = judged(folder, published, cache_dir)[""]
        rows.append(
            Row("published network, fused", column(other, "prob_bad"), published.card.threshold)
        )
    rows += [
        Row("features alone", column(tables["all but features"], "prob_frame"), threshold),
        Row("frame head", column(ours, "prob_frame"), threshold),
        Row("sequence head", column(ours, "prob_seq"), threshold),
        Row("**fused**", column(ours, "prob_bad"), threshold),
    ]
    rows += [
        Row(f"fused without {name}", column(tables[name], "prob_bad"), threshold)
        for name in BRANCHES
    ]
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
        rejected = row.prob >= row.threshold
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


def level(kind: str, strength: float) -> float:
    """0 where a defect is just bad, 1 where it is grossest."""
    defect = DEFECTS[kind]
    return float(np.log(strength / defect.bad) / max(np.log(defect.gross / defect.bad), 1e-9))


def per_defect(frames: Frames, row: Row) -> pd.DataFrame:
    """Recall at the threshold of frames with one defect that makes them bad."""
    truth = []
    for folder in dict.fromkeys(path.parent for path in frames.path):
        if (folder / "truth.csv").is_file():
            table = pd.read_csv(folder / "truth.csv")
            single = table[~table["file"].duplicated(keep=False) & (table["label"] == "bad")]
            truth += [
                (folder / str(r.file), r.kind, float(r.strength)) for r in single.itertuples()
            ]
    caught = dict(zip(frames.path, row.prob >= row.threshold, strict=True))
    known = [
        (kind, "gross" if level(kind, strength) >= _GROSS_FROM else "faint", caught[path])
        for path, kind, strength in truth
        if path in caught
    ]
    return pd.DataFrame(known, columns=["defect", "strength", "caught"])


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
        own = table if kind == "all" else table[table["defect"] == kind]
        if len(own):
            cells = [
                f"{part['caught'].mean():.3f} of {len(part)}" if len(part) else "-"
                for part in (own[own["strength"] == strength] for strength in ("faint", "gross"))
            ]
            lines.append([kind, *cells])
    return "## Recall per defect\n\n" + markdown(["defect", "faint", "gross"], lines)


def main(track: Callable[[str], None] = print) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--set", action="append", required=True, metavar="NAME=DIR")
    parser.add_argument("--ckpt", default="pretrained")
    parser.add_argument("--published", default="")
    parser.add_argument("--cache", type=Path, default=Path("outputs/cache"))
    options = parser.parse_args()
    loaded = load_weights(options.ckpt)
    published = load_weights(options.published) if options.published else None
    texts, numbers, found = [], {}, []
    for item in options.set:
        name, _, folder = item.partition("=")
        frames, rows, table = rows_of(Path(folder), loaded, published, options.cache)
        text, numbers[name] = section(name, frames, rows, loaded.card.prior)
        fused = next(row for row in rows if row.name == "**fused**")
        found.append(per_defect(frames, fused))
        table.to_csv(options.out.with_suffix(f".{len(texts)}.csv"), index=False)
        track(text)
        texts.append(text)
    texts.append(defects_section(found))
    options.out.write_text("\n".join(texts), encoding="utf-8")
    options.out.with_suffix(".json").write_text(json.dumps(numbers, indent=2) + "\n")
    track(texts[-1])


if __name__ == "__main__":
    main()
