"""VLMEvalKit's `{model}_{dataset}` tables (xlsx, tsv, csv, json): a data set's columns, `index`, `prediction`."""

from pathlib import Path

from videor2.benchmarks.names import canonical
from videor2.data.logs.logged import Logged, Record, Schema, Source, first_of, ids_of, logged
from videor2.data.logs.names import by_name
from videor2.data.logs.values import BadRow, answer_of, named_kind, options_of, response_of, text_of, with_think

_FAILED = "Failed to obtain answer via API"


def _fits(record: Record) -> bool:
    return "prediction" in record and "index" in record


def _source(path: Path, _header: Record) -> Source:
    """Its files lie in a folder of the model's name, mostly; else the known end of the name is the data set."""
    stem = path.stem
    for folder in path.absolute().parents:
        if folder.name and stem.startswith(f"{folder.name}_"):
            return Source(path, folder.name, *canonical(stem[len(folder.name) + 1 :]))
    model, benchmark, task = by_name(stem)
    if benchmark:
        return Source(path, model, benchmark, task)
    model, _, dataset = stem.rpartition("_")
    return Source(path, model or stem, dataset if model else "")


def _read(record: Record, row: int, source: Source) -> list[Logged]:
    if "prediction" not in record:
        raise BadRow(f"no `prediction` (found: {', '.join(map(str, list(record)[:8]))})")
    text = response_of(record["prediction"], "prediction")
    if text.startswith(_FAILED):
        raise BadRow(f"the model gave no answer ({_FAILED!r}); run it again")
    number = first_of(record, "index", "question_id", "id")
    options = options_of(first_of(record, "candidates", "options", "choices")) or _lettered_options(record)
    return [
        logged(
            source,
            row,
            id=row if number is None else number,
            response=with_think(record.get("thinking"), text),
            question=text_of(record.get("question"), "question") or "",
            options=options,
            answer=answer_of(record.get("answer")),
            kind=named_kind(record.get("question_type")),
            video=text_of(first_of(record, "video", "video_path"), "video"),
            task=text_of(first_of(record, "task_type", "dim", "category"), "task"),
            ids=ids_of(record),
        )
    ]


def _lettered_options(record: Record) -> tuple[str, ...]:
    """Columns A, B, C, ... up to the first empty one."""
    texts = []
    for letter in "ABCDEFGHIJ":
        text = text_of(record.get(letter), letter)
        if not text:
            break
        texts.append(text)
    return options_of(texts) if len(texts) > 1 else ()


SCHEMA = Schema("vlmevalkit", "`index` and `prediction`", _fits, _read, _source)
