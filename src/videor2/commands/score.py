"""`videor2 score METRIC`: one metric over JSON lines, one row out for each row in, in order, for pipes.

A row is read into a model that names its fields, scored by the function that reports and rewards use too, and
written with its `id`. Rows are scored in chunks, so that the sentences of many rows are embedded together.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any, Final, TextIO

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from videor2.answers import normalise_options
from videor2.errors import InputError
from videor2.sample import Kind
from videor2.scores.accuracy import accuracy
from videor2.scores.alignment import BUFFER_S, MAX_CLAIM_S, THRESHOLD, Alignment, align
from videor2.scores.consistency import consistency
from videor2.scores.embed import Embedder
from videor2.scores.format import format_score
from videor2.timeline import Claim, Event, claims, read_events
from videor2.trace import Trace

CHUNK_ROWS: Final = 256

Choices = Annotated[tuple[str, ...] | dict[str, str] | None, AfterValidator(normalise_options)]
Aligner = Callable[[Sequence[tuple[Sequence[Claim], Sequence[Event]]]], list[Alignment]]
Out = dict[str, Any]


class Row(BaseModel):
    """What every metric's rows share. Fields that a metric does not know are ignored: rows come from logs."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: Any = None


def _as_events(value: Any) -> list[Event]:
    events = read_events(value, strict=isinstance(value, list))
    if not all(math.isfinite(event.end_s) for event in events):
        raise ValueError("a time is not finite")
    return events


def _as_claims(value: Any) -> list[Claim] | None:
    if value is None:
        return None
    return [Claim(event.start_s, event.end_s, event.sentence) for event in _as_events(value)]


class AlignmentRow(Row):
    """Claims, or a response whose reasoning makes them, against reference events.

    Keys that are no time are left out with a warning, as in the published reward: a judge wrote them, and one
    slip must not end the run. Lists of seconds come from programs and must be right.
    """

    predicted: Annotated[list[Claim] | None, BeforeValidator(_as_claims)] = None
    response: str | None = None
    reference: Annotated[list[Event], BeforeValidator(_as_events)]

    @model_validator(mode="after")
    def _has_claims(self) -> "AlignmentRow":
        if self.predicted is None and self.response is None:
            raise ValueError("neither predicted nor response is there")
        return self

    def claims(self) -> list[Claim]:
        """What was predicted, else what the response's reasoning claims."""
        if self.predicted is not None:
            return self.predicted
        return claims(Trace.parse(self.response or "").think or "")


class AccuracyRow(Row):
    """A response and the right answer, null where there is none."""

    response: str
    answer: str | None
    options: Choices = ()
    kind: Kind | None = None


class FormatRow(Row):
    """A response."""

    response: str


class ConsistencyRow(Row):
    """A response, and what it was asked."""

    response: str
    question: str | None = None
    options: Choices = ()
    kind: Kind | None = None


class ClaimsRow(Row):
    """A text with timestamps."""

    text: str


def _alignment(rows: Sequence[AlignmentRow], aligner: Aligner) -> Iterator[Out]:
    for aligned in aligner([(row.claims(), row.reference) for row in rows]):
        yield asdict(aligned.score)


def _accuracy(row: AccuracyRow) -> Out:
    return asdict(accuracy(row.response, answer=row.answer, options=row.options, kind=row.kind))


def _format(row: FormatRow) -> Out:
    return asdict(format_score(row.response))


def _consistency(row: ConsistencyRow) -> Out:
    return dict(consistency(row.response, question=row.question, options=row.options, kind=row.kind).row())


def _claims(row: ClaimsRow) -> Out:
    return {"claims": [asdict(claim) for claim in claims(row.text)]}


def _one_by_one(score: Callable[[Any], Out]) -> Callable[[Sequence[Any], Aligner], Iterable[Out]]:
    return lambda rows, _: map(score, rows)


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric reads (`row`, in words in `form`) and how it scores a chunk of rows."""

    row: type[Row]
    form: str
    score: Callable[[Sequence[Any], Aligner], Iterable[Out]]


METRICS: Final[Mapping[str, Metric]] = {
    "alignment": Metric(AlignmentRow, "{predicted or response, reference}", _alignment),
    "accuracy": Metric(AccuracyRow, "{response, answer, options?, kind?}", _one_by_one(_accuracy)),
    "format": Metric(FormatRow, "{response}", _one_by_one(_format)),
    "consistency": Metric(ConsistencyRow, "{response, question?, options?, kind?}", _one_by_one(_consistency)),
    "claims": Metric(ClaimsRow, "{text}", _one_by_one(_claims)),
}


def run(
    metric: str,
    lines: Iterable[str],
    out: TextIO,
    *,
    source: str = "<stdin>",
    variant: str = "f1",
    buffer_s: float = BUFFER_S,
    threshold: float = THRESHOLD,
    max_claim_s: float = MAX_CLAIM_S,
    embedder: Embedder | None = None,
) -> int:
    """Score JSON lines and write one for each; the number of rows written.

    `variant` to `max_claim_s` are those of `scores.alignment` and touch no other metric. Blank lines are no
    rows. Raises `InputError` on an unknown metric or variant, and at the first row that cannot be read, after
    the rows before it have been written.
    """
    if metric not in METRICS:
        raise InputError(f"no metric {metric!r}; there are: {', '.join(METRICS)}")
    aligner = partial(
        align,
        variant=variant,
        buffer_s=buffer_s,
        threshold=threshold,
        max_claim_s=max_claim_s,
        embedder=embedder,
    )
    written = 0
    for rows, error in _chunks(METRICS[metric], lines, source):
        for row, scored in zip(rows, METRICS[metric].score(rows, aligner), strict=True):
            identified = {"id": row.id} if "id" in row.model_fields_set else {}
            # ASCII escapes, because the other end of a pipe may not read UTF-8 and half an emoji is no UTF-8.
            out.write(json.dumps(identified | scored) + "\n")
            written += 1
        out.flush()
        if error is not None:
            raise error
    return written


def _chunks(metric: Metric, lines: Iterable[str], source: str) -> Iterator[tuple[Sequence[Row], InputError | None]]:
    """Chunks of rows; the last one comes with the error that ends the input, if one does."""
    rows: list[Row] = []
    error, number = None, 0
    try:
        for number, line in enumerate(lines, start=1):  # noqa: B007 (the number is also used when the loop ends)
            if not line.strip():
                continue
            rows.append(read_row(metric, line))
            if len(rows) == CHUNK_ROWS:
                yield rows, None
                rows = []
    except UnicodeDecodeError as e:
        error = InputError(f"{source}: after row {number}: not UTF-8 ({e.reason}): convert it")
    except ValueError as e:
        error = InputError(f"{source}: row {number}: {e}")
    yield rows, error


def read_row(metric: Metric, line: str) -> Row:
    """One JSON line as the metric's row. Raises `ValueError` that says what is wrong and what a row is."""
    try:
        fields = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as e:
        raise ValueError(f"not JSON ({e}): write one object a line, {metric.form}") from e
    if not isinstance(fields, dict):
        raise ValueError(f"not an object but {type(fields).__name__}: write one object a line, {metric.form}")
    try:
        return metric.row.model_validate(fields)
    except ValidationError as e:
        problem = e.errors()[0]
        field = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        raise ValueError(f"{field + ': ' if field else ''}{message}: a row is {metric.form}") from e
