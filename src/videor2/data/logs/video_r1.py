"""Video-R1's `eval_bench` results and what descends from them, and its data with reasoning.

The response is `output` or `model_response`; the reasoning data set has `process`, a think block, and
`solution`, the answer in its tags, which together are one.
"""

import re
from pathlib import Path

from videor2.benchmarks.names import canonical
from videor2.data.logs.logged import Logged, Record, Schema, Source, first_of, ids_of, logged
from videor2.data.logs.names import by_name, display
from videor2.data.logs.values import BadRow, answer_of, named_kind, options_of, response_of, text_of

_FILE = re.compile(r"eval_(?P<dataset>[^_]+(?:_[^_]+)*?)_(?P<model>.+?)_greedy_output(?:\.json)?")


def _fits(record: Record) -> bool:
    has_response = "output" in record or "model_response" in record
    return "problem" in record and (has_response or bool(record.get("process") and record.get("solution")))


def _source(path: Path, _header: Record) -> Source:
    name = _FILE.match(path.name)
    if name:
        return Source(path, name["model"], *canonical(name["dataset"]))
    return Source(path, *by_name(path.stem))


def _read(record: Record, row: int, source: Source) -> list[Logged]:
    if "problem" not in record:
        raise BadRow(f"no `problem` (found: {', '.join(list(record)[:8])})")
    number = first_of(record, "problem_id", "question_id", "id")
    return [
        logged(
            source,
            row,
            id=row if number is None else number,
            response=_response(record),
            question=text_of(record["problem"], "problem") or "",
            options=options_of(record.get("options")),
            answer=answer_of(first_of(record, "solution", "answer"), "solution"),
            kind=named_kind(record.get("problem_type")),
            video=text_of(first_of(record, "path", "video"), "path"),
            benchmark=_data_set(record),
            task=_task(record),
            ids=ids_of(record),
        )
    ]


def _response(record: Record) -> str:
    for name in ("output", "model_response"):
        if name in record:
            text = response_of(record[name], name)
            if text.strip() == "<answer>error</answer>":
                raise BadRow("the generation failed (its output is `error`); run it again")
            return text
    process, solution = record.get("process"), record.get("solution")
    if isinstance(process, str) and process and isinstance(solution, str):
        return f"{process}\n{solution}"
    raise BadRow("no response: none of `output`, `model_response`, `process` is there")


def _data_set(record: Record) -> str | None:
    source = record.get("data_source")
    return display(source) if isinstance(source, str) and "://" not in source else None


def _task(record: Record) -> str | None:
    name = record.get("original_question_type")
    return name if isinstance(name, str) and name not in ("multiple-choice", "open-ended") else None


SCHEMA = Schema("video-r1", "`problem` and `output` or `model_response`", _fits, _read, _source)
