"""Every way of judging a frame, the way that `predict` does, and what is known of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from real_baseline import THRESHOLD, baseline_scores
from real_sets import Part
from unseen import read

from nightsift import judge_features
from nightsift.heuristics.score import FLAG_SCORE
from nightsift.heuristics.table import feature_table
from nightsift.metrics.threshold import is_bad
from nightsift.models.architectures.two_scale import BRANCHES, TwoScaleModel
from nightsift.models.weights import LoadedModel
from nightsift.night.night import NightSet
from nightsift.training.evaluation import score_nights

FUSED, HEURISTICS, BASELINE = "**fused**", "heuristics", "untrained baseline"
_HEADS = {"frame head": "prob_frame", "sequence head": "prob_seq"}
_WITHHELD = {
    "fused without pictures": frozenset(BRANCHES) - {"features"},
    "pictures alone": frozenset({"features"}),
}
# Words of real labels' notes to the reasons that are right.
_NOTED = {
    r"twilight|moonlit|bright sky": {"bright_sky"},
    r"satellite|streak": {"streak"},
    r"trailed|tracking": {"trailing"},
    r"cloud": {"cloud"},
    r"defocus": {"defocus"},
    r"no stars": {"no_stars"},
}


def judge(part: Part, loaded: LoadedModel, work: Path, *, parts: bool) -> pd.DataFrame:
    """One row per labelled frame that has a probability.

    Returns:
        `telescope`, `group`, `file`, `label`, `night`, `size` (frames in it), `causes` (set of
        right reasons, empty where unknown), and for each way of judging `NAME prob`, `NAME bad`
        and, where it names one, `NAME reason`.
    """
    nights = read(part.folder, loaded.card, work / "cache")
    ours = score_nights(loaded, nights).set_index("file")
    out = pd.DataFrame(index=ours.index)
    _add(out, FUSED, ours["prob_bad"], ours["pred"] == 1, ours["reason"])
    for name, column in _HEADS.items():
        _add(out, name, ours[column], is_bad(ours[column].to_numpy(), loaded.card.threshold))
    if parts:
        for name, table in _without(loaded, nights).items():
            _add(out, name, table["prob_bad"], table["pred"] == 1)
    rules = judge_features(feature_table(nights)).set_index("file").loc[out.index]
    score = rules["candidate_score"]
    _add(out, HEURISTICS, score, is_bad(score.to_numpy(), FLAG_SCORE), rules["reason"])
    files = [Path(file) for file in out.index]
    plain = baseline_scores(files, work / "sep" / f"{_flat(part.folder)}.csv")
    _add(out, BASELINE, pd.Series(plain, index=out.index), is_bad(plain, THRESHOLD))
    sizes = ours["night"].map(ours["night"].value_counts())
    known = ours["label"].notna() & ours["prob_bad"].notna()
    out = out.assign(
        telescope=part.telescope,
        group=part.group,
        label=ours["label"].astype("float64"),
        night=[f"{part.folder}/{night}" for night in ours["night"]],
        size=sizes,
        causes=_causes(ours, part.folder),
    )
    return out[known].reset_index()


def ways(table: pd.DataFrame) -> list[str]:
    """The ways of judging in a table of `judge`, the fused probability last."""
    names = [column.removesuffix(" prob") for column in table if column.endswith(" prob")]
    return sorted(names, key=lambda name: name == FUSED)


def _add(
    out: pd.DataFrame,
    name: str,
    prob: pd.Series,
    bad: object,
    reason: pd.Series | None = None,
) -> None:
    out[f"{name} prob"] = prob
    out[f"{name} bad"] = np.asarray(bad, dtype=bool)
    if reason is not None:
        out[f"{name} reason"] = reason


def _without(loaded: LoadedModel, nights: NightSet) -> dict[str, pd.DataFrame]:
    """Predictions without part of the input."""
    if not isinstance(loaded.model, TwoScaleModel):
        return {}
    tables = {}
    for name, branches in _WITHHELD.items():
        loaded.model.withheld = branches
        tables[name] = score_nights(loaded, nights).set_index("file")
    loaded.model.withheld = frozenset()
    return tables


def _flat(folder: Path) -> str:
    return "_".join(folder.absolute().parts[-3:])


def _causes(ours: pd.DataFrame, folder: Path) -> list[frozenset[str]]:
    """Right reasons of each bad frame: of `truth.csv`, else by the words of the label's note."""
    truths: dict[str, set[str]] = {}
    for path in folder.rglob("truth.csv"):
        table = pd.read_csv(path, keep_default_na=False)
        for name, cause, label in zip(table["file"], table["cause"], table["label"], strict=True):
            if label == "bad":
                truths.setdefault(str(path.parent / name), set()).add(cause)
    notes = ours["notes"] if "notes" in ours else pd.Series("", index=ours.index)
    return [
        frozenset((truths.get(file) or _noted(str(note))) if label == 1 else ())
        for file, note, label in zip(ours.index, notes, ours["label"].fillna(0), strict=True)
    ]


def _noted(note: str) -> set[str]:
    found: set[str] = set()
    for words, causes in _NOTED.items():
        if re.search(words, note):
            found |= causes
    return found


def is_right(reason: object, causes: frozenset[str]) -> bool:
    """Whether a reason, which may be followed by more words, is one of the causes."""
    return re.split(r"[:;,+\s]", str(reason), maxsplit=1)[0] in causes
