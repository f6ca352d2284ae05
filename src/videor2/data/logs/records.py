"""Our own `records.jsonl`: a sample's fields, the response, and the scores of an earlier run, which are not read.

What was measured before and after training, or decoded in two ways, are runs of their own.
"""

from pathlib import Path

from pydantic import ValidationError

from videor2.data.logs.logged import Logged, Record, Schema, Source, ids_of
from videor2.data.logs.values import BadRow, response_of
from videor2.sample import Sample

_FIELDS = frozenset(Sample.model_fields) - {"meta"}


def _fits(record: Record) -> bool:
    ours = "scores" in record or "kind" in record or "benchmark" in record
    return ours and "id" in record and "question" in record and "response" in record


def _source(path: Path, _header: Record) -> Source:
    return Source(path, path.absolute().parent.name if path.stem == "records" else path.stem)


def _read(record: Record, row: int, source: Source) -> list[Logged]:
    response = response_of(record.get("response"))
    try:
        sample = Sample.model_validate({key: record[key] for key in _FIELDS & record.keys()} | {"meta": ids_of(record)})
    except ValidationError as error:
        first = error.errors()[0]
        raise BadRow(f"`{'.'.join(map(str, first['loc']))}`: {first['msg']}") from None
    told = [str(record[name]) for name in ("phase", "decoding") if record.get(name)]
    return [Logged(sample, response, ", ".join(told) or str(record.get("model") or source.run), row)]


SCHEMA = Schema("videor2", "`id`, `question`, `response` and `scores`", _fits, _read, _source)
