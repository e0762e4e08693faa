"""Good, review or bad, with a reason in words, for every frame."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nightsift.heuristics.rules import RULES
from nightsift.heuristics.score import RobustScore, explain, severity
from nightsift.models.card import ModelCard
from nightsift.models.reading import LEAST_COMPARED

_ALONE = "{others:.0f} other frames to compare it with are too few to call it good"
VERDICTS = ("good", "review", "bad")
# Fewer frames in a row are no spell.
_SHORTEST_SPELL = 3


def add_verdicts(table: pd.DataFrame, features: pd.DataFrame, card: ModelCard) -> pd.DataFrame:
    """Predictions with `verdict` and `explanation` behind the contract's columns.

    `bad` is what `pred` says; `review` is what lies between the card's `review_low` and its
    threshold, or breaks a decisive rule of the heuristics (another field, no stars, one value all
    over), or has too few others to be compared with. Where the measured values alone would
    reject a frame they name the reason, else the weights do, if a measured value speaks for it
    at all; the explanation gives the values.

    Args:
        table: predictions of every file.
        features: of the same files, from `nightsift.heuristics.table.feature_table`.
        card: of the weights.
    """
    by_file = features.set_index("file").reindex(table["file"])
    known = by_file["error"].eq("").to_numpy()
    low = card.threshold if card.review_low is None else min(card.review_low, card.threshold)
    prob = table["prob_bad"].to_numpy(dtype=float)
    verdict = np.where(prob >= low, "review", "good")
    verdict = np.where(prob >= card.threshold, "bad", verdict)
    out = table.assign(verdict=np.where(np.isnan(prob), "", verdict), explanation="")
    rows = by_file[known]
    judged = RobustScore().judge(rows)
    single = {rule: severity(rule, rows) for rule in RULES.values()}
    # What no telescope does on a good frame is at least looked at, even if the weights are calm.
    certain = np.zeros(len(rows), dtype=bool)
    for rule, values in single.items():
        certain |= rule.decisive & (values >= 1)
    good = out["verdict"].to_numpy() == "good"
    good[known] &= certain
    good[~known] = False
    out["verdict"] = np.where(good, "review", out["verdict"])
    others = by_file["compared_with"].to_numpy(dtype=float)
    alone = (out["verdict"].to_numpy() == "good") & (others < LEAST_COMPARED)
    out.loc[alone, "verdict"] = "review"
    out.loc[alone, "explanation"] = [_ALONE.format(others=n) for n in others[alone]]
    reasons, texts = list(out["reason"]), list(out["explanation"])
    for i, place in enumerate(np.flatnonzero(known)):
        if out["verdict"].iloc[place] not in ("review", "bad") or alone[place]:
            continue
        if judged["flag_any"].iloc[i] or not reasons[place]:
            reasons[place] = str(judged["reason"].iloc[i])
        severities = {rule: float(values[i]) for rule, values in single.items()}
        row = rows.iloc[i].to_dict()
        texts[place] = explain(row, reasons[place], severities)
        if texts[place]:
            continue
        # No measurement speaks for it: what comes nearest to a limit tells more.
        nearest = max(RULES.values(), key=lambda rule: np.nan_to_num(severities[rule]))
        texts[place] = explain(row, nearest.reason, severities)
        if texts[place]:
            reasons[place] = nearest.reason
        else:
            texts[place] = f"{reasons[place]}: the weights see it, no single measurement tells"
    out["reason"], out["explanation"] = reasons, texts
    first = [*table.columns[:10], "verdict", "explanation"]
    return out[[*first, *(column for column in table if column not in first)]]


def spells(table: pd.DataFrame) -> list[tuple[str, str, str, int, str]]:
    """(night, first file, last file, frames, commonest reason) of runs of bad frames.

    At least three in a row in time; the longest first.
    """
    found = []
    for night, part in table[table["verdict"] != ""].groupby("night", sort=False):
        bad = (part["verdict"] == "bad").to_numpy()
        edges = np.flatnonzero(np.diff(np.r_[0, bad.astype(int), 0]))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            run = part.iloc[start:stop]
            if len(run) >= _SHORTEST_SPELL:
                reason = str(run["reason"].mode().iloc[0])
                ends = run["file"].iloc[0], run["file"].iloc[-1]
                found.append((str(night), *ends, len(run), reason))
    return sorted(found, key=lambda spell: -spell[3])
