"""Read a run directory: what was run, its summary, its training history, and an index of its records.

`records.jsonl` of a whole evaluation is large, so it is read line by line and only what choosing needs is kept
in memory; `Run.record` reads one row in full.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from videor2.errors import InputError


class ReportError(InputError):
    """A run directory that cannot be read."""


def to_number(value: Any) -> float | None:
    """A finite number; JSON has no NaN, but Python's writer does."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


Number = Annotated[float | None, BeforeValidator(to_number)]
Time = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Lenient(BaseModel):
    """A part of a record: what is absent is empty, what is unknown is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Moment(_Lenient):
    """An event of the reference timeline, in seconds."""

    start_s: Time
    end_s: Time
    sentence: str = ""


class Claimed(Moment):
    """A timestamped claim of a response; `event` is the index of the event that it matched, None for no match.

    Where `event` was never written, nothing is known about a match: it is not in `model_fields_set`.
    """

    event: int | None = None


class Scored(_Lenient):
    """One metric's score of one response. The last three are those of consistency."""

    value: Number = None
    status: str = ""
    detail: str = ""
    conclusion: Any = None
    answer: Any = None
    evidence: str | None = None


class Record(_Lenient):
    """One response and its scores: a row of `records.jsonl`."""

    id: str
    benchmark: str = ""
    task: str = ""
    question: str = ""
    options: tuple[str, ...] = ()
    answer: str | None = None
    kind: str | None = None
    video: str | None = None
    duration_s: Number = None
    events: tuple[Moment, ...] = ()
    response: str = ""
    model: str = ""
    phase: str | None = None
    decoding: str | None = None
    claims: tuple[Claimed, ...] = ()
    scores: dict[str, Scored] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """What choosing samples needs of a record, and where in the file the rest is."""

    number: int
    offset: int
    benchmark: str
    id: str
    task: str
    video: str
    phase: str | None
    decoding: str | None
    accuracy: float | None
    consistency: float | None
    alignment_f1: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval and, where a metric can abstain, the share of rows that it covers."""

    mean: float
    low: float | None = None
    high: float | None = None
    coverage: float | None = None

    @property
    def clear(self) -> bool:
        """Is the mean further from 0 than half the interval's width? False without an interval."""
        return self.low is not None and self.high is not None and abs(self.mean) > (self.high - self.low) / 2


Metrics = Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Run:
    """The files of a run directory, each empty where the run did not write it."""

    folder: Path
    info: Mapping[str, Any]
    summary: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...]
    rows: tuple[Row, ...]

    @property
    def compared(self) -> bool:
        """Was the model measured before and after training?"""
        return isinstance(self.summary.get("before"), Mapping) or {"before", "after"} <= {r.phase for r in self.rows}

    def metrics(self, *path: str) -> Metrics:
        """The estimates at a place in the summary, such as `("sampled", "before")`; empty where there are none."""
        return to_estimates(_at(self.summary, path))

    def by_task(self, *path: str) -> Mapping[str, Metrics]:
        """The estimates of each task at a place in the summary."""
        tasks = {name: to_estimates(part) for name, part in _at(self.summary, path).items()}
        return {name: metrics for name, metrics in tasks.items() if metrics}

    def record(self, row: Row) -> Record:
        """The whole record of an indexed row."""
        path = self.folder / "records.jsonl"
        with path.open("rb") as file:
            file.seek(row.offset)
            fields = to_fields(file.readline(), f"{path}: row {row.number}")
        # A response may hold half of a surrogate pair, which is no text: it becomes a question mark.
        text = json.dumps(fields, ensure_ascii=False).encode("utf-8", errors="replace")
        try:
            return Record.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ReportError(f"{path}: row {row.number}: `{where}`: {first['msg']}") from None


def read_run(folder: Path) -> Run:
    """Read a run directory. Raises ReportError where it is none, or a file in it is broken."""
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such directory; pass the directory that a videor2 command wrote to")
    names = ("summary.json", "records.jsonl")
    if not any((folder / name).exists() for name in names):
        raise ReportError(f"{folder}: neither {' nor '.join(names)}; pass the directory of a finished run")
    return Run(
        folder,
        read_object(folder / "run.json"),
        read_object(folder / "summary.json"),
        tuple(fields for _, _, fields in read_lines(folder / "history.jsonl")),
        tuple(_index(folder / "records.jsonl")),
    )


def _index(path: Path) -> Iterator[Row]:
    for number, offset, fields in read_lines(path):
        if fields.get("id") is None:
            raise ReportError(f"{path}: row {number}: no `id`; write one that tells the question apart")
        scores = fields.get("scores")
        values = [
            to_number(score.get("value")) if isinstance(score, Mapping) else None
            for score in (
                (scores if isinstance(scores, Mapping) else {}).get(name)
                for name in ("accuracy", "consistency", "alignment_f1")
            )
        ]
        text = {name: str(fields.get(name) or "") for name in ("benchmark", "id", "task", "video")}
        yield Row(number, offset, **text, phase=fields.get("phase"), decoding=fields.get("decoding"),
                  accuracy=values[0], consistency=values[1], alignment_f1=values[2])  # fmt: skip


def read_lines(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Row number, byte offset and fields of each line; nothing where there is no file."""
    if not path.exists():
        return
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, offset, to_fields(line, f"{path}: row {number}")
            offset += len(line)


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no file."""
    return to_fields(path.read_bytes(), str(path)) if path.exists() else {}


def to_fields(text: bytes, where: str) -> dict[str, Any]:
    """The object that a JSON text says, which `where` names in errors."""
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise ReportError(f"{where}: not JSON ({error}); was the run cut off? Resume it") from None
    if not isinstance(fields, dict):
        raise ReportError(f"{where}: not an object but {type(fields).__name__}")
    return fields


def _at(fields: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    for key in path:
        fields = to_part(fields, key)
    return fields


def to_mapping(value: Any) -> Mapping[str, Any]:
    """An object of JSON; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def to_part(fields: Any, key: str) -> Mapping[str, Any]:
    """The object under a key of an object; empty where there is none."""
    return to_mapping(to_mapping(fields).get(key))


def to_estimates(fields: Any) -> dict[str, Estimate]:
    """The estimates among the parts of a summary, by metric; parts without a mean are left out."""
    found = {}
    for name, part in fields.items() if isinstance(fields, Mapping) else ():
        mean = to_number(part.get("mean")) if isinstance(part, Mapping) else None
        if mean is not None:
            found[name] = Estimate(mean, *(to_number(part.get(key)) for key in ("low", "high", "coverage")))
    return found
