"""Heat maps: a metric of each run on each benchmark, with the averages over benchmarks beside them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from videor2.benchmarks.names import GENERIC, REASONING
from videor2.report.run import Estimate, to_estimates, to_number, to_part
from videor2.report.tables import NAMES, interval, percent

STEPS: Final = 9
"""Shades of the scale."""

METRICS: Final = ("tac", "vas", "accuracy", "official")
"""Where a benchmark's authors average otherwise than over rows, `official` stands beside `accuracy`."""
PUBLISHED: Final = {"official": "accuracy"}
"""The published figure that a metric is to be compared with, where it goes by another name."""
AVERAGES: Final = (("generic", "Generic"), ("reasoning", "Reasoning"), ("overall", "Overall"))
GROUPS: Final = (("Generic", GENERIC), ("Reasoning", REASONING))


@dataclass(frozen=True, slots=True)
class Shade:
    """A cell: its figure in percent, its step on the scale from 0, what to say on it, and where its samples are."""

    figure: str
    step: int
    said: str
    benchmark: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A run, or a model as published: its cells on the benchmarks, and its averages."""

    name: str
    published: bool
    cells: Sequence[Shade | None]
    averages: Sequence[Shade | None]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """`groups` are (title, number of columns) over the benchmarks; `low` and `high` are the scale's ends in percent."""

    metric: str
    title: str
    groups: Sequence[tuple[str, int]]
    benchmarks: Sequence[str]
    averages: Sequence[str]
    rows: Sequence[Row]
    low: int
    high: int


def heat_maps(runs: Mapping[str, Mapping[str, Any]], paper: Mapping[str, Any]) -> list[HeatMap]:
    """TAC, VAS and accuracy by benchmark, each where it was measured on two benchmarks or published rows stand beside.

    runs: the summaries of the runs by name. paper: `{model: {benchmark: {metric: percent}}}`.
    """
    there = {name for run in runs.values() for name in to_part(run, "by_benchmark") if name}
    if not there or (len(there) == 1 and not paper):
        return []
    benchmarks = _in_order(there | {name for model in paper.values() for name in model})
    groups = [(title, sum(name in members for name in benchmarks)) for title, members in GROUPS]
    groups.append(("Other", len(benchmarks) - sum(n for _, n in groups)))
    maps = []
    for metric in METRICS:
        measured = {name: _measured(run, metric) for name, run in runs.items()}
        if any(cells for cells, _ in measured.values()):
            known = PUBLISHED.get(metric, metric)
            told = {model: _published(part, known, benchmarks) for model, part in paper.items()}
            maps.append(_heat_map(metric, [g for g in groups if g[1]], benchmarks, measured, told))
    return maps


def _heat_map(
    metric: str,
    groups: Sequence[tuple[str, int]],
    benchmarks: Sequence[str],
    measured: Mapping[str, tuple[Mapping[str, Estimate], Mapping[str, Estimate]]],
    told: Mapping[str, Mapping[str, float]],
) -> HeatMap:
    averages = [(key, title) for key, title in AVERAGES if any(key in macro for _, macro in measured.values())]
    means = [e.mean for cells, macro in measured.values() for e in (*cells.values(), *macro.values())]
    low, high = scale([*means, *(value for row in told.values() for value in row.values())])

    def shade(estimate: Estimate | None, what: str, benchmark: str = "") -> Shade | None:
        if estimate is None:
            return None
        covered = "" if estimate.coverage is None else f", coverage {percent(estimate.coverage)} %"
        said = f"{what}: {percent(estimate.mean)} % {interval(estimate, percent)}{covered}"
        return Shade(percent(estimate.mean), step(estimate.mean, low, high), said, benchmark)

    rows = [
        Row(
            name,
            False,
            [shade(cells.get(benchmark), f"{name}, {benchmark}", benchmark) for benchmark in benchmarks],
            [shade(macro.get(key), f"{name}, {title.lower()}") for key, title in averages],
        )
        for name, (cells, macro) in measured.items()
    ]
    for model, values in told.items():
        published = [
            Shade(percent(values[b]), step(values[b], low, high), f"{model}, {b}: as published")
            if b in values
            else None
            for b in benchmarks
        ]
        if any(published):
            rows.append(Row(model, True, published, [_average(model, key, values, low, high) for key, _ in averages]))
    shown = [title for _, title in averages]
    return HeatMap(metric, NAMES[metric], groups, benchmarks, shown, rows, round(100 * low), round(100 * high))


def _average(model: str, group: str, values: Mapping[str, float], low: float, high: float) -> Shade | None:
    """A published model's average over a group, where all of its benchmarks are there."""
    members = {"generic": GENERIC, "reasoning": REASONING}.get(group, (*GENERIC, *REASONING))
    if not all(name in values for name in members):
        return None
    mean = sum(values[name] for name in members) / len(members)
    return Shade(percent(mean), step(mean, low, high), f"{model}, {group}: mean of the published figures")


def scale(values: Iterable[float]) -> tuple[float, float]:
    """The ends of a scale: round tens around all values, at least 0.2 apart.

    >>> scale([0.52, 0.883]), scale([1.0, 0.97])
    ((0.5, 0.9), (0.8, 1.0))
    """
    found = list(values)
    low, high = math.floor(10 * min(found) + 1e-9) / 10, math.ceil(10 * max(found) - 1e-9) / 10
    if high - low < 0.2 - 1e-9:
        high = min(1.0, high + 0.1)
        low = max(0.0, round(high - 0.2, 1))
    return low, high


def step(value: float, low: float, high: float) -> int:
    """The step of a value on a scale of `STEPS`.

    >>> step(0.5, 0.5, 0.9), step(0.9, 0.5, 0.9)
    (0, 8)
    """
    return min(STEPS - 1, max(0, int(STEPS * (value - low) / (high - low))))


def _in_order(names: set[str]) -> list[str]:
    """The benchmarks in the order of the published tables, others after them by name."""
    known = [name for name in (*GENERIC, *REASONING) if name in names]
    return known + sorted(names - set(known))


def _measured(run: Mapping[str, Any], metric: str) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    found = []
    for part in (to_part(run, "by_benchmark"), to_part(run, "macro")):
        estimates = {name: to_estimates(to_part(fields, "metrics")) for name, fields in part.items()}
        found.append({name: metrics[metric] for name, metrics in estimates.items() if metric in metrics})
    return found[0], found[1]


def _published(model: Any, metric: str, benchmarks: Sequence[str]) -> dict[str, float]:
    """The published figures of a model as shares."""
    figures = {name: to_number(to_part(model, name).get(metric)) for name in benchmarks}
    return {name: value / 100 for name, value in figures.items() if value is not None}
