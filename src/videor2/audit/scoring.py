"""Score the rows of logs, response by response, in one process or several.

The parent cuts rows out of files, which is cheap; parsing, scoring and writing out as JSON is done in batches, by
worker processes where there are some. What comes back is bytes, in the order of the rows.
"""

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, Final

from videor2.data.logs import Annotations, BadRow, Log
from videor2.errors import InputError
from videor2.records import line, measure

log = logging.getLogger(__name__)

BATCH_ROWS: Final = 256
BATCH_BYTES: Final = 1 << 20
LONG_LOGS: Final = 24 << 20
"""Bytes of logs from which processes of their own pay: each takes a second to start."""
SHOWN_IDS: Final = 3
MOST_BAD_ROWS: Final = 100
"""So many are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Source:
    """A log to score. `run` names its run, where the user did; else the log itself says."""

    log: Log
    run: str | None = None


@dataclass(slots=True)
class LogFacts:
    """What became of a log: responses that were scored, rows that could not be, responses with a reference timeline.

    `joined` counts the responses that annotations were found for, by the field that they were found by; `alone` are
    the first ids for which there were none.
    """

    path: Path
    format: str
    rows: int = 0
    bad: int = 0
    joined: Counter[str] = field(default_factory=Counter)
    alone: list[str] = field(default_factory=list)
    timed: int = 0
    problem: str = ""
    runs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch of rows, scored: records as lines of JSON, and what went wrong as (row, reason)."""

    lines: bytes
    rows: int
    joined: Counter[str]
    alone: tuple[str, ...]
    timed: int
    runs: tuple[str, ...]
    bad: tuple[tuple[int, str], ...]


Rows = list[tuple[int, Any]]


def score_rows(source: Source, annotations: Annotations | None, rows: Rows) -> Scored:
    """Score a batch of a log's raw rows. Pure: what a worker process does."""
    lines: list[bytes] = []
    bad: list[tuple[int, str]] = []
    runs: dict[str, None] = {}
    joined: Counter[str] = Counter()
    alone: list[str] = []
    timed = 0
    for number, raw in rows:
        try:
            responses = source.log.read(number, raw)
        except BadRow as error:
            bad.append((number, str(error)))
            continue
        for one in responses:
            known = annotations.join(one) if annotations else None
            if known:
                joined[known.sample.meta["joined_on"]] += 1
            elif annotations and len(alone) < SHOWN_IDS:
                alone.append(one.sample.id)
            row = known or one
            timed += bool(row.sample.events)
            run = source.run or row.run
            runs[run] = None
            origin = {"model": run, "log": {"file": str(source.log.path), "row": number}}
            lines.append(line(measure(row.sample, row.response, untagged=True) | origin))
    return Scored(b"".join(lines), len(lines), joined, tuple(alone), timed, tuple(runs), tuple(bad))


def score_logs(
    logs: Sequence[Source],
    out: BinaryIO,
    *,
    annotations: Annotations | None = None,
    workers: int | None = None,
    on_rows: Callable[[int], None] = lambda n: None,
) -> tuple[list[LogFacts], list[tuple[Path, int, str]]]:
    """Write a record for each response of the logs to `out`; what became of each log, and the first bad rows.

    A log that cannot be read to its end keeps the rows before, and says why in `problem`.
    """
    facts = {id(source): LogFacts(source.log.path, source.log.format) for source in logs}
    bad: list[tuple[Path, int, str]] = []
    for source, scored in _scored(_batches(logs, facts), annotations, _workers(workers, logs)):
        fact = facts[id(source)]
        out.write(scored.lines)
        fact.rows += scored.rows
        fact.joined += scored.joined
        fact.alone += scored.alone[: SHOWN_IDS - len(fact.alone)]
        fact.timed += scored.timed
        fact.bad += len(scored.bad)
        fact.runs = list(dict.fromkeys([*fact.runs, *scored.runs]))
        bad += [(source.log.path, *one) for one in scored.bad[: MOST_BAD_ROWS - len(bad)]]
        on_rows(scored.rows)
    return list(facts.values()), bad


def _batches(logs: Iterable[Source], facts: dict[int, LogFacts]) -> Iterator[tuple[Source, Rows]]:
    for source in logs:
        rows: Rows = []
        size = 0
        try:
            for number, raw in source.log.rows():
                rows.append((number, raw))
                size += len(raw) if isinstance(raw, bytes) else 0
                if len(rows) >= BATCH_ROWS or size >= BATCH_BYTES:
                    yield source, rows
                    rows, size = [], 0
        except InputError as error:
            facts[id(source)].problem = str(error)
        if rows:
            yield source, rows


def _scored(
    batches: Iterable[tuple[Source, Rows]], annotations: Annotations | None, workers: int
) -> Iterator[tuple[Source, Scored]]:
    """Score batches in order; in other processes, a few batches ahead of what is written."""
    if workers == 1:
        for source, rows in batches:
            yield source, score_rows(source, annotations, rows)
        return
    waiting: deque[tuple[Source, Future[Scored]]] = deque()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start, initargs=(annotations,)) as pool:
        for source, rows in batches:
            waiting.append((source, pool.submit(_work, source, rows)))
            if len(waiting) > 3 * workers:
                first, done = waiting.popleft()
                yield first, done.result()
        while waiting:
            first, done = waiting.popleft()
            yield first, done.result()


_annotations: Annotations | None = None
"""In a worker process: sent once, not with every batch."""


def _start(annotations: Annotations | None) -> None:
    global _annotations  # noqa: PLW0603
    _annotations = annotations


def _work(source: Source, rows: Rows) -> Scored:
    return score_rows(source, _annotations, rows)


def _workers(wanted: int | None, logs: Sequence[Source]) -> int:
    if wanted is not None:
        return wanted
    size = sum(source.log.path.stat().st_size for source in logs)
    return min(os.cpu_count() or 1, 8) if size >= LONG_LOGS else 1
