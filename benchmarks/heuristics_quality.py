"""How well the heuristics rank bad frames, against labels and against simulated truth.

    python benchmarks/heuristics_quality.py labels CANDIDATES.csv [CANDIDATES.csv ...]
    python benchmarks/heuristics_quality.py truth CANDIDATES.csv [CANDIDATES.csv ...]
    python benchmarks/heuristics_quality.py --quick

Both read what `python -m heuristics` wrote for folders that lie where they lay. `labels` takes
`*labels*.csv` beside the frames (where nothing is good, marginal frames stand in); `truth` takes
`truth.csv` as `python -m simulate` writes it and compares frames with one defect each with clean
ones, per kind; gross is the upper 60 % between what is just bad and the grossest, on a log scale.
`--quick` does both on two small simulated nights, to see that it works.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from nights import quick_night
from sklearn.metrics import average_precision_score, roc_auc_score
from truth import single_truths

from nightsift import judge_features, measure_night
from nightsift.fits.labels import find_label_csvs, read_label_csv
from nightsift.simulate.defects.catalogue import DEFECTS


def read_candidates(path: Path) -> pd.DataFrame:
    """File, score and flag of each frame."""
    return pd.read_csv(path, usecols=["file", "candidate_score", "flag_any"])


def labelled(candidates: pd.DataFrame) -> pd.DataFrame:
    """Candidates with the text of their label."""
    texts: dict[Path, str] = {}
    for folder in {Path(file).parent for file in candidates["file"]}:
        for path in find_label_csvs(folder):
            table = read_label_csv(path)
            for name, text in zip(
                table.rows[table.file_column], table.rows[table.label_column], strict=True
            ):
                texts[folder / Path(str(name)).name] = str(text)
    return candidates.assign(text=[texts.get(Path(file), "") for file in candidates["file"]])


def against_labels(path: Path) -> None:
    """One line: average precision, recall at 2 % false rejection, flagged frames."""
    table = labelled(read_candidates(path))
    other = "good" if (table["text"] == "good").any() else "marginal"
    known = table[table["text"].isin(["bad", other])]
    bad = (known["text"] == "bad").to_numpy()
    score, flag = known["candidate_score"].to_numpy(), known["flag_any"].to_numpy(dtype=bool)
    limit = np.quantile(score[~bad], 0.98, method="higher")
    print(
        f"{path}: AP {average_precision_score(bad, score):.3f}, recall at 2 % false rejection "
        f"{np.mean(score[bad] > limit):.2f}, flagged {flag[bad].sum()} of {bad.sum()} bad and "
        f"{flag[~bad].sum()} of {(~bad).sum()} {other}"
    )


def against_truth(paths: list[Path]) -> None:
    """A table per kind of defect, and how many clean frames are flagged."""
    candidates = pd.concat([read_candidates(path) for path in paths])
    truth = single_truths(Path(file).parent for file in candidates["file"])
    table = candidates.merge(truth, left_on="file", right_on="path", suffixes=("", "_truth"))
    clean = table[table["kind"].isna()]
    print(f"clean frames: {len(clean)}, flagged {100 * clean['flag_any'].mean():.2f} %")
    rows = []
    for kind, defect in DEFECTS.items():
        own = table[(table["kind"] == kind) & (table["strength"] >= defect.bad)]
        for part, frames in own.groupby("part"):
            bad = np.r_[np.ones(len(frames)), np.zeros(len(clean))]
            score = np.r_[frames["candidate_score"], clean["candidate_score"]]
            area = roc_auc_score(bad, score)
            rows.append((kind, part, len(frames), area, frames["flag_any"].mean()))
    result = pd.DataFrame(rows, columns=["kind", "part", "frames", "auc", "flagged"])
    print(result.round(4).to_string(index=False))
    print(result.groupby("part")["auc"].mean().round(4).to_string())


def quick() -> None:
    """Both on two small nights."""
    with tempfile.TemporaryDirectory() as where:
        nights = [quick_night(Path(where, "nights", f"n{seed}"), seed=seed) for seed in range(2)]
        path = Path(where, "candidates.csv")
        judge_features(measure_night(nights)).to_csv(path, index=False)
        against_labels(path)
        against_truth([path])


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["labels", "truth"])
    parser.add_argument("candidates", nargs="*", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        quick()
    elif not options.candidates:
        parser.error("which CANDIDATES.csv?")
    elif options.what == "truth":
        against_truth(options.candidates)
    else:
        for path in options.candidates:
            against_labels(path)


if __name__ == "__main__":
    main()
