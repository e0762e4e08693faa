"""Nights from what was read: measured frames compared with each other, in the night or series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from nightsift.look.look import Look
from nightsift.look.parallel import FRAMES_WORTH_PROCESSES, make_pool, worker_count
from nightsift.look.store import read_stars
from nightsift.night.alignment import Alignment
from nightsift.night.comparison import exposure_groups
from nightsift.night.features import compared_features, single_features, uncompared_features
from nightsift.night.fields import fields_by_stars, reference_quality
from nightsift.night.night import Label, Night
from nightsift.night.pool import (
    SeriesDeviations,
    Share,
    compared_with,
    find_units,
    lent_rows,
    series_groups,
)
from nightsift.night.series import field_is_known

Poses = tuple[Alignment | None, ...]


class NightPlan(NamedTuple):
    """A night that is still to be compared; the fields are those of `Night`."""

    name: str
    looks: tuple[Look, ...]
    labels: tuple[Label, ...]
    ordered: bool
    timed: bool
    folder: str
    series: str

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the frames, px."""
        info = self.looks[0].info
        assert info is not None
        return info.height, info.width

    def single(self) -> pd.DataFrame:
        """What was measured on each frame alone."""
        return single_features(self.name, self.looks, timed=self.timed)

    def night(
        self,
        features: pd.DataFrame,
        others: npt.NDArray[np.float64],
        *,
        unit: str,
        poses: Poses = (),
        share: Share | None = None,
    ) -> Night:
        """The night, with `compared_with` and `series` as the last of its features.

        Args:
            features: one row per frame.
            others: (N,) frames that each was compared with.
            unit: what no split cuts.
            poses: how each frame lies on the reference; empty where nothing was matched.
            share: its part of a series.
        """
        table = features.assign(compared_with=others, series=self.series)
        facts = (self.folder, self.series, unit, share)
        head = (self.name, self.looks, self.labels, self.ordered, self.timed)
        return Night(*head, table, poses, *facts)


class _Task(NamedTuple):
    """Nights that are compared with each other.

    Attributes:
        plans: of all nights that take part.
        judged: numbers, in `plans`, of those that are made here.
        unit: what no split cuts, for each of `judged`.
    """

    plans: tuple[NightPlan, ...]
    judged: tuple[int, ...]
    unit: tuple[str, ...]


def make_nights(
    plans: Sequence[NightPlan], *, compared: bool, workers: int, processes: bool
) -> list[Night]:
    """The nights of all plans, in their order.

    Args:
        plans: names must be unique.
        compared: whether stars were measured that can be compared.
        workers: nights or series at the same time; 0 means one per core.
        processes: in processes, where there are enough frames to be worth it.
    """
    tasks = _tasks(plans)
    work = _compare if compared else _measure_alone
    frames = sum(len(plan.looks) for plan in plans)
    if not processes or len(tasks) == 1 or frames < FRAMES_WORTH_PROCESSES:
        made = [work(task) for task in tasks]
    else:
        with make_pool(worker_count(workers), frames, processes=processes) as pool:
            made = list(pool.map(work, tasks, chunksize=4))
    by_name = {night.name: night for nights in made for night in nights}
    return [by_name[plan.name] for plan in plans]


def _tasks(plans: Sequence[NightPlan]) -> list[_Task]:
    ordered = [plan for plan in plans if plan.ordered]
    groups = [_groups(plan) for plan in ordered]
    units = {plan.name: plan.name for plan in plans}
    shared: list[tuple[tuple[NightPlan, ...], tuple[int, ...]]] = []
    for nights, judged in find_units([plan.series for plan in ordered], groups):
        members = tuple(ordered[number] for number in nights)
        shared.append((members, tuple(i for i, number in enumerate(nights) if number in judged)))
        # Those that lend frames are bound as well.
        units |= {plan.name: f"series {plan.series}" for plan in members}
    pooled = {members[i].name for members, judged in shared for i in judged}
    alone = [((plan,), (0,)) for plan in plans if plan.name not in pooled]
    return [
        _Task(members, judged, tuple(units[members[i].name] for i in judged))
        for members, judged in [*shared, *alone]
    ]


def _groups(plan: NightPlan) -> npt.NDArray[np.intp]:
    exposures = [look.info.exposure_s if look.info else None for look in plan.looks]
    return exposure_groups(np.array([np.nan if s is None else s for s in exposures], dtype=float))


def _measure_alone(task: _Task) -> list[Night]:
    nights = []
    for number, unit in zip(task.judged, task.unit, strict=True):
        plan = task.plans[number]
        others = compared_with(_groups(plan)) * plan.ordered
        nights.append(plan.night(plan.single(), others, unit=unit))
    return nights


def _compare(task: _Task) -> list[Night]:
    if len(task.plans) > 1:
        return _compare_series(task)
    (plan,), (unit,) = task.plans, task.unit
    table = plan.single()
    if not plan.ordered:
        return [plan.night(uncompared_features(table, plan.looks), np.zeros(len(table)), unit=unit)]
    others = compared_with(table["group"].to_numpy())
    table, poses = compared_features(table, plan.looks, plan.shape)
    return [plan.night(table, others, unit=unit, poses=poses)]


class _Pooled(NamedTuple):
    """Frames of several nights.

    Attributes:
        table: what was measured on each alone, `group` of exposure times among them.
        looks: of the same frames.
        night: (N,) number of the night of each.
    """

    table: pd.DataFrame
    looks: list[Look]
    night: npt.NDArray[np.intp]

    def part(self, rows: npt.NDArray[np.intp]) -> _Pooled:
        """Some of the frames."""
        table = self.table.iloc[rows].reset_index(drop=True)
        return _Pooled(table, [self.looks[row] for row in rows], self.night[rows])


def _compare_series(task: _Task) -> list[Night]:
    pooled = _pool(task)
    shape = task.plans[0].shape
    fields = np.zeros(len(pooled.looks), dtype=np.intp)
    infos = [look.info for plan in task.plans for look in plan.looks if look.info]
    if not field_is_known(infos):
        quality = reference_quality(pooled.table)
        fields = fields_by_stars(read_stars(pooled.looks), shape, quality, pooled.night)
    nights: dict[int, Night] = {}
    for field in np.unique(fields):
        part = pooled.part(np.flatnonzero(fields == field))
        plans = [
            plan._replace(series=f"{plan.series} field {field + 1}") if field else plan
            for plan in task.plans
        ]
        nights |= _compare_field(task._replace(plans=tuple(plans)), part)
    return [nights[number] for number in task.judged]


def _pool(task: _Task) -> _Pooled:
    """All frames of the nights that are judged, and what the others lend."""
    tables, looks, night = [], [], []
    for number, plan in enumerate(task.plans):
        table = plan.single()
        rows = np.arange(len(table))
        if number not in task.judged:
            rows = lent_rows(table["group"].to_numpy())
        tables.append(table.iloc[rows])
        looks += [plan.looks[row] for row in rows]
        night.append(np.full(len(rows), number))
    return _Pooled(pd.concat(tables, ignore_index=True), looks, np.concatenate(night))


def _compare_field(task: _Task, pooled: _Pooled) -> dict[int, Night]:
    """Nights by number, compared with each other; all of them show one field."""
    single = pooled.table
    hours = single["hours"]
    if len(np.unique(pooled.night)) > 1:
        # At one and the same time: no course is looked for.
        groups = series_groups(single["exposure_s"].to_numpy())
        single = single.assign(hours=0.0, group=groups)
    table, poses = compared_features(single, pooled.looks, task.plans[0].shape)
    table = table.assign(hours=hours)
    deviations = SeriesDeviations(table, pooled.night)
    others = compared_with(table["group"].to_numpy())
    nights = {}
    for number, unit in zip(task.judged, task.unit, strict=True):
        own = np.flatnonzero(pooled.night == number)
        if len(own):
            features = table.iloc[own].reset_index(drop=True)
            share = Share(deviations, own, tuple(pooled.looks), poses, table)
            own_poses = tuple(poses[row] for row in own)
            nights[number] = task.plans[number].night(
                features, others[own], unit=unit, poses=own_poses, share=share
            )
    return nights
