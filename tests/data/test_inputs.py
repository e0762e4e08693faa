"""Numbers beside the pixels: what they mean, and that their specification alone decides them."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nightsift.data import inputs as module
from nightsift.data.columns import total_severity
from nightsift.data.inputs import InputSpec, compute_inputs
from nightsift.data.measured import measured_inputs
from nightsift.errors import NightsiftError
from nightsift.heuristics.rules import RULES, Rule, compared_by_rules
from nightsift.look.look import Look, Wanted
from nightsift.look.measure import AllFeatures, Decoded
from nightsift.models.locate import PRETRAINED, read_card
from nightsift.night.features import compared_features, single_features, uncompared_features
from nightsift.night.night import Label, Night
from scenes import SHAPE, START, Scene, frame
from values import read

N = 14
SHIPPED = read_card(PRETRAINED).inputs
SPEC = measured_inputs()


def look(scene: Scene, i: int, *, gain: float = 1.0, bias: float = 0.0, pause_s: int = 0) -> Look:
    """Frame `i` of a night, a minute and a half after the one before."""
    made = frame(scene, i)
    pixels = made.pixels if gain == 1 else made.pixels.astype(np.float32) * gain + bias
    time = START + timedelta(seconds=90 * i + pause_s)
    info = replace(made.info, time=time, exposure_s=60.0)
    return Look(Path(f"f{i}.fits"), info, "", *AllFeatures()(Decoded(pixels)))


def night_of(looks: list[Look], *, ordered: bool = True) -> Night:
    table = single_features("n", looks, timed=True)
    table = (
        compared_features(table, looks, SHAPE)[0] if ordered else uncompared_features(table, looks)
    )
    table["compared_with"] = len(looks) - 1 if ordered else 0
    return Night("n", tuple(looks), (Label(),) * len(looks), ordered, True, table)


@pytest.fixture(scope="module")
def looks() -> list[Look]:
    """Fourteen frames; the sixth through cloud, the tenth trailed."""
    scenes = [Scene() for _ in range(N)]
    scenes[5] = replace(scenes[5], transparency=0.4)
    scenes[9] = replace(scenes[9], trail=9.0)
    return [look(scene, i) for i, scene in enumerate(scenes)]


@pytest.fixture(scope="module")
def night(looks) -> Night:
    return night_of(looks)


def table_of(night: Night, spec: InputSpec = SPEC) -> pd.DataFrame:
    return pd.DataFrame(spec.compute(night), columns=list(spec.names))


def test_the_frame_that_differs_differs_in_its_own_numbers(night):
    table = table_of(night)
    assert table["slow_transparency_by_limit"].idxmin() == 5
    assert table["slow_transparency_by_limit"][5] < -1
    assert table["slow_trail_by_limit"].idxmax() == 9
    usual = table.drop(index=[5, 9])["slow_transparency_by_limit"].abs()
    assert usual.max() < 0.3
    assert table["severity_cloud_transparency_slow"][5] > np.log(2)
    assert table["severity_cloud_transparency_slow"].drop(index=5).max() < np.log(2)


def test_a_number_is_what_its_kind_says(night):
    table = table_of(night)
    features = night.features
    deviation, scale = night.deviation(
        next(item for item in SPEC.comparisons if item.column == "slow_fwhm_px")
    )
    np.testing.assert_allclose(
        table["slow_fwhm_px_by_limit"], np.arcsinh(deviation / 0.3), rtol=1e-6
    )
    usual = np.maximum(scale, 0.02 * 0.3)
    np.testing.assert_allclose(
        table["slow_fwhm_px_by_scatter"], np.arcsinh(deviation / usual) / 2, rtol=1e-6
    )
    np.testing.assert_allclose(table["level_n_stars"], 0.3 * np.log(features["n_stars"]), rtol=1e-5)
    np.testing.assert_allclose(table["level_missing_share"], 2 * features["missing_share"])


def test_a_camera_with_other_units_gives_the_same_numbers():
    """Twice the ADU per electron and another bias: only noise of rounding is left."""
    scenes = [Scene(transparency=0.4 if i == 5 else 1.0) for i in range(N)]
    one = table_of(night_of([look(scene, i) for i, scene in enumerate(scenes)]))
    other = table_of(
        night_of([look(scene, i, gain=2.0, bias=100.0) for i, scene in enumerate(scenes)])
    )
    moved = (one - other).abs().max()
    # Levels of the sky keep their bias, which nobody knows, in their ratios.
    free = [name for name in moved.index if "background" not in name and "gradient" not in name]
    assert moved[free].max() < 0.35


def test_numbers_are_bounded_and_the_names_are_unique(night):
    values = SPEC.compute(night)
    assert values.dtype == np.float32
    assert values.shape == (N, len(SPEC.columns))
    assert np.nanmax(np.abs(values)) <= 5
    assert len(set(SPEC.names)) == len(SPEC.names)
    assert SPEC.names[-2:] == ("gap_before", "gap_after")
    assert SPEC.gaps == 2
    assert np.nanmax(np.abs(replace(SPEC, clip=0.5).compute(night))) == 0.5


def test_what_could_not_be_measured_is_nan_or_what_the_specification_says(night):
    values = SPEC.compute(night)
    missing = np.isnan(values)
    assert missing.any()
    filled = replace(SPEC, missing=-1.5).compute(night)
    assert (filled[missing] == -1.5).all()
    np.testing.assert_array_equal(filled[~missing], values[~missing])


def test_a_pause_shows_on_either_side_of_it(looks):
    later = [
        replace(item, info=replace(item.info, time=item.info.time + timedelta(hours=i >= 7)))
        for i, item in enumerate(looks)
    ]
    table = table_of(night_of(later))
    assert table["gap_after"].idxmax() == 6
    assert table["gap_before"].idxmax() == 7
    assert table["gap_after"][6] == pytest.approx(np.log(3690 / 90) / 2, rel=1e-5)
    assert np.isnan(table["gap_before"][0])
    assert np.isnan(table["gap_after"][N - 1])


def test_a_loose_frame_has_no_deviations_but_its_levels(looks, night):
    table = table_of(night_of(looks[:3], ordered=False))
    deviations = [name for name in table if name.startswith(("slow_", "local_", "gap_"))]
    assert table[deviations].isna().all().all()
    np.testing.assert_array_equal(table["level_n_shapes"], table_of(night)["level_n_shapes"][:3])
    # How little there is to compare with is told, and lines are looked for in each by itself.
    assert (table["level_compared_with"] == np.float32(0.3 * np.log(0.1))).all()
    assert table["level_streak_significance"].notna().all()


def test_a_short_night_abstains(looks):
    assert table_of(night_of(looks[:3]))["slow_transparency_by_limit"].isna().all()


def test_processes_compute_what_threads_do(night, looks, monkeypatch):
    monkeypatch.setattr(module, "FRAMES_WORTH_PROCESSES", 1)
    nights = [night, night_of(looks[:8])]
    plain = [SPEC.compute(item) for item in nights]
    for one, other in zip(
        plain, compute_inputs(SPEC, nights, workers=2, processes=True), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert [own.shape for own in compute_inputs(None, nights)] == [(N, 0), (8, 0)]


@pytest.mark.parametrize("spec", [SPEC, replace(SPEC, clip=3.5, missing=0.25)])
def test_a_specification_comes_back_equal_through_json(spec):
    text = json.dumps(spec.to_json(), allow_nan=False)
    assert InputSpec.from_json(json.loads(text)) == spec


def test_the_shipped_specification_comes_back_equal_through_json():
    spec = InputSpec.from_json(SHIPPED)
    assert spec.to_json() == SHIPPED
    assert InputSpec.from_json(json.loads(json.dumps(SHIPPED))) == spec


def changed_rules(how: str) -> dict[str, Rule]:
    """Another table of rules."""
    rules = dict(RULES)
    match how:
        case "tuned":
            return {name: replace(rule, limit=2.7 * rule.limit) for name, rule in rules.items()}
        case "turned round":
            return {
                name: replace(rule, worse=-rule.worse, sigmas=1.0, log=not rule.log, needs="")
                for name, rule in rules.items()
            }
        case "reordered":
            return dict(reversed(rules.items()))
        case "removed":
            gone = ("cloud", "trailing")
            return {name: rule for name, rule in rules.items() if rule.reason not in gone}
    new = Rule(
        reason="frost", feature="n_stars", kind="local", worse=1, limit=0.1, log=True, text="cold"
    )
    return {new.name: new, **rules}


@pytest.mark.parametrize("how", ["tuned", "turned round", "reordered", "removed", "added"])
def test_no_change_of_the_rules_changes_what_weights_that_exist_are_given(night, monkeypatch, how):
    before = InputSpec.from_json(SHIPPED).compute(night)
    new_before = SPEC.compute(night)
    limits, items = [rule.limit for rule in RULES.values()], compared_by_rules()
    monkeypatch.setattr(RULES, "_entries", changed_rules(how))
    # The rules are others, and what is trained from now on sees it:
    assert limits != [rule.limit for rule in RULES.values()] or items != compared_by_rules()
    now = measured_inputs()
    assert now != SPEC
    fresh = replace(night, name="again")  # nothing of it is made yet
    assert not np.array_equal(now.compute(fresh), new_before, equal_nan=True)
    # ... but neither the shipped specification nor one that was made before.
    np.testing.assert_array_equal(InputSpec.from_json(SHIPPED).compute(fresh), before)
    np.testing.assert_array_equal(SPEC.compute(fresh), new_before)
    assert InputSpec.from_json(SHIPPED).to_json() == SHIPPED


def test_the_order_of_measuring_changes_nothing(night):
    """Features of plug-ins, and of rooms that are read in another order."""
    shuffled = replace(night, features=night.features[night.features.columns[::-1]])
    np.testing.assert_array_equal(SPEC.compute(shuffled), SPEC.compute(night))


@pytest.mark.parametrize("feature", ["trail", "background_adu", "expected_stars", "n_shapes"])
def test_a_feature_that_is_not_measured_is_one_line(night, feature):
    """A level, a comparison, and what a severity needs."""
    poorer = replace(night, features=night.features.drop(columns=feature))
    message = rf"not measured here: {feature}; plugins=\[package\] adds"
    with pytest.raises(NightsiftError, match=message):
        InputSpec.from_json(SHIPPED).compute(poorer)


def test_a_night_that_was_not_measured_is_one_line(make_night, tmp_path):
    (night,) = read(tmp_path / "cache", Wanted(), seq_dirs=[make_night("n", n=3)]).nights
    with pytest.raises(NightsiftError, match="not measured here: acf_width_px, background_adu"):
        SPEC.compute(night)


def hostile(*path: str | int, value: Any) -> dict[str, Any]:
    """The shipped specification with one value changed, or removed by `...`."""
    data: Any = copy.deepcopy(SHIPPED)
    node = data
    for part in path[:-1]:
        node = node[part]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return data


def column(kind: str) -> int:
    return next(i for i, item in enumerate(SHIPPED["columns"]) if item["kind"] == kind)


LEVEL, SCATTER, SEVERITY = (column(kind) for kind in ("level", "by_scatter", "severity"))
NAN = float("nan")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "cannot be read"),
        ("text", "cannot be read"),
        ({"format": 1}, "cannot be read: 'columns'"),
        (hostile("format", value=2), "have format 2, this version reads 1"),
        (hostile("format", value="1"), "have format '1'"),
        (hostile("format", value=...), "cannot be read: 'format'"),
        (hostile("clip", value=NAN), "clip must be a positive number, got nan"),
        (hostile("clip", value="wide"), "clip must be a positive number, got 'wide'"),
        (hostile("clip", value=-5.0), "clip must be a positive number"),
        (hostile("clip", value=True), "clip must be a positive number"),
        (hostile("missing", value=NAN), "missing must be a number or null"),
        (hostile("missing", value="none"), "missing must be a number or null"),
        (hostile("columns", value="names"), "cannot be read"),
        (hostile("columns", value=""), "more than the gaps"),
        (hostile("columns", value=[]), "more than the gaps"),
        (hostile("columns", value=None), "cannot be read"),
        (hostile("columns", value=SHIPPED["columns"][-2:]), "more than the gaps"),
        (hostile("columns", value=["trail"]), "cannot be read"),
        (hostile("columns", 0, "extra", value=1), "unexpected keyword argument 'extra'"),
        (hostile("columns", 0, "name", value=...), "missing 1 required.*'name'"),
        (hostile("columns", 0, "name", value=["a"]), "name must be a text"),
        (hostile("columns", 0, "name", value=""), "name must be a text"),
        (hostile("columns", 0, "kind", value="magic"), "unknown kind 'magic'"),
        (hostile("columns", 0, "kind", value=["level"]), "unknown kind"),
        (hostile("columns", 3, "name", value=SHIPPED["columns"][2]["name"]), "must be unique"),
        (hostile("columns", 0, value=SHIPPED["columns"][-1] | {"name": "x"}), "gaps in time come"),
        (hostile("columns", SCATTER, "limit", value=NAN), "limit and smallest must be positive"),
        (hostile("columns", SCATTER, "limit", value=0), "limit and smallest must be positive"),
        (hostile("columns", SCATTER, "limit", value="1"), "limit and smallest must be positive"),
        (hostile("columns", SCATTER, "limit", value=None), "limit and smallest must be positive"),
        (hostile("columns", SCATTER, "feature", value="slow_x"), "'slow_x' is not compared"),
        (hostile("columns", SCATTER, "feature", value=3), "feature must be a text"),
        (hostile("columns", LEVEL, "feature", value=""), "a level needs a feature"),
        (hostile("columns", LEVEL, "factor", value=float("inf")), "factor must be a number"),
        (hostile("columns", LEVEL, "log", value="yes"), "log true or false"),
        (hostile("columns", LEVEL, "smallest", value=-1), "limit and smallest must be positive"),
        (hostile("columns", SEVERITY, "rule", value=...), "its rule cannot be read"),
        (hostile("columns", SEVERITY, "rule", value="cloud"), "its rule cannot be read"),
        (hostile("columns", SEVERITY, "rule", "reason", value="x"), "its rule cannot be read"),
        (hostile("columns", SEVERITY, "rule", "limit", value=NAN), "limit of its rule must be"),
        (hostile("columns", SEVERITY, "rule", "sigmas", value="5"), "sigmas and gate numbers"),
        (hostile("columns", SEVERITY, "rule", "gate", value=[1]), "sigmas and gate numbers"),
        (hostile("columns", SEVERITY, "rule", "worse", value=2), "worse must be -1, 0 or 1, got 2"),
        (hostile("columns", SEVERITY, "rule", "kind", value="fast"), "unknown kind 'fast' of its"),
        (hostile("columns", SEVERITY, "rule", "feature", value="x"), "'slow_x' is not compared"),
        (hostile("columns", SEVERITY, "rule", "needs", value="n_stars=3"), "needs 'n_stars=3'"),
        (
            hostile("columns", SEVERITY, "rule", "needs", value=3),
            "needs 3: expected column>=number",
        ),
        (hostile("comparisons", value=None), "cannot be read"),
        (hostile("comparisons", value=[["a", "slow"]]), "cannot be read"),
        (hostile("comparisons", 0, "sort", value=1), "unexpected keyword argument 'sort'"),
        (hostile("comparisons", 0, "kind", value="fast"), "unknown kind 'fast'"),
        (hostile("comparisons", 0, "feature", value=None), "feature must be a text"),
        (hostile("comparisons", 0, "worse", value=0.5), "worse must be -1, 0 or 1"),
        (hostile("comparisons", 0, "log", value=1), "log true or false"),
        (hostile("comparisons", 1, value=SHIPPED["comparisons"][0]), "compared twice"),
    ],
)
def test_hostile_specifications_are_refused_in_one_line(data, message):
    with pytest.raises(NightsiftError, match=message) as caught:
        InputSpec.from_json(data)
    assert len(str(caught.value).splitlines()) == 1


def test_hostile_values_are_only_those_that_were_changed():
    """What the cases above start from is fine: each of them is refused for its own change."""
    assert InputSpec.from_json(hostile("clip", value=4.0)).clip == 4.0
    assert InputSpec.from_json(hostile("clip", value=4)).clip == 4
    assert InputSpec.from_json(hostile("missing", value=0)).missing == 0
    assert (
        InputSpec.from_json(hostile("columns", LEVEL, "factor", value=-2)).columns[LEVEL].factor < 0
    )


def test_a_total_is_nearly_the_largest_severity_and_zero_where_rules_reject():
    total = total_severity(np.array([[0.0, 1.0, np.nan], [3.0, 0.5, 0.1], [np.nan] * 3]))
    np.testing.assert_allclose(total, [1.0, 3.0, 0.0], rtol=1e-4)


def test_the_first_number_is_what_all_rules_say_together(night):
    spec = measured_inputs()
    table = table_of(night, spec)
    assert spec.anchored
    assert spec.names[0] == "total_severity"
    assert table["total_severity"].idxmax() in (5, 9)  # the cloud and the trail
    assert table["total_severity"].drop([5, 9]).max() < 0 < table["total_severity"][5]


def test_a_total_stands_first_and_has_severities():
    columns = measured_inputs().columns
    with pytest.raises(NightsiftError, match="a total is the first column"):
        replace(measured_inputs(), columns=(columns[1], columns[0], *columns[2:])).check()
