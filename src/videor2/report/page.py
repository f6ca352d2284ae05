"""The report: one HTML file that opens from disk, with no network, from the files of a run directory."""

import base64
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from videor2.report import charts
from videor2.report.cards import letter, make_cards
from videor2.report.choose import choose
from videor2.report.run import Run, read_run
from videor2.report.tables import Table, abstract, percent, result_tables, side_by_side, task_table
from videor2.timeline import format_interval

CURVES: Final = (
    ("reward", "Reward, total", None),
    ("rewards/accuracy_reward/mean", "Accuracy", 1.0),
    ("rewards/format_reward/mean", "Format", 1.0),
    ("alignment/gate", "Gate rate", 1.0),
    ("alignment/tar", "TAR", 1.0),
    ("alignment/gated", "Gate × TAR", 1.0),
    ("kl", "KL", None),
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
        "think-answer consistency: the share of responses whose reasoning concludes the same value as they answer, "
        "over those where both are determined.",
    ),
    (
        "Alignment F1",
        "timestamped claims in the reasoning matched one to one with the events of the clip, by time and by meaning: "
        "the harmonic mean of the matched shares of claims and of events.",
    ),
    ("TAR", "temporal alignment reward: the alignment score, as training sees it."),
    ("Gate", "1 where conclusion and answer agree, else 0. The reward is accuracy + format + gate × TAR."),
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
    return _write([run], result_tables(run), out or run_dir / "report.html", samples)


def write_reports(run_dirs: Sequence[Path], out: Path, *, samples: int = 12) -> Path:
    """Write a report that compares runs: a table with a column for each, then the samples of the last; gives `out`.

    A run that measured before and after training has a column for each. Raises `ReportError` as `write_report`.
    """
    if not run_dirs:
        raise ValueError("no run directories to report on")
    if len(run_dirs) == 1:
        return write_report(run_dirs[0], out, samples=samples)
    runs = [read_run(folder) for folder in run_dirs]
    columns = [
        (name, part if run.compared else _heading(run).removeprefix(name), run.metrics(part))
        for name, run in zip(_names(runs), runs, strict=True)
        for part in (("before", "after") if run.compared else ("metrics",))
    ]
    return _write(runs, [side_by_side(columns)], out, samples)


def _write(runs: Sequence[Run], tables: Sequence[Table], out: Path, samples: int) -> Path:
    environment = Environment(
        loader=PackageLoader("videor2.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "letter": letter,
        "span": lambda mark: format_interval(mark.start_s, mark.end_s),
        "percent": percent,
    }
    page = environment.get_template("page.html.j2").render(_context(runs, tables, samples))
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    # A response may hold half of a surrogate pair; the page shows a question mark, as a browser would.
    part.write_text(page, encoding="utf-8", errors="replace")
    part.replace(out)
    return out


def _context(runs: Sequence[Run], tables: Sequence[Table], samples: int) -> dict[str, Any]:
    """What the templates show; of several runs, curves and samples are those of the last."""
    run, names = runs[-1], _names(runs)
    choice = choose(run, samples)
    script = _asset("page.js")
    return {
        "heading": f"{len(runs)} runs compared" if len(runs) > 1 else _heading(run),
        "facts": [(name, _facts(r)) for name, r in zip(names, runs, strict=True)],
        "abstract": abstract(*(run.metrics(part) for part in ("difference", "before", "after")))
        if len(runs) == 1
        else "",
        "last": names[-1] if len(runs) > 1 else "",
        "tables": tables,
        "by_task": task_table(run) if len(runs) == 1 else None,
        "compared": run.compared,
        "curves": list(_curves(run.history)),
        "choice": choice,
        "cards": make_cards(run, choice.cases),
        "runs": [
            (name, _flat(_about(r)), _flat(_mapping(r.info, "settings")), _stages(r))
            for name, r in zip(names, runs, strict=True)
        ],
        "glossary": GLOSSARY,
        "style": Markup(_asset("page.css")),
        "script": Markup(script),
        # Only this script runs, whatever a response smuggles in.
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def _asset(name: str) -> str:
    return files("videor2.report").joinpath("templates", name).read_text(encoding="utf-8")


def _names(runs: Sequence[Run]) -> list[str]:
    """The folders' names, or their paths where two are called the same."""
    names = [run.folder.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.folder) for run in runs]


def _heading(run: Run) -> str:
    """The command without its options."""
    words = str(run.info.get("command") or "").split()
    options = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    if not words[:options]:
        return run.folder.resolve().name
    return " ".join(words[:options] if words[0].endswith("videor2") else ["videor2", *words[:options]])


def _facts(run: Run) -> list[str]:
    """The parts of the line under the title: what was run on what, when and where."""
    info, n = run.info, run.summary.get("n")
    model = run.record(run.rows[0]).model if run.rows else ""
    benchmarks = sorted({row.benchmark for row in run.rows if row.benchmark})
    started, finished = _moment(info.get("started")), _moment(info.get("finished"))
    machine = info.get("machine")
    parts = [
        f"model {model}" if model else "",
        f"{n:,} questions" if isinstance(n, int) else "",
        ", ".join(benchmarks) if len(benchmarks) <= 3 else f"{len(benchmarks)} benchmarks",
        f"{started:%Y-%m-%d %H:%M}" if started else "",
        _took((finished - started).total_seconds()) if started and finished else "",
        ", ".join(str(part) for part in machine.values() if part) if isinstance(machine, Mapping) else machine,
        f"seed {info['seed']}" if info.get("seed") is not None else "",
    ]
    return [str(part) for part in parts if part]


def _about(run: Run) -> dict[str, Any]:
    """Command, version, seed and times of a run, and the versions of what it used."""
    kept = {key: run.info.get(key) for key in ("command", "version", "seed", "started", "finished", "machine")}
    for key in ("started", "finished"):
        moment = _moment(kept[key])
        kept[key] = moment.isoformat(sep=" ", timespec="seconds") if moment else kept[key]
    return {key: value for key, value in kept.items() if value is not None} | _mapping(run.info, "versions")


def _stages(run: Run) -> list[tuple[str, str]]:
    seconds = _mapping(run.summary, "seconds") or _mapping(run.info, "seconds")
    return [(stage, _took(s)) for stage, s in _flat(seconds)]


def _moment(value: Any) -> datetime | None:
    """A time as ISO 8601 or as seconds since 1970, in UTC unless it says otherwise."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, tz=UTC)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


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


def _curves(history: Sequence[Mapping[str, Any]]) -> Iterator[Curve]:
    """A chart for each known metric with at least two points; the trainer's closing summary is no step."""
    entries = [entry for entry in history if "train_runtime" not in entry]
    rewarded = any("reward" in entry for entry in entries)
    for key, title, high in CURVES:
        if key == "loss" and rewarded:
            continue
        pairs = [(entry.get("step"), entry.get(key)) for entry in entries]
        points = [
            (float(x), float(y))
            for x, y in pairs
            if isinstance(x, int | float) and isinstance(y, int | float) and math.isfinite(y)
        ]
        if len(points) >= 2:
            smoothed = charts.smooth(points)
            top = high if high is not None and all(0 <= y <= high for _, y in points) else None
            ends = charts.figure(smoothed[0][1]), charts.figure(smoothed[-1][1])
            yield Curve(title, *ends, charts.curve(points, label=title, high=top))


def _took(seconds: Any) -> str:
    """Seconds in words.

    >>> _took(3.21), _took(252), _took(7260)
    ('3.2 s', '4 min 12 s', '2 h 1 min')
    """
    if not isinstance(seconds, int | float):
        return str(seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
