"""The whole of an audit: read logs, score them, ask the judge, sum up, report."""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from videor2.audit.judging import Judging
from videor2.audit.scoring import SHOWN_IDS, LogFacts, Source, score_logs
from videor2.audit.settings import AuditSettings
from videor2.benchmarks.paper import published_beside
from videor2.data.logs import Annotations, find_logs, open_log
from videor2.errors import InputError
from videor2.judges.prompts import PROMPT_VERSIONS
from videor2.progress import Progress
from videor2.records import iterate_records
from videor2.report import write_report
from videor2.rundir import about, now, plain, read_about, write_json
from videor2.summary import benchmarks_of, summarise_runs

log = logging.getLogger(__name__)

COMMAND: Final = "audit"


def audit(paths: Sequence[str | Path], out: Path, settings: AuditSettings | None = None) -> dict[str, Any]:
    """Audit logs into the run directory `out`; gives the summary that is also in `out/summary.json`.

    paths: files, or folders to search; `NAME=PATH` names the run. A file that is no log and a row that cannot be
    scored are reported and left out. Run again with the same `out`, an audit asks a model nothing that it has
    answered. Raises `InputError` where nothing at all could be scored.
    """
    settings = settings or AuditSettings()
    read_about(out, COMMAND)
    asked = {"logs": [str(path) for path in paths]} | plain(settings) | {"prompts": PROMPT_VERSIONS}
    facts = about(COMMAND, asked, seed=settings.seed, packages=("numpy", "rapidfuzz"))
    annotations = Annotations.load(settings.annotations, key=settings.join_key) if settings.annotations else None
    sources, problems = _open_sources(paths, settings)
    out.mkdir(parents=True, exist_ok=True)
    judging = Judging(settings, out)
    rules, records = out / "by_rules.part", out / "records.jsonl"
    with Progress("scoring by rules", unit="responses") as progress, rules.open("wb") as file:
        logs, bad = score_logs(
            sources, file, annotations=annotations, workers=settings.workers, on_rows=progress.advance
        )
    logs += problems
    _tell(logs, bad, annotations)
    agreement = judging.run(rules, records, total=sum(one.rows for one in logs), timed=any(one.timed for one in logs))
    summary = summarise_runs(iterate_records(records), seed=settings.seed)
    if agreement:
        summary["agreement"] = agreement
    if settings.compare_paper:
        summary["paper"] = published_beside(benchmarks_of(summary))
    summary["logs"] = [_log_row(one, annotated=annotations is not None) for one in logs]
    summary["bad_rows"] = [{"file": str(path), "row": row, "reason": reason} for path, row, reason in bad]
    write_json(out / "summary.json", summary)
    write_json(out / "run.json", facts | {"finished": now()})
    write_report(out, videos=settings.videos)
    return summary


def _open_sources(paths: Sequence[str | Path], settings: AuditSettings) -> tuple[list[Source], list[LogFacts]]:
    """The logs that there are, and the files that are none."""
    sources: list[Source] = []
    problems: list[LogFacts] = []
    for path in paths:
        name, place = _named(path)
        for file in find_logs([place]):
            try:
                opened = open_log(file, format=settings.format, mapping=settings.mapping or None)
            except InputError as error:
                problems.append(LogFacts(file, "", problem=str(error)))
            else:
                sources.append(Source(opened, name))
    if not sources:
        more = f" (and {len(problems) - 1} more files)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0].problem}{more}" if problems else "no logs to audit: name files or folders")
    return sources, problems


def _named(path: str | Path) -> tuple[str | None, Path]:
    """`NAME=PATH`, or a path alone."""
    text = str(path)
    name, equals, rest = text.partition("=")
    if not equals or not name or Path(text).exists() or os.sep in name:
        return None, Path(text)
    return name, Path(rest)


def _tell(facts: Sequence[LogFacts], bad: Sequence[tuple[Path, int, str]], annotations: Annotations | None) -> None:
    """Say what was left out; raise where nothing is left."""
    for fact in facts:
        if fact.problem:
            log.warning("left out: %s" if not fact.rows else "read in part: %s", fact.problem)
        if fact.bad:
            first = next((f"row {row}: {reason}" for path, row, reason in bad if path == fact.path), "")
            log.warning("%s: %d rows left out, the first: %s", fact.path, fact.bad, first)
    rows = sum(fact.rows for fact in facts)
    if not rows:
        reasons = [fact.problem for fact in facts if fact.problem] + [f"{p}: row {r}: {why}" for p, r, why in bad]
        raise InputError(f"no response could be scored: {reasons[0] if reasons else 'the logs have no rows'}")
    if annotations:
        _tell_joined(facts, rows, annotations)


def _tell_joined(facts: Sequence[LogFacts], rows: int, annotations: Annotations) -> None:
    """Say how many responses annotations were found for, and why not more; raise where there are none at all."""
    joined = sum((fact.joined for fact in facts), Counter[str]())
    keys = " and ".join(f"`{key}`" for key in joined)
    said = f"{annotations.path}: {joined.total()} of {rows} responses joined" + (f" on {keys}" if keys else "")
    alone = [name for fact in facts for name in fact.alone]
    if alone:
        theirs = "; ".join(f"`{key}` {', '.join(values)}" for key, values in annotations.examples().items())
        said += f"; ids without one: {', '.join(alone[:SHOWN_IDS])}; the annotations have {theirs or 'no ids'}"
    if not joined:
        raise InputError(f"{said}; name the field that identifies a row with --join-key")
    log.log(logging.WARNING if alone else logging.INFO, "%s", said)


def _log_row(fact: LogFacts, *, annotated: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "file": str(fact.path),
        "format": fact.format,
        "run": ", ".join(fact.runs),
        "rows": fact.rows,
        "bad": fact.bad,
    }
    if annotated:
        row["joined"] = fact.joined.total()
    return row | ({"problem": fact.problem} if fact.problem else {})
