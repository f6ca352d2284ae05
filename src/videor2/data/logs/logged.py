"""What a log's row becomes, whoever wrote it: a question, what is known about it, and one response."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from videor2.data.logs.prompts import split_options
from videor2.data.logs.values import BadRow, kind_of, short, solve
from videor2.sample import Kind, Sample

Record = Mapping[str, Any]
"""A parsed row: a JSON object, or a table's row by column."""
Raw = bytes | dict[str, Any] | BadRow
"""A row as it is cut out of its file, before the work of reading it."""

KEYS = ("question_id", "id", "problem_id", "uid", "uuid", "qid", "index", "sample_id", "question_idx", "idx")
"""What data sets call a question's own number, the most telling first."""


@dataclass(frozen=True, slots=True)
class Logged:
    """One response of a log, and what it answers."""

    sample: Sample
    response: str
    run: str = ""
    """The model, where row, header or path name it; else the file's stem."""
    row: int = 0
    """Line of a JSON Lines, CSV or text file, else the number of the record in the file; from 1."""


@dataclass(frozen=True, slots=True)
class Source:
    """What the file says of all its rows, by its name, its folder or its header."""

    path: Path
    run: str
    benchmark: str = ""
    task: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Our field to theirs, for plain rows."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One writer's rows: how to know one, and how to read it into responses."""

    name: str
    has: str
    """What a row of it has, for messages."""
    fits: Callable[[Record], bool]
    read: Callable[[Record, int, Source], list[Logged]]
    """Raises BadRow."""
    source: Callable[[Path, Record], Source]
    """From the file's path and what its header says."""


def logged(
    source: Source,
    row: int,
    *,
    id: Any,
    response: str,
    question: str = "",
    options: Sequence[str] = (),
    answer: str | None = None,
    kind: Kind | None = None,
    ids: Record | None = None,
    **fields: Any,
) -> Logged:
    """A response with its sample. Options that are not given are recovered from the question's text.

    `ids` are the row's fields by which annotations may be joined; they go to the sample's `meta`. Raises BadRow
    where the answer is none of the options, or a text is not valid Unicode. What the source says of benchmark and
    task goes before what the row says.
    """
    stem, listed = split_options(question)
    if options:
        question = stem if listed == tuple(options) else question  # else it lists other things
        answer, options, kind = solve(answer, tuple(options), kind)
    elif listed:
        try:
            answer, options, kind = solve(answer, listed, kind)
            question = stem if options else question
        except BadRow:  # an enumeration in the question, not its options
            kind = kind_of(answer, kind)
    else:
        answer, options, kind = solve(answer, (), kind)
    run = fields.pop("run", None) or source.run
    for name, said in (("benchmark", source.benchmark), ("task", source.task)):
        fields[name] = said or fields.get(name) or ""
    if kind == "number" and fields["benchmark"] == "VSI-Bench":
        kind = "regression"  # its numbers are measured with a tolerance
    try:
        response.encode()  # bytes that are not UTF-8 came through as lone surrogates
        sample = Sample(
            id=str(id), question=question, options=tuple(options), answer=answer, kind=kind,
            meta=dict(ids) if ids else {}, **fields,
        )  # fmt: skip
    except UnicodeEncodeError:
        raise BadRow("the response holds bytes that are not UTF-8; save the file as UTF-8") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise BadRow(f"`{'.'.join(map(str, first['loc']))}` {short(first['input'])}: {first['msg']}") from None
    return Logged(sample, response, str(run), row)


def ids_of(record: Record) -> dict[str, Any]:
    """The fields of a row by which it may be joined with annotations."""
    ids = {}
    for key in KEYS:
        value = record.get(key)
        if value is not None and value != "" and isinstance(value, (str, int)):
            ids[key] = value
    return ids


def first_of(record: Record, *names: str) -> Any:
    """The first of these fields that is there and not null."""
    for name in names:
        value = record.get(name)
        if value is not None:
            return value
    return None
