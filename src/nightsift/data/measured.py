"""The inputs that a new model is given: every rule, every deviation, the plain values.

Only what is trained from now on sees what is changed here; weights that exist have their own
specification on their card.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nightsift.data.columns import InputColumn
from nightsift.data.inputs import InputSpec
from nightsift.heuristics.rules import RULES, Rule, compared_by_rules
from nightsift.night.changes import VERSION
from nightsift.night.comparison import Compared

# Deviations that no rule looks at, with what an observer would notice.
_MORE = {
    Compared("fwhm_px", "slow", log=True): 0.3,
    Compared("fwhm_px", "local", log=True): 0.25,
    Compared("elongation", "slow", log=True): 0.2,
    Compared("elongation", "local", log=True): 0.2,
    Compared("trail", "local"): 0.2,
    Compared("elongation", "best", log=True, worse=1): 0.3,
    Compared("fwhm_scatter", "slow"): 0.1,
    Compared("concentration", "slow"): 0.3,
    Compared("dip", "slow"): 0.1,
    Compared("transparency", "local", log=True): 0.2,
    Compared("transparency_scatter", "local"): 0.08,
    Compared("missing_share", "local"): 0.3,
    Compared("n_stars", "local", log=True): 0.6,
    Compared("streak_significance", "local"): 2.5,
    Compared("piece_significance", "local"): 2.5,
    Compared("paired_share", "local"): 0.1,
    Compared("sky_shape", "local"): 1.0,
    Compared("gradient", "slow"): 0.05,
    Compared("noise_adu", "slow", log=True): 0.4,
    Compared("n_stars", "best", log=True, worse=-1): 0.8,
    Compared("background_adu", "best", log=True, worse=1): 0.9,
    Compared("banding_rows", "local", log=True): 0.5,
    Compared("banding_cols", "local", log=True): 0.5,
    Compared("step_rows", "local"): 0.45,
    Compared("step_cols", "local"): 0.45,
    Compared("cosmic_rays", "slow", log=True): 1.0,
    Compared("acf_width_px", "local", log=True): 0.3,
}
# Values as they stand, and how they are brought to the order of 1. None of them tells one camera
# or one way to observe from another: shapes of stars and traces of the readout do.
_LINEAR = {
    "transparency_scatter": 5.0,
    "missing_share": 2.0,
    "missing_cell": 2.0,
    "unrecognised": 1.0,
    "jump_share": 10.0,
    "displaced_stars": 1.0,
}
_LOGARITHMIC = {
    "transparency": 1.0,
    "streak_significance": 0.5,
    "piece_significance": 0.5,
    "n_stars": 0.3,
    "n_shapes": 0.3,
    "expected_stars": 0.3,
    "sky_shape": 1.0,
    # How much there was to compare with.
    "compared_with": 0.3,
}
_SMALLEST = {"transparency": 0.02}


def measured_inputs(*, changes: bool = False) -> InputSpec:
    """The specification of `data.measured=true`, from the rules and features of today.

    Args:
        changes: whether the model sees `nightsift.night.changes` instead of the frames' planes.
    """
    by_rules = compared_by_rules()
    columns = [InputColumn(name="total_severity", kind="total")]
    columns += [
        InputColumn(name=rule.name, kind="severity", rule=_facts(rule)) for rule in RULES.values()
    ]
    known = {(item.feature, item.kind) for item in by_rules}
    limits = {item: _limit(item) for item in by_rules}
    # A rule of a plug-in may look at one of them.
    limits |= {item: limit for item, limit in _MORE.items() if item[:2] not in known}
    for item, limit in limits.items():
        for kind in ("by_limit", "by_scatter"):
            name = f"{item.column}_{kind}"
            columns.append(InputColumn(name=name, kind=kind, feature=item.column, limit=limit))
    for name, factor in _LINEAR.items():
        columns.append(InputColumn(name=f"level_{name}", kind="level", feature=name, factor=factor))
    for name, factor in _LOGARITHMIC.items():
        columns.append(
            InputColumn(
                name=f"level_{name}",
                kind="level",
                feature=name,
                log=True,
                factor=factor,
                smallest=_SMALLEST.get(name, 0.1),
            )
        )
    columns += [InputColumn(name="gap_before", kind="gap_before")]
    columns += [InputColumn(name="gap_after", kind="gap_after")]
    spec = InputSpec(
        columns=tuple(columns), comparisons=tuple(limits), changes=VERSION if changes else 0
    )
    spec.check()
    return spec


def _facts(rule: Rule) -> dict[str, Any]:
    """What a severity is made of: neither words nor weight in a verdict."""
    words = ("reason", "text", "decisive")
    return {key: value for key, value in asdict(rule).items() if key not in words}


def _limit(item: Compared) -> float:
    """The smallest limit of the rules that look at a deviation."""
    same = [rule for rule in RULES.values() if (rule.feature, rule.kind) == item[:2]]
    return min(rule.limit for rule in same)
