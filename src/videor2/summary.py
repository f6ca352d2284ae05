"""Sum up records: the mean of each metric with its interval and coverage, per run, benchmark and task.

Records stream through: of each only its values are kept, so that memory is some hundred bytes a record whatever the
length of its text.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from videor2.benchmarks.names import GENERIC, REASONING
from videor2.records import Record
from videor2.scores.stats import Interval, bootstrap_macro, bootstrap_mean, mcnemar, paired_difference

Values = NDArray[np.float64]


def _score(name: str) -> Callable[[Record], float | None]:
    def value(record: Record) -> float | None:
        found: float | None = record["scores"].get(name, {}).get("value")
        return found

    return value


def _strict(record: Record) -> float | None:
    score = record["scores"]["consistency"]
    return None if score["status"] == "error" else score["value"] or 0.0


METRICS: Final[Mapping[str, Callable[[Record], float | None]]] = {
    "accuracy": _score("accuracy"),
    "tac": _score("consistency"),
    "tac_strict": _strict,
    "tac_paper": _score("tac_paper"),
    "vas": _score("vas"),
    "vas_rules": _score("vas_rules"),
    "alignment_f1": _score("alignment_f1"),
    "format": _score("format"),
}
"""What a summary holds the mean of, and its value in a record: None where it abstained or failed. `tac_strict` counts
what is undetermined as inconsistent; what failed counts in neither."""

HEADLINE: Final = ("accuracy", "tac", "alignment_f1", "format")
"""The metrics that training is to raise."""

GROUPS: Final = {"overall": (*GENERIC, *REASONING), "generic": GENERIC, "reasoning": REASONING}
"""The averages over benchmarks; Video-MMMU's three tracks are one benchmark."""

MOST_COMPARED: Final = 5
"""Up to so many runs each is compared with each other, beyond it all with the first."""


class Tally:
    """The values of some records as columns, None as NaN."""

    def __init__(self, metrics: Iterable[str] = METRICS) -> None:
        self.columns = {metric: array("d") for metric in metrics}
        self.n = 0

    def add(self, record: Record) -> None:
        """Take the values of a record."""
        self.n += 1
        for metric, column in self.columns.items():
            value = METRICS[metric](record)
            column.append(np.nan if value is None else value)

    def values(self, metric: str, rows: NDArray[np.bool_] | None = None) -> Values:
        """The values that there are (k <= n), of all rows or of those that the mask (n,) names."""
        column = np.frombuffer(self.columns[metric], dtype=np.float64)
        column = column if rows is None else column[rows]
        return column[~np.isnan(column)]

    def metrics(self, rows: NDArray[np.bool_] | None = None, *, seed: int = 0) -> dict[str, Any]:
        """Mean, 95 % bootstrap interval and coverage of each metric that has a value."""
        n = self.n if rows is None else int(rows.sum())
        return {
            metric: _interval(bootstrap_mean(values, seed=seed)) | {"coverage": len(values) / n}
            for metric in self.columns
            if len(values := self.values(metric, rows))
        }


class RunTally(Tally):
    """All that the summary of a run needs of its records."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: dict[tuple[str, str], int] = {}
        self.cell = array("I")
        self.questions: dict[bytes, int] = {}
        """Row of the first response to each question, by a digest: what other runs are compared on."""
        self.ids: set[bytes] = set()
        self.states: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.judges: Counter[str] = Counter()
        self.words = array("I")

    def add(self, record: Record) -> None:
        """Take the values of a record, and count it."""
        name = (record["benchmark"], record["task"], record["id"])
        self.ids.add(_digest(*name))
        if record["question"]:  # without it, equal ids say nothing: they may be row numbers of different data
            self.questions.setdefault(_digest(*name, record["question"]), self.n)
        super().add(record)
        self.cell.append(self.cells.setdefault((record["benchmark"], record["task"]), len(self.cells)))
        self.states[record["state"]] += 1
        self.verdicts[verdict(record)] += 1
        self.judges[record["scores"]["consistency"]["judge"]] += 1
        self.words.append(record["words"]["think"])

    def summary(self, *, seed: int = 0) -> dict[str, Any]:
        """The run's part of `summary.json`."""
        cells = np.frombuffer(self.cell, dtype=np.uint32)
        benchmarks = dict.fromkeys(benchmark for benchmark, _ in self.cells)
        masks = {
            name: np.isin(cells, [i for (benchmark, _), i in self.cells.items() if benchmark == name])
            for name in benchmarks
        }
        words = np.frombuffer(self.words, dtype=np.uint32)
        return {
            "n": self.n,
            "duplicates": self.n - len(self.ids),
            "metrics": self.metrics(seed=seed),
            "by_benchmark": {
                name: {
                    "n": int(mask.sum()),
                    "metrics": self.metrics(mask, seed=seed),
                    "by_task": {
                        task: {"n": int((cells == i).sum()), "metrics": self.metrics(cells == i, seed=seed)}
                        for (benchmark, task), i in self.cells.items()
                        if benchmark == name and task
                    },
                }
                for name, mask in masks.items()
            },
            "macro": {
                group: {"benchmarks": len(there), "metrics": self._macro([masks[name] for name in there], seed)}
                for group, names in GROUPS.items()
                if len(there := [name for name in names if name in masks]) > 1
            },
            "states": dict(self.states.most_common()),
            "consistency": dict(self.verdicts.most_common()),
            "words": {
                "mean": round(float(words.mean()), 1),
                "median": float(np.median(words)),
                "p95": float(np.quantile(words, 0.95)),
            },
            "judged_by": dict(self.judges.most_common()),
        }

    def _macro(self, masks: Sequence[NDArray[np.bool_]], seed: int) -> dict[str, Any]:
        """The mean over benchmarks of each metric that all of them have."""
        found = {}
        for metric in self.columns:
            groups = [self.values(metric, mask) for mask in masks]
            if all(len(group) for group in groups):
                found[metric] = _interval(bootstrap_macro(groups, seed=seed))
        return found


def summarise_runs(records: Iterable[Record], *, seed: int = 0) -> dict[str, Any]:
    """The summary of an audit or an evaluation: each run (the records' `model`), and pairs of runs compared."""
    runs: dict[str, RunTally] = {}
    for record in records:
        runs.setdefault(record["model"], RunTally()).add(record)
    summary: dict[str, Any] = {
        "n": sum(run.n for run in runs.values()),
        "runs": {name: run.summary(seed=seed) for name, run in runs.items()},
    }
    pairs = list(combinations(runs, 2))
    if len(runs) > MOST_COMPARED:
        pairs = [(a, b) for a, b in pairs if a == next(iter(runs))]
    compared = [compare_runs(a, runs[a], b, runs[b], seed=seed) for a, b in pairs]
    summary["comparisons"] = [comparison for comparison in compared if comparison["n"]]
    if len(runs) == 1:
        [only] = summary["runs"].values()
        tasks = {
            f"{benchmark} {task}".strip(): part["metrics"]
            for benchmark, whole in only["by_benchmark"].items()
            for task, part in (whole["by_task"] or {"": whole}).items()
        }
        summary |= {"metrics": only["metrics"], "by_task": tasks}
    return summary


def benchmarks_of(summary: Mapping[str, Any]) -> set[str]:
    """The benchmarks of a summary's runs."""
    return {name for run in summary["runs"].values() for name in run["by_benchmark"]}


def add_official(run: dict[str, Any], figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Add the benchmarks' official figures to a run's summary, as metric `official`, and their averages.

    figures: what `Benchmark.summarise` gives, by benchmark. An official figure has no interval: it may be a mean over
    tasks or pairs of rows.
    """
    values = {name: figure["value"] for name, figure in figures.items() if figure["value"] is not None}
    for name, value in values.items():
        run["by_benchmark"][name]["metrics"]["official"] = {"mean": value, "coverage": figures[name]["coverage"]}
    for group, macro in run["macro"].items():
        there = [name for name in GROUPS[group] if name in run["by_benchmark"]]
        if all(name in values for name in there):
            macro["metrics"]["official"] = {"mean": sum(values[name] for name in there) / len(there)}


def compare_runs(a: str, first: RunTally, b: str, second: RunTally, *, seed: int = 0) -> dict[str, Any]:
    """`b` minus `a` on the questions that both answered, each metric where both have a value.

    The difference of each metric with its paired bootstrap interval, and the p-value of McNemar's exact test where
    the values are 0 and 1.
    """
    shared = [(first.questions[key], row) for key, row in second.questions.items() if key in first.questions]
    at_a, at_b = ([pair[side] for pair in shared] for side in (0, 1))
    found: dict[str, Any] = {}
    for metric in METRICS if shared else ():
        old, new = np.array(first.columns[metric])[at_a], np.array(second.columns[metric])[at_b]
        both = ~(np.isnan(old) | np.isnan(new))
        if both.any():
            found[metric] = _paired(old[both], new[both], seed)
    return {"a": a, "b": b, "n": len(shared), "metrics": found}


def summarise(records: Iterable[Record], *, metrics: Iterable[str] = HEADLINE, seed: int = 0) -> dict[str, Any]:
    """For each metric: mean, 95 % bootstrap interval over responses, and coverage (the share that has a value)."""
    tally = Tally(metrics)
    for record in records:
        tally.add(record)
    return tally.metrics(seed=seed)


def by_task(records: Iterable[Record], *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """A summary for each task."""
    rows = list(records)
    tasks = sorted({row["task"] for row in rows})
    return {task: summarise([row for row in rows if row["task"] == task], seed=seed) for task in tasks}


def compare(before: Sequence[Record], after: Sequence[Record], *, seed: int = 0) -> dict[str, Any]:
    """The paired difference of each metric, after minus before, over samples where both have a value."""
    old = {row["id"]: row for row in before}
    differences = {}
    for metric in HEADLINE:
        pairs = [(METRICS[metric](old[row["id"]]), METRICS[metric](row)) for row in after]
        both = np.array([(a, b) for a, b in pairs if a is not None and b is not None])
        if len(both):
            differences[metric] = _paired(both[:, 0], both[:, 1], seed)
    return differences


def verdict(record: Record) -> str:
    """What became of a response's consistency, in one of six words."""
    score = record["scores"]["consistency"]
    if score["status"] == "error":
        return "error"
    if score["value"] is not None:
        return "consistent" if score["value"] >= 0.5 else "inconsistent"
    if not record["words"]["think"]:
        return "no reasoning"
    return "undetermined" if score["answer"] else "no answer"


def _paired(old: Values, new: Values, seed: int) -> dict[str, Any]:
    found: dict[str, Any] = _interval(paired_difference(new, old, seed=seed)) | {"n": len(old)}
    if np.isin(np.concatenate([old, new]), (0.0, 1.0)).all():
        found["p"] = mcnemar(old, new)
    return found


def _interval(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _digest(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=8).digest()
