"""TempCompass's `auto_eval_results/{model}/{task}.json`: {video: {dimension: [question with its prediction]}}."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from videor2.data.logs.logged import Logged, Record, Schema, Source, logged
from videor2.data.logs.values import BadRow, answer_of, response_of, text_of

_TASKS = {
    "multi-choice": "multi_choice",
    "yes_no": "yes_no",
    "caption_matching": "caption_matching",
    "captioning": "captioning",
}
_PREDICTION = "video-llm-prediction"


def flatten(video: str, dimensions: Any) -> Iterator[dict[str, Any]]:
    """The items of one video, each with its video, dimension and number."""
    if not isinstance(dimensions, Mapping):
        return
    for dimension, items in dimensions.items():
        for number, item in enumerate(items if isinstance(items, list) else [], 1):
            if isinstance(item, Mapping):
                yield {"video": video, "dim": dimension, "number": number, **item}


def _fits(record: Record) -> bool:
    return _PREDICTION in record


def _source(path: Path, _header: Record) -> Source:
    """The task ends the file's name, and the model is the folder, or what stands before the task."""
    for name, task in _TASKS.items():
        if path.stem.endswith(name):
            model = path.stem.removesuffix(name).strip("_-").removeprefix("auto_eval_")
            return Source(path, model or path.absolute().parent.name, "TempCompass", task)
    return Source(path, path.stem, "TempCompass")


def _read(record: Record, row: int, source: Source) -> list[Logged]:
    if _PREDICTION not in record:
        raise BadRow(f"no `{_PREDICTION}` (found: {', '.join(list(record)[:8])})")
    video, dimension = record.get("video"), record.get("dim")
    return [
        logged(
            source,
            row,
            id=f"{video}/{dimension}/{record.get('number', row)}",
            response=response_of(record[_PREDICTION], _PREDICTION),
            question=text_of(record.get("question"), "question") or "",
            answer=answer_of(record.get("gt-answer"), "gt-answer"),
            video=video,
            task=source.task or dimension,
            ids={"dim": dimension},
        )
    ]


SCHEMA = Schema("tempcompass", f"`{_PREDICTION}`", _fits, _read, _source)
