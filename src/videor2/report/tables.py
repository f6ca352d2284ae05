"""The tables of a report: estimates as figures with their interval, and a dot with whiskers beside them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from videor2.report import charts
from videor2.report.run import Estimate, Metrics, Run

NAMES: Final = {
    "accuracy": "Accuracy",
    "tac": "TAC",
    "alignment_f1": "Alignment F1",
    "format": "Format",
    "tac_strict": "TAC, strict",
    "tac_paper": "TAC as published",
    "vas": "VAS",
    "official": "Accuracy, official",
}
"""Metrics in the order of the tables; others follow under the names that the summary gives them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """An estimate in a table: figure, interval and coverage as text, and its mark."""

    figure: str
    interval: str
    mark: Markup
    coverage: str = ""
    clear: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A row for each metric. `columns` are (title, remark), `rows` (name, cells); None where it was not measured."""

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]
    differences: bool = False


@dataclass(frozen=True, slots=True)
class TaskTable:
    """A row for each task, (task, cells), and a column for each metric; a cell is its figures and its mark."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, Markup]]]]


def result_tables(run: Run) -> list[Table]:
    """Greedy and sampled decoding, each before, after and their difference; or the metrics of a single measurement."""
    if not run.compared:
        plain = run.metrics("metrics")
        rows = [(NAMES.get(name, name), [cell(plain[name])]) for name in ordered([plain])]
        return [Table("", [("", "")], rows)] if rows else []
    found: list[tuple[str, list[Metrics]]] = [
        ("Greedy decoding", [run.metrics(part) for part in ("before", "after", "difference")]),
        ("Sampled decoding", [run.metrics("sampled", part) for part in ("before", "after", "difference")]),
    ]
    # One axis for all differences, so that a longer whisker is a longer whisker in either table.
    limit = charts.reach(estimate for _, parts in found for estimate in parts[2].values())
    columns = [("Before", ""), ("After", ""), ("Difference", "")]
    tables = []
    for title, (before, after, differences) in found:
        rows = [
            (
                NAMES.get(name, name),
                [
                    cell(before.get(name), kind="before"),
                    cell(after.get(name), kind="after"),
                    _difference(differences.get(name), limit),
                ],
            )
            for name in ordered([before, after, differences])
        ]
        if rows:
            tables.append(Table(title, columns, rows, differences=True))
    return tables


def side_by_side(columns: Sequence[tuple[str, str, Metrics]]) -> Table:
    """A column for each (title, remark, metrics)."""
    metrics = [part for _, _, part in columns]
    rows = [(NAMES.get(name, name), [cell(part.get(name)) for part in metrics]) for name in ordered(metrics)]
    return Table("", [(title, remark) for title, remark, _ in columns], rows)


def task_table(run: Run) -> TaskTable | None:
    """The metrics of each task, before and after on one axis; None where the summary has no tasks."""
    phases = ("before", "after") if run.compared else ()
    parts = [run.by_task("by_task", phase) for phase in phases] or [run.by_task("by_task")]
    names = ordered([metrics for part in parts for metrics in part.values()])
    rows = []
    for task in dict.fromkeys(task for part in parts for task in part):
        cells = []
        for name in names:
            estimates = [part.get(task, {}).get(name) for part in parts]
            figures = " → ".join(percent(e.mean) if e else "–" for e in estimates)
            single = charts.whisker(estimates[0]) if estimates[0] else Markup()
            cells.append((figures, charts.dumbbell(*estimates) if phases else single))
        rows.append((task, cells))
    return TaskTable([NAMES.get(name, name) for name in names], rows) if rows else None


def ordered(metrics: Iterable[Metrics]) -> list[str]:
    """The names of all metrics, the well-known ones first and in their order."""
    names = {name for part in metrics for name in part}
    return [name for name in NAMES if name in names] + sorted(names - NAMES.keys())


def cell(estimate: Estimate | None, *, kind: str = "after") -> Cell | None:
    """An estimate with its interval, its mark and, where it was counted, its coverage."""
    if estimate is None:
        return None
    covered = "" if estimate.coverage is None else f"coverage {percent(estimate.coverage)}"
    return Cell(percent(estimate.mean), interval(estimate, percent), charts.whisker(estimate, kind=kind), covered)


def _difference(estimate: Estimate | None, limit: float) -> Cell | None:
    if estimate is None:
        return None
    mark = charts.whisker(estimate, low=-limit, high=limit, kind="difference")
    return Cell(signed(estimate.mean), interval(estimate, signed), mark, clear=estimate.clear)


def percent(value: float) -> str:
    """A share as percent with one decimal, without the sign.

    >>> percent(0.8746), percent(-0.00001)
    ('87.5', '0.0')
    """
    text = f"{100 * value:.1f}".replace("-", "−")
    return "0.0" if text == "−0.0" else text


def signed(value: float) -> str:
    """A difference of shares in points, with its sign.

    >>> signed(0.123), signed(-0.05), signed(0.0)
    ('+12.3', '−5.0', '0.0')
    """
    text = percent(value)
    return text if text == "0.0" or value < 0 else f"+{text}"


def interval(estimate: Estimate, write: Callable[[float], str]) -> str:
    """The ends of an interval in brackets."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"[{write(estimate.low)}, {write(estimate.high)}]"


def abstract(differences: Metrics, before: Metrics, after: Metrics) -> str:
    """The main differences in a sentence, for who reads no further; empty where nothing was compared."""
    told = [
        f"{NAMES[name]} {percent(before[name].mean)} to {percent(after[name].mean)} % "
        f"({signed(differences[name].mean)} points, {interval(differences[name], signed)})"
        for name in ("accuracy", "tac", "alignment_f1")
        if all(name in part for part in (differences, before, after))
    ]
    return f"Greedy decoding, before to after training: {'; '.join(told)}." if told else ""
