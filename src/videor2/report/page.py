"""The report: one HTML file that opens from disk, with no network, from the files of a run directory."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from videor2.report import charts
from videor2.report.cards import letter, make_cards, span_text
from videor2.report.choose import choose
from videor2.report.run import Estimate, Metrics, Run, read_run

NAMES: Final = {
    "accuracy": "Accuracy",
    "tac": "TAC",
    "alignment_f1": "Alignment F1",
    "format": "Format",
    "tac_strict": "TAC, strict",
    "tac_paper": "TAC as published",
    "vas": "VAS",
}
"""Metrics in the order of the tables; others follow under the names that the summary gives them."""

CURVES: Final = (
    ("reward", "Reward, total", None),
    ("rewards/accuracy_reward/mean", "Accuracy", 1.0),
    ("rewards/format_reward/mean", "Format", 1.0),
    ("gate/rate", "Gate rate", 1.0),
    ("alignment/mean", "TAR", 1.0),
    ("gated_alignment/mean", "Gate × TAR", 1.0),
    ("kl", "KL to the start", None),
    ("completions/mean_length", "Length, tokens", None),
    # Of fine-tuning: the loss of GRPO says nothing.
    ("loss", "Loss", None),
    ("mean_token_accuracy", "Token accuracy", 1.0),
)
"""Key in the training history, title, top of the axis (None: by the data)."""

GLOSSARY: Final = (
    ("Accuracy", "the answer against the reference, by the rule of the question's kind."),
    (
        "TAC",
        "think-answer consistency: the share of responses whose reasoning concludes the same value as they answer, over "
        "those where both are determined.",
    ),
    (
        "Alignment F1",
        "timestamped claims in the reasoning matched one to one with the events of the clip, by time and by meaning: the "
        "harmonic mean of the matched shares of claims and of events.",
    ),
    ("TAR", "temporal alignment reward: the same score, as training sees it."),
    (
        "Gate",
        "1 where conclusion and answer agree, else 0. The reward is accuracy + format + gate × TAR.",
    ),
    ("Format", "the share of responses that are one think block, then one answer block."),
    (
        "Coverage",
        "the share of responses on which a metric is determined. The others count in no mean, neither for nor against.",
    ),
    (
        "Greedy, sampled",
        "decoding by the likeliest token, and drawn at random from the model's distribution.",
    ),
    ("KL", "how far the model has moved from the one that training started from."),
)


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
    """Rows of metrics. `columns` are (title, remark) and `rows` (name, cells), None where a run lacks a metric."""

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


@dataclass(frozen=True, slots=True)
class Curve:
    """A training metric, where its smoothed curve starts and ends, and the chart."""

    title: str
    first: str
    last: str
    svg: Markup


def write_report(run_dir: Path, out: Path | None = None, *, samples: int = 12) -> Path:
    """Write the report of one run, by default to `run_dir/report.html`; gives its path.

    Needs `summary.json` or `records.jsonl`; `run.json` and `history.jsonl` add to it. Raises `ReportError` where the
    directory is no run's or a file in it is broken.
    """
    run = read_run(run_dir)
    return _write(_context([run], _tables(run), samples), out or run_dir / "report.html")


def write_reports(run_dirs: Sequence[Path], out: Path, *, samples: int = 12) -> Path:
    """Write a report that compares runs: a table with a column for each, then the samples of the last.

    A run that measured before and after training has a column for each. Raises `ReportError` as `write_report`.
    """
    if len(run_dirs) == 1:
        return write_report(run_dirs[0], out, samples=samples)
    if not run_dirs:
        raise ValueError("no run directories to report on")
    runs = [read_run(folder) for folder in run_dirs]
    return _write(_context(runs, [_side_by_side(runs)], samples), out)


def _write(context: Mapping[str, Any], out: Path) -> Path:
    environment = Environment(
        loader=PackageLoader("videor2.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"clock": charts.clock, "letter": letter, "span": span_text, "percent": percent}
    page = environment.get_template("page.html.j2").render(context)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    part.write_text(page, encoding="utf-8")
    part.replace(out)
    return out


def _context(runs: Sequence[Run], tables: Sequence[Table], samples: int) -> dict[str, Any]:
    run = runs[-1]
    choice = choose(run, samples)
    cards = make_cards(run, choice.cases)
    script = _asset("page.js")
    return {
        "heading": _heading(runs),
        "facts": _facts(run, cards[0].record.model if cards else ""),
        "abstract": _abstract(run) if len(runs) == 1 else "",
        "tables": tables,
        "compared": run.compared,
        "by_task": _by_task(run) if len(runs) == 1 else None,
        "curves": list(_curves(run.history)),
        "cards": cards,
        "choice": choice,
        "runs": [(_name(r), _flat(_mapping(r.info, "settings")), _flat(_about(r))) for r in runs],
        "seconds": [(stage, _span(s)) for stage, s in _flat(_mapping(run.summary, "seconds"))],
        "glossary": GLOSSARY,
        "style": Markup(_asset("page.css")),  # noqa: S704
        "script": Markup(script),  # noqa: S704
        # Only this script runs, whatever a response smuggles in, and nothing is loaded from anywhere.
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def _asset(name: str) -> str:
    return files("videor2.report").joinpath("templates", name).read_text(encoding="utf-8")


# --- what was run


def _name(run: Run) -> str:
    return run.folder.resolve().name


def _heading(runs: Sequence[Run]) -> str:
    if len(runs) > 1:
        return f"{len(runs)} runs compared"
    command = str(runs[0].info.get("command") or "").strip()
    if not command:
        return _name(runs[0])
    return command if command.startswith("videor2") else f"videor2 {command}"


def _facts(run: Run, model: str) -> list[str]:
    """The parts of the line under the title: on what, when, where."""
    info, n = run.info, run.summary.get("n")
    benchmarks = sorted({row.benchmark for row in run.rows if row.benchmark})
    started, finished = _moment(info.get("started")), _moment(info.get("finished"))
    parts = [
        f"model {model}" if model else "",
        f"{n:,} questions" if isinstance(n, int) else "",
        ", ".join(benchmarks) if len(benchmarks) <= 3 else f"{len(benchmarks)} benchmarks",
        started.strftime("%Y-%m-%d %H:%M") if started else str(info.get("started") or ""),
        _span((finished - started).total_seconds()) if started and finished else "",
        _machine(info.get("machine")),
        f"seed {info['seed']}" if info.get("seed") is not None else "",
    ]
    return [part for part in parts if part]


def _machine(machine: Any) -> str:
    if isinstance(machine, Mapping):
        return ", ".join(str(value) for value in machine.values() if value not in (None, ""))
    return str(machine or "")


def _moment(value: Any) -> datetime | None:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value).astimezone()
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _about(run: Run) -> dict[str, Any]:
    """Version, seed and times of a run, and the versions of what it used."""
    kept = {
        key: run.info.get(key) for key in ("command", "version", "seed", "started", "finished", "machine")
    }
    return {key: value for key, value in kept.items() if value is not None} | _mapping(run.info, "versions")


def _abstract(run: Run) -> str:
    """The differences in a sentence, for who reads no further."""
    differences, before, after = (run.metrics(part) for part in ("difference", "before", "after"))
    told = [
        f"{NAMES[name]} {percent(before[name].mean)} to {percent(after[name].mean)} % "
        f"({signed(differences[name].mean)} points, {_interval(differences[name], signed)})"
        for name in ("accuracy", "tac", "alignment_f1")
        if name in differences and name in before and name in after
    ]
    return f"Greedy decoding, before to after training: {'; '.join(told)}." if told else ""


def _mapping(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = fields.get(key)
    return dict(found) if isinstance(found, Mapping) else {}


def _flat(fields: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested settings as dotted names.

    >>> _flat({"a": {"b": 1, "c": {}}, "d": [2, 3]})
    [('a.b', 1), ('d', '2, 3')]
    """
    rows: list[tuple[str, Any]] = []
    for key, value in fields.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            plain = isinstance(value, list) and not any(isinstance(part, list | dict) for part in value)
            rows.append((f"{prefix}{key}", ", ".join(map(str, value)) if plain else value))
    return rows


# --- tables


def _tables(run: Run) -> list[Table]:
    plain = run.metrics("metrics")
    if not run.compared:
        rows = [(NAMES.get(name, name), [_cell(plain[name])]) for name in _ordered(plain)]
        return [Table("", [("", "")], rows)] if rows else []
    found = [
        ("Greedy decoding", run.metrics("before"), run.metrics("after"), run.metrics("difference")),
        (
            "Sampled decoding",
            run.metrics("sampled", "before"),
            run.metrics("sampled", "after"),
            run.metrics("sampled", "difference"),
        ),
    ]
    # One axis for all differences: a longer whisker in one table is a longer whisker.
    limit = charts.reach(e for _, _, _, differences in found for e in differences.values())
    tables = []
    for title, before, after, differences in found:
        rows = [
            (
                NAMES.get(name, name),
                [
                    _cell(before.get(name), kind="before"),
                    _cell(after.get(name), kind="after"),
                    _difference(differences.get(name), limit),
                ],
            )
            for name in _ordered({**before, **after, **differences})
        ]
        if rows:
            columns = [("Before", ""), ("After", ""), ("Difference", "")]
            tables.append(Table(title, columns, [(name, cells) for name, cells in rows if any(cells)]))
    return tables


def _side_by_side(runs: Sequence[Run]) -> Table:
    columns: list[tuple[str, str]] = []
    metrics: list[Metrics] = []
    for run in runs:
        for part in ("before", "after") if run.compared else ("metrics",):
            columns.append((_name(run), part if run.compared else str(run.info.get("command") or "")))
            metrics.append(run.metrics(part))
    names = _ordered({name: e for part in metrics for name, e in part.items()})
    return Table(
        "", columns, [(NAMES.get(name, name), [_cell(part.get(name)) for part in metrics]) for name in names]
    )


def _by_task(run: Run) -> tuple[list[str], list[tuple[str, list[tuple[Markup, str]]]]] | None:
    """Names of the metrics, and for each task a chart and its figures per metric; None where the run has no tasks."""
    if run.compared:
        before, after = run.by_task("by_task", "before"), run.by_task("by_task", "after")
    else:
        before, after = {}, run.by_task("by_task")
    names = _ordered({name: e for part in (*before.values(), *after.values()) for name, e in part.items()})
    rows = []
    for task in dict.fromkeys([*before, *after]):
        cells = []
        for name in names:
            old, new = before.get(task, {}).get(name), after.get(task, {}).get(name)
            figures = " → ".join(
                percent(e.mean) if e else "–" for e in ((old, new) if run.compared else (new,))
            )
            mark = charts.dumbbell(old, new) if run.compared else (charts.whisker(new) if new else Markup())
            cells.append((mark, figures))
        rows.append((task, cells))
    return ([NAMES.get(name, name) for name in names], rows) if rows else None


def _ordered(metrics: Mapping[str, Estimate]) -> list[str]:
    return [name for name in NAMES if name in metrics] + sorted(name for name in metrics if name not in NAMES)


def _cell(estimate: Estimate | None, *, kind: str = "after") -> Cell | None:
    if estimate is None:
        return None
    covered = estimate.coverage
    return Cell(
        percent(estimate.mean),
        _interval(estimate, percent),
        charts.whisker(estimate, kind=kind),
        "" if covered is None else f"coverage {percent(covered)}",
    )


def _difference(estimate: Estimate | None, limit: float) -> Cell | None:
    if estimate is None:
        return None
    mark = charts.whisker(estimate, low=-limit, high=limit, kind="difference")
    return Cell(signed(estimate.mean), _interval(estimate, signed), mark, clear=estimate.clear)


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


def _interval(estimate: Estimate, write: Any) -> str:
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"[{write(estimate.low)}, {write(estimate.high)}]"


# --- curves and times


def _curves(history: Sequence[Mapping[str, Any]]) -> Iterator[Curve]:
    """A chart for each known metric with at least two points; the trainer's closing summary has no step of its own."""
    rewarded = any("reward" in entry for entry in history)
    for key, title, high in CURVES:
        if key == "loss" and rewarded:
            continue
        points = [
            (float(entry["step"]), float(entry[key]))
            for entry in history
            if isinstance(entry.get("step"), int | float)
            and isinstance(entry.get(key), int | float)
            and "train_runtime" not in entry
        ]
        points = [(x, y) for x, y in points if y == y and abs(y) != float("inf")]
        if len(points) >= 2:
            smoothed = charts.smooth(points)
            top = high if high is not None and all(0 <= y <= high for _, y in points) else None
            svg = charts.curve(points, label=title, high=top)
            yield Curve(title, charts.figure(smoothed[0][1]), charts.figure(smoothed[-1][1]), svg)


def _span(seconds: Any) -> str:
    """Seconds in words.

    >>> _span(3.21), _span(252), _span(7260)
    ('3.2 s', '4 min 12 s', '2 h 1 min')
    """
    if not isinstance(seconds, int | float):
        return str(seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
