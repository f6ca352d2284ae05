"""What the page of an audit or an evaluation shows besides its samples: all from the summaries of its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from videor2.benchmarks.paper import published_beside
from videor2.report import charts
from videor2.report.about import circumstances, described, heading, names
from videor2.report.heatmap import heat_maps
from videor2.report.run import Estimate, read_object, to_estimates, to_number, to_part
from videor2.report.tables import NAMES, Cell, Table, cell, interval, percent, signed

VERDICTS: Final = ("consistent", "inconsistent", "undetermined", "no reasoning", "no answer", "error")
STATES: Final = {
    "ok": "well-formed",
    "unclosed_think": "truncated",
    "no_think": "no reasoning",
    "no_answer": "no answer",
    "repeated": "repeated blocks",
    "nested": "nested blocks",
}
"""States of a response in words; `unclosed_think` is a reasoning that was cut off."""

METRICS: Final = ("accuracy", "tac", "tac_strict", "tac_paper", "vas", "alignment_f1", "format")
"""The columns of the tables. `vas_rules` is none: it must not be read as VAS, and stands with single samples alone."""

GLOSSARY: Final = (
    ("Accuracy", "the answer against the reference, by the rule of the question's kind."),
    (
        "TAC",
        "think-answer consistency: the share of responses whose reasoning concludes the same value as they answer, "
        "over those where both are determined.",
    ),
    ("TAC, strict", "the same, with what is undetermined counted as inconsistent."),
    (
        "TAC as published",
        "reasoning and answer both right or both wrong, as arXiv 2511.23478 counts it; only to compare with it.",
    ),
    ("VAS", "a judge's rating, 0 to 100, of how much the reasoning claims concrete visual evidence."),
    ("Alignment F1", "timestamped claims matched one to one with the events of the clip, by time and by meaning."),
    ("Format", "the share of responses that are one think block, then one answer block."),
    (
        "Coverage",
        "the share of responses on which a metric is determined. The others count in no mean, neither for nor against.",
    ),
    (
        "Generic, reasoning",
        "averages over the 5 and the 6 benchmarks that arXiv 2511.23478 groups so; overall: all 11.",
    ),
    ("Undetermined", "the reasoning concludes nothing that can be compared with the answer."),
    ("Truncated", "the reasoning never closes: the response was cut off."),
)


@dataclass(frozen=True, slots=True)
class Audit:
    """A run directory whose summary holds runs; `labels` are their names on the page."""

    folder: Path
    info: Mapping[str, Any]
    summary: Mapping[str, Any]
    labels: Mapping[str, str]

    @property
    def runs(self) -> dict[str, Mapping[str, Any]]:
        """The summaries of the runs, by their names on the page."""
        return {self.labels[name]: to_part(self.summary["runs"], name) for name in self.labels}


@dataclass(frozen=True, slots=True)
class Count:
    """How many, which share, and the samples meant: (facet, value) pairs for a link."""

    n: int
    share: str
    link: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two judges' verdicts on the same reasonings."""

    a: str
    b: str
    n: int
    kappa: str
    interval: str
    labels: Sequence[str]
    table: Sequence[Sequence[int]]


def holds_runs(folder: Path) -> bool:
    """Is it the directory of an audit or an evaluation?"""
    return isinstance(read_object(folder / "summary.json").get("runs"), Mapping)


def read_audits(folders: Sequence[Path]) -> list[Audit]:
    """Read the directories; runs of the same name in several are told apart by the directories' names."""
    read = [(folder, read_object(folder / "run.json"), read_object(folder / "summary.json")) for folder in folders]
    seen = [name for _, _, summary in read for name in summary["runs"]]
    audits = []
    for (folder, info, summary), called in zip(read, names(folders), strict=True):
        labels = {name: name if seen.count(name) == 1 else f"{called}: {name}" for name in summary["runs"]}
        audits.append(Audit(folder, info, summary, labels))
    return audits


def audit_context(audits: Sequence[Audit], *, compare_paper: bool = False) -> dict[str, Any]:
    """What the template shows above and below the samples; with `compare_paper`, published rows beside ours."""
    runs = {name: run for audit in audits for name, run in audit.runs.items()}
    paper: dict[str, Any] = {model: part for audit in audits for model, part in to_part(audit.summary, "paper").items()}
    if compare_paper:
        paper = published_beside({name for run in runs.values() for name in to_part(run, "by_benchmark")})
    called = names([audit.folder for audit in audits])
    return {
        "heading": f"{len(audits)} audits side by side"
        if len(audits) > 1
        else heading(audits[0].folder, audits[0].info),
        "facts": [(name if len(audits) > 1 else "", _facts(audit)) for name, audit in zip(called, audits, strict=True)],
        "n": sum(_whole(run, "n") for run in runs.values()),
        "results": headline(runs),
        "counts": counts(runs),
        "heat_maps": heat_maps(runs, paper),
        "published": bool(paper),
        "by_task": tasks(runs),
        "comparisons": comparisons(audits),
        "agreements": [a for audit in audits if (a := agreement(to_part(audit.summary, "agreement")))],
        "logs": [row for audit in audits for row in _rows(audit.summary, "logs")],
        "bad_rows": [row for audit in audits for row in _rows(audit.summary, "bad_rows")],
        "runs": [(name, *described(a.info, a.summary)) for name, a in zip(called, audits, strict=True)],
        "states": STATES,
        "glossary": GLOSSARY,
    }


def headline(runs: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row for each run, a column for each metric that any of them has."""
    metrics = {name: to_estimates(to_part(run, "metrics")) for name, run in runs.items()}
    columns = [name for name in METRICS if any(name in part for part in metrics.values())]
    rows = [(name, [cell(part.get(column)) for column in columns]) for name, part in metrics.items()]
    return Table("", [(NAMES.get(column, column), "") for column in columns], rows)


def counts(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Verdicts, states, length and judges of each run, as counts that lead to their samples."""
    parts = {
        "verdict": _columns([to_part(run, "consistency") for run in runs.values()], VERDICTS),
        "state": _columns([to_part(run, "states") for run in runs.values()], tuple(STATES)),
    }
    rows = []
    for name, run in runs.items():
        n = _whole(run, "n")
        cells = {
            facet: [_count(to_part(run, key).get(value), n, facet, value, name) for value in parts[facet]]
            for facet, key in (("verdict", "consistency"), ("state", "states"))
        }
        judged = to_part(run, "judged_by")
        judges = [f"{judge} ({count:,})" if len(judged) > 1 else str(judge) for judge, count in judged.items()]
        words = {key: to_number(to_part(run, "words").get(key)) for key in ("mean", "median", "p95")}
        rows.append({"name": name, "n": n, "duplicates": _whole(run, "duplicates"), **cells, "words": words,
                     "judges": judges})  # fmt: skip
    return {"verdicts": parts["verdict"], "states": [STATES.get(s, s) for s in parts["state"]], "rows": rows}


def _columns(parts: Sequence[Mapping[str, Any]], known: Sequence[str]) -> list[str]:
    there = {value for part in parts for value, n in part.items() if n}
    return [value for value in known if value in there] + sorted(there - set(known))


def _count(n: Any, of: int, facet: str, value: str, run: str) -> Count:
    n = n if isinstance(n, int) else 0
    return Count(n, f"{percent(n / of)} %" if n and of else "", ((facet, value), ("run", run)))


def tasks(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """A row for each benchmark's task, and for each metric a column for each run; None where there are no tasks."""
    found: dict[tuple[str, str], dict[str, tuple[int, Mapping[str, Estimate]]]] = {}
    for name, run in runs.items():
        for benchmark, part in to_part(run, "by_benchmark").items():
            for task, fields in to_part(part, "by_task").items():
                estimates = to_estimates(to_part(fields, "metrics"))
                found.setdefault((benchmark, task), {})[name] = (_whole(fields, "n"), estimates)
    if not found:
        return None
    there = {name for row in found.values() for _, estimates in row.values() for name in estimates}
    metrics = [name for name in ("accuracy", "tac", "vas", "alignment_f1") if name in there]
    rows = [
        (
            benchmark,
            task,
            max(n for n, _ in row.values()),
            [_figure(row[name][1].get(metric) if name in row else None) for metric in metrics for name in runs],
        )
        for (benchmark, task), row in sorted(found.items())
    ]
    return {"metrics": [NAMES[metric] for metric in metrics], "runs": list(runs), "rows": rows}


def _figure(estimate: Estimate | None) -> tuple[str, str]:
    return (percent(estimate.mean), interval(estimate, percent)) if estimate else ("–", "")


def comparisons(audits: Sequence[Audit]) -> Table | None:
    """Pairs of runs on the questions that both answered: a row for each pair, differences in points."""
    parts = [
        (f"{audit.labels.get(str(row.get('b')), row.get('b'))} − {audit.labels.get(str(row.get('a')), row.get('a'))}",
         _whole(row, "n"), to_part(row, "metrics"))
        for audit in audits
        for row in _rows(audit.summary, "comparisons")
    ]  # fmt: skip
    differences = [to_estimates(metrics) for _, _, metrics in parts]
    columns = [name for name in METRICS if any(name in part for part in differences)]
    if not columns:
        return None
    limit = charts.reach(part[name] for part in differences for name in columns if name in part)
    rows = [
        (f"{title} ({n:,} questions)", [_difference(found.get(name), metrics.get(name), limit) for name in columns])
        for (title, n, metrics), found in zip(parts, differences, strict=True)
    ]
    return Table("", [(NAMES.get(name, name), "") for name in columns], rows, differences=True)


def _difference(estimate: Estimate | None, fields: Any, limit: float) -> Cell | None:
    if estimate is None:
        return None
    p = to_number(fields.get("p"))
    told = [f"n {_whole(fields, 'n'):,}"] if fields.get("n") else []
    told += [f"p {'< 0.001' if p < 0.001 else f'{p:.3f}'}"] if p is not None else []
    mark = charts.whisker(estimate, low=-limit, high=limit, kind="difference")
    return Cell(signed(estimate.mean), interval(estimate, signed), mark, ", ".join(told), clear=estimate.clear)


def agreement(fields: Mapping[str, Any]) -> Agreement | None:
    """Cohen's kappa of two judges with the table that it is of; None where there is none."""
    kappa = to_number(fields.get("kappa"))
    if not fields:
        return None
    low, high = (to_number(fields.get(key)) for key in ("low", "high"))
    return Agreement(
        str(fields.get("a")),
        str(fields.get("b")),
        _whole(fields, "n"),
        "undefined" if kappa is None else f"{kappa:.2f}".replace("-", "−"),
        "" if low is None or high is None else f"[{low:.2f}, {high:.2f}]".replace("-", "−"),
        [str(label) for label in fields.get("labels") or ()],
        [list(row) for row in fields.get("table") or ()],
    )


def _facts(audit: Audit) -> list[str]:
    n, runs = audit.summary.get("n"), audit.runs
    benchmarks = {name for run in runs.values() for name in to_part(run, "by_benchmark") if name}
    logs = _rows(audit.summary, "logs")
    parts = [
        f"{n:,} responses" if isinstance(n, int) else "",
        f"{len(runs)} runs" if len(runs) > 1 else next(iter(runs), ""),
        f"{len(benchmarks)} benchmarks" if len(benchmarks) > 3 else ", ".join(sorted(benchmarks)),
        f"{len(logs):,} log{'s' if len(logs) > 1 else ''}" if logs else "",
        *circumstances(audit.info),
    ]
    return [part for part in parts if part]


def _rows(fields: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = fields.get(key)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def _whole(fields: Mapping[str, Any], key: str) -> int:
    found = fields.get(key)
    return found if isinstance(found, int) else 0
