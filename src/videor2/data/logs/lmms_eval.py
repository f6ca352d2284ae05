"""lmms-eval's `*_samples_{task}.jsonl`, in the three shapes that its versions wrote.

- up to 0.3.5, and in forks of it: with the question's `doc`;
- 0.4 to 0.6: without it; the question is in `input`;
- from 0.7 on: `filtered_resps` has lost its think block, which is in `resps` alone.

`resps` is left out where it says the same as `filtered_resps`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from videor2.benchmarks.names import canonical
from videor2.data.logs.logged import Logged, Record, Schema, Source, first_of, ids_of, logged
from videor2.data.logs.messages import prompt_text
from videor2.data.logs.prompts import question_of
from videor2.data.logs.values import BadRow, answer_of, named_kind, options_of

_FILE = re.compile(r"(?:.*?_)?samples_(.+)\.jsonl", re.IGNORECASE)
_VIDEO = ("video", "videoID", "video_name", "video_id", "video_path")
_TASK = ("task_type", "question_category", "question_type", "task_category", "category")


def _fits(record: Record) -> bool:
    return "doc_id" in record and ("filtered_resps" in record or "resps" in record)


def _source(path: Path, _header: Record) -> Source:
    name = _FILE.fullmatch(path.name)
    benchmark, task = canonical(name[1] if name else path.stem)
    return Source(path, path.absolute().parent.name or path.stem, benchmark, task)


def _read(record: Record, row: int, source: Source) -> list[Logged]:
    responses = _texts(record.get("resps")) or _texts(record.get("filtered_resps"))
    if not responses:
        raise BadRow(f"no text in `resps` or `filtered_resps` (found: {', '.join(list(record)[:8])})")
    doc = record.get("doc")
    asked = _from_doc(doc, record) if isinstance(doc, Mapping) else _from_input(record)
    ids = {"doc_id": record.get("doc_id"), **asked.pop("ids")}
    return [
        logged(source, row, id=record.get("doc_id") if n == 1 else f"{record.get('doc_id')}#{n}",
               response=response, ids=ids, **asked)
        for n, response in enumerate(responses, 1)
    ]  # fmt: skip


def _texts(value: Any) -> list[str]:
    """The responses in str | [str] | [[str]]; a question's repeats are several."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return []
    return [text for part in value for text in _texts(part)]


def _from_doc(doc: Record, record: Record) -> dict[str, Any]:
    options = options_of(first_of(doc, "options", "candidates", "choices")) or _numbered_options(doc)
    answer = first_of(doc, "correct_choice", "ground_truth", "answer")
    if answer is None:
        answer = _target(record)
    elif answer in range(len(options)) and "correct_choice" in doc:
        answer = ascii_uppercase[answer]
    question = first_of(doc, "question", "problem")
    return {
        "question": question if isinstance(question, str) else question_of(prompt_text(record.get("input"))),
        "options": options,
        "answer": answer_of(answer),
        "kind": named_kind(doc.get("question_type")),
        "video": _name(first_of(doc, *_VIDEO)),
        "task": _name(first_of(doc, *_TASK)),
        "ids": ids_of(doc),
    }


def _from_input(record: Record) -> dict[str, Any]:
    """The question out of the prompt; of its place in the benchmark, what the task's own scorer noted."""
    noted: Record = next((v for v in record.values() if isinstance(v, Mapping) and "question_id" in v), {})
    media = record.get("input_media")
    return {
        "question": question_of(prompt_text(record.get("input"))),
        "answer": answer_of(_target(record), "target"),
        "kind": named_kind(noted.get("question_type")),
        "video": _name(media[0]) if isinstance(media, list) and media else _name(first_of(noted, *_VIDEO)),
        "task": _name(first_of(noted, *_TASK)),
        "ids": ids_of(noted),
    }


def _target(record: Record) -> Any:
    """The target, which is written as Python prints it."""
    target = record.get("target")
    return None if target in ("None", "nan", "") else target


def _numbered_options(doc: Record) -> tuple[str, ...]:
    """LongVideoBench's `option0` to `option4`."""
    return options_of([doc.get(f"option{i}") for i in range(10)])


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


SCHEMA = Schema("lmms-eval", "`doc_id` and `filtered_resps`", _fits, _read, _source)
