"""Plain rows: a question and a response under names that people use, or under the names that a mapping gives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videor2.data.logs.logged import KEYS, Logged, Record, Schema, Source, ids_of, logged
from videor2.data.logs.messages import completion_text, prompt_text
from videor2.data.logs.names import by_name, display
from videor2.data.logs.values import (
    BadRow,
    answer_of,
    literal,
    named_kind,
    options_of,
    response_of,
    text_of,
    with_think,
)
from videor2.errors import InputError
from videor2.timeline import Event, read_events

NAMES: dict[str, tuple[str, ...]] = {
    "response": (
        "response", "model_response", "model_output", "output", "prediction", "pred", "completion", "generation",
        "generated_text", "model_prediction", "predicted_answer", "raw_output",
    ),
    "question": ("question", "problem", "query", "prompt", "input", "instruction"),
    "answer": (
        "answer", "ground_truth", "gt", "gt_answer", "gt-answer", "solution", "correct_answer", "target", "reference",
        "label", "correct_choice",
    ),
    "options": ("options", "candidates", "choices"),
    "id": KEYS,
    "video": ("video", "video_path", "path", "videoID", "video_id", "video_name"),
    "benchmark": ("benchmark", "dataset", "data_source"),
    "task": ("task", "task_type", "category"),
    "kind": ("kind", "problem_type", "question_type"),
    "model": ("model", "model_name", "run"),
    "events": ("events", "timeline"),
    "duration": ("duration_s", "duration"),
    "thinking": ("thinking", "reasoning_content"),
}  # fmt: skip
"""Our fields and the names that they go by, the most telling first."""


def field_of(record: Record, name: str, mapping: Mapping[str, str]) -> Any:
    """A field by its mapped name (`doc.question` looks inside objects), else by the first known name there is."""
    if name in mapping:
        return _inside(record, mapping[name])
    for known in NAMES[name]:
        value = record.get(known)
        if value is not None:
            return value
    return None


def check_mapping(path: Path, mapping: Mapping[str, str], record: Record) -> None:
    """Raises InputError where a mapping names a field of ours or of theirs that does not exist."""
    for ours, theirs in mapping.items():
        if ours not in NAMES:
            raise InputError(f"{path}: no field `{ours}` to map; there are: {', '.join(NAMES)}")
        if not has(record, theirs):
            raise InputError(f"{path}: --map {ours}={theirs}: no such field; found: {found(record)}")


def has(record: Record, name: str) -> bool:
    """Whether a row has a field, or the object that a dotted name looks into."""
    return name in record or name.split(".", maxsplit=1)[0] in record


def asked(record: Record, mapping: Mapping[str, str]) -> dict[str, Any]:
    """What a row says of its question, as arguments of `logged`; the response is not among them.

    Raises BadRow, naming the field.
    """
    question = field_of(record, "question", mapping)
    kind = field_of(record, "kind", mapping)
    benchmark = field_of(record, "benchmark", mapping)
    duration = field_of(record, "duration", mapping)
    answer = field_of(record, "answer", mapping)
    return {
        "question": prompt_text(question) if isinstance(question, list) else text_of(question, "question") or "",
        "options": options_of(field_of(record, "options", mapping)) or _numbered_options(record),
        "answer": answer_of(literal(answer) if isinstance(answer, str) and answer.startswith("['") else answer),
        "kind": named_kind(kind),
        "video": text_of(field_of(record, "video", mapping), "video"),
        "benchmark": display(str(benchmark)) if benchmark is not None else "",
        "task": text_of(field_of(record, "task", mapping), "task"),
        "duration_s": _seconds(duration),
        "events": _events(field_of(record, "events", mapping)),
        "ids": ids_of(record),
    }


def found(record: Record) -> str:
    """The names of a row's fields, for a message."""
    names = [str(name) for name in record]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") if names else "nothing"


def _fits(record: Record) -> bool:
    """A response, and a question or what annotations may find one by."""
    named = (*NAMES["question"], *KEYS)
    return any(record.get(name) is not None for name in NAMES["response"]) and any(name in record for name in named)


def _source(path: Path, _header: Record) -> Source:
    return Source(path, *by_name(path.stem))


def _read(record: Record, row: int, source: Source) -> list[Logged]:
    mapping = source.mapping
    said = field_of(record, "response", mapping)
    name = mapping.get("response", "response")
    if said is None and name not in record and not any(n in record for n in NAMES["response"]):
        raise BadRow(f"no field with a response (found: {found(record)}); is this a row of another log?")
    text = completion_text(said) if isinstance(said, list) else response_of(said, name)
    if "<think" not in text:
        text = with_think(field_of(record, "thinking", mapping), text)
    number = field_of(record, "id", mapping)
    model = text_of(field_of(record, "model", mapping), "model")
    fields = asked(record, mapping)
    return [logged(source, row, id=row if number is None else number, response=text, run=model, **fields)]


def _inside(record: Record, name: str) -> Any:
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _numbered_options(record: Record) -> tuple[str, ...]:
    """Options in columns of their own: A, B, C, ... or option0, option1, ..."""
    for names in ([*"ABCDEFGHIJ"], [f"option{i}" for i in range(10)]):
        texts = [text_of(record.get(name), name) for name in names]
        if texts[0] and texts[1]:
            return options_of([text for text in texts if text])
    return ()


def _seconds(value: Any) -> float | None:
    """A duration in seconds; data sets also write "short" there."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if seconds > 0 else None


def _events(value: Any) -> tuple[Event, ...]:
    if isinstance(value, str):
        value = literal(value)
    if value is None or value == "":
        return ()
    try:
        return tuple(read_events(value))
    except ValueError as error:
        raise BadRow(f"events: {error}") from None


SCHEMA = Schema("rows", "a question and a response under well-known names", _fits, _read, _source)
