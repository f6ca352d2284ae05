"""The report: one HTML file that opens from disk, with no network, from the files of a run directory."""

import base64
import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from videor2.report import charts
from videor2.report.about import described, facts, heading, names
from videor2.report.audit import audit_context, holds_runs, read_audits
from videor2.report.cards import letter, make_cards
from videor2.report.choose import choose
from videor2.report.clips import Library
from videor2.report.run import Run, read_run
from videor2.report.stream import Source, chunks
from videor2.report.tables import Table, abstract, percent, result_tables, side_by_side, task_table
from videor2.timeline import format_interval

AUDIT_SCRIPTS: Final = ("data", "filters", "address", "table", "highlight", "detail", "main")
"""The parts of the script of an audit's page, in order."""

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


def write_report(run_dir: Path, out: Path | None = None, *, samples: int = 12, videos: Path | None = None) -> Path:
    """Write the report of one run, by default to `run_dir/report.html`; gives its path.

    Needs `summary.json` or `records.jsonl`; `run.json` and `history.jsonl` add to it. The page of an audit or an
    evaluation has all of its samples, that of a training run `samples` of them. Clips are looked for in `videos`,
    else where the records say. Raises `ReportError` where the directory is no run's or a file in it is broken.
    """
    return write_reports([run_dir], out or run_dir / "report.html", samples=samples, videos=videos)


def write_reports(
    run_dirs: Sequence[Path],
    out: Path,
    *,
    samples: int = 12,
    videos: Path | None = None,
    compare_paper: bool = False,
) -> Path:
    """Write a report that compares runs; gives `out`.

    Audits and evaluations stand side by side, with all their samples and, with `compare_paper`, the published
    figures. Where a training run is among them there is a
    table with a column for each run (two for one that measured before and after training), and the samples of the
    last. Raises `ReportError` as `write_report`.
    """
    if not run_dirs:
        raise ValueError("no run directories to report on")
    if all(holds_runs(folder) for folder in run_dirs):
        audits = read_audits(run_dirs)
        records = [Source(a.folder, a.labels, Library(a.folder, videos)) for a in audits]
        context = (
            audit_context(audits, compare_paper=compare_paper) | {"chunks": chunks(records, out)} | _assets("audit")
        )
        return _write("audit.html.j2", context, out)
    runs = [read_run(folder) for folder in run_dirs]
    if len(runs) == 1:
        tables = result_tables(runs[0])
    else:
        columns = [
            (name, part if run.compared else heading(run.folder, run.info).removeprefix(name), run.metrics(part))
            for name, run in zip(names(run_dirs), runs, strict=True)
            for part in (("before", "after") if run.compared else ("metrics",))
        ]
        tables = [side_by_side(columns)]
    return _write("page.html.j2", _context(runs, tables, samples, videos) | _assets("page"), out)


def _write(template: str, context: Mapping[str, Any], out: Path) -> Path:
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
        "link": _link,
        "breakable": _breakable,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    try:
        # A response may hold half of a surrogate pair; the page shows a question mark, as a browser would.
        with part.open("w", encoding="utf-8", errors="replace") as file:
            file.writelines(environment.get_template(template).generate(context))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return out


def _link(pairs: Iterable[tuple[str, str]]) -> str:
    """The address of filtered samples, as the page's script reads it.

    >>> _link([("verdict", "no answer"), ("run", "a,b")])
    '#verdict=no%20answer&run=a%2Cb'
    """
    return "#" + "&".join(f"{facet}={quote(value.encode('utf-8', 'replace'), safe='')}" for facet, value in pairs)


def _breakable(name: str) -> Markup:
    """A name that may break where it has a new word.

    >>> _breakable("LongVideoBench"), _breakable("VSI-Bench")
    (Markup('Long<wbr>Video<wbr>Bench'), Markup('VSI-<wbr>Bench'))
    """
    return Markup("<wbr>").join(re.split(r"(?<=[a-z])(?=[A-Z])|(?<=[-_])", name))


def _context(runs: Sequence[Run], tables: Sequence[Table], samples: int, videos: Path | None) -> dict[str, Any]:
    """What the templates show; of several runs, curves and samples are those of the last."""
    run, called = runs[-1], names([run.folder for run in runs])
    choice = choose(run, samples)
    parts = [run.metrics(part) for part in ("difference", "before", "after")]
    return {
        "heading": f"{len(runs)} runs compared" if len(runs) > 1 else heading(run.folder, run.info),
        "facts": [(name if len(runs) > 1 else "", facts(r)) for name, r in zip(called, runs, strict=True)],
        "abstract": abstract(*parts) if len(runs) == 1 else "",
        "last": called[-1] if len(runs) > 1 else "",
        "tables": tables,
        "by_task": task_table(run) if len(runs) == 1 else None,
        "compared": run.compared,
        "curves": list(_curves(run.history)),
        "choice": choice,
        "cards": make_cards(run, choice.cases, videos),
        "runs": [(name, *described(r.info, r.summary)) for name, r in zip(called, runs, strict=True)],
        "glossary": GLOSSARY,
    }


def _assets(kind: str) -> dict[str, Any]:
    """The style and the script of a page, and the script's hash: no other script runs, whatever a response holds."""
    scripts = [f"audit/{name}.js" for name in AUDIT_SCRIPTS] if kind == "audit" else ["page.js"]
    script = '"use strict";\n' + "\n".join(_asset(name) for name in scripts)
    style = _asset("page.css") + (_asset("audit.css") if kind == "audit" else "")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"style": Markup(style), "script": Markup(script), "script_hash": digest}


def _asset(name: str) -> str:
    return files("videor2.report").joinpath("templates", name).read_text(encoding="utf-8")


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
