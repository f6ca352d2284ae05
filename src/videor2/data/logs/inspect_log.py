"""Logs of Inspect: `.eval` archives and `.json` files, of runs that ended and of runs that did not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videor2.benchmarks.names import canonical
from videor2.data.logs.logged import Logged, Record, Schema, Source, ids_of, logged
from videor2.data.logs.messages import message_text, prompt_text
from videor2.data.logs.prompts import question_of
from videor2.data.logs.values import BadRow, answer_of, options_of, short

_ATTACHMENT = "attachment://"


def _fits(record: Record) -> bool:
    return "epoch" in record and "output" in record and "input" in record


def _source(path: Path, header: Record) -> Source:
    run = header.get("eval")
    about: Record = run if isinstance(run, Mapping) else {}
    benchmark, task = canonical(str(about.get("task") or "").rsplit("/", 1)[-1])
    return Source(path, str(about.get("model") or path.stem), benchmark, task)


def _read(record: Record, row: int, source: Source) -> list[Logged]:
    output = record.get("output")
    choices = output.get("choices") if isinstance(output, Mapping) else None
    if not isinstance(choices, list) or not choices:
        error = record.get("error")
        why = error.get("message") if isinstance(error, Mapping) else "its output has no choices"
        raise BadRow(f"no response: {short(why, 120)}")
    attached = record.get("attachments")
    known: Mapping[str, Any] = attached if isinstance(attached, Mapping) else {}
    question = prompt_text(record.get("input"))
    asked: dict[str, Any] = {
        "question": question_of(str(_resolved(question, known))),
        "options": options_of(record.get("choices")),
        "answer": answer_of(record.get("target"), "target"),
        "ids": ids_of(record),
    }
    epoch = record.get("epoch")
    first = f"{record.get('id')}" if epoch in (1, None) else f"{record.get('id')}#{epoch}"
    said = [choice.get("message") for choice in choices if isinstance(choice, Mapping)]
    texts = [message_text(_attached(message, known)) for message in said if isinstance(message, Mapping)]
    return [
        logged(source, row, id=first if n == 1 else f"{first}#{n}", response=text, **asked)
        for n, text in enumerate(texts, 1)
    ]


def _attached(message: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message with the long texts that the log keeps apart put back."""
    content = message.get("content")
    if isinstance(content, list):
        content = [
            {key: _resolved(value, known) for key, value in block.items()} if isinstance(block, Mapping) else block
            for block in content
        ]
    return {**message, "content": _resolved(content, known)}


def _resolved(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and value.startswith(_ATTACHMENT):
        return known.get(value.removeprefix(_ATTACHMENT), value)
    return value


SCHEMA = Schema("inspect", "`input`, `output` and `epoch`", _fits, _read, _source)
