"""All samples of a page, read once and written as they are read: an index to filter by, and the texts.

A page may hold a hundred thousand responses, so they are never in memory together: every `CHUNK` records become two
chunks of data (`embedded`). The page reads the index when it opens, and texts when it shows or searches them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup
from pydantic_core import from_json

from videor2.report.clips import Library, sources
from videor2.report.embedded import chunk, to_json
from videor2.report.run import ReportError, to_fields, to_mapping, to_number
from videor2.summary import verdict

CHUNK: Final = 256
BEGINNING: Final = 110
"""Characters of a question in the table."""

CODED: Final = ("run", "benchmark", "task", "verdict", "state", "judge")
"""Columns with few values: the index holds numbers, and the page's names what they stand for."""


@dataclass(frozen=True, slots=True)
class Source:
    """Records to show: the run directory, the names of its runs on the page, and where its clips are."""

    folder: Path
    labels: Mapping[str, str]
    library: Library


@dataclass(slots=True)
class _Codes:
    """Numbers for the values of the coded columns, in the order in which they come up."""

    numbers: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in CODED})
    clips: dict[tuple[str, int], int] = field(default_factory=dict)

    def of(self, column: str, value: str) -> int:
        known = self.numbers[column]
        return known.setdefault(value, len(known))


def chunks(sources_: Sequence[Source], page: Path) -> Iterator[Markup]:
    """The chunks of all records: `index` and `texts` by turns, then one `names`.

    Raises `ReportError` at a line that is no record.
    """
    codes = _Codes()
    columns, texts = _columns(), list[bytes]()
    for which, source in enumerate(sources_):
        for fields, text in _records(source.folder / "records.jsonl"):
            _add(columns, fields, source, which, codes)
            texts.append(text)
            if len(texts) == CHUNK:
                yield from _full(columns, texts)
                columns, texts = _columns(), []
    if texts:
        yield from _full(columns, texts)
    clips = sources([(name, sources_[which].library) for name, which in codes.clips], page)
    names: dict[str, Any] = {column: list(numbers) for column, numbers in codes.numbers.items()}
    yield chunk("names", to_json(names | {"clips": [{"src": c.src, "name": c.name, "note": c.note} for c in clips]}))


def _full(columns: dict[str, list[Any]], texts: list[bytes]) -> Iterator[Markup]:
    yield chunk("index", to_json(columns))
    yield chunk("texts", b"[" + b",".join(texts) + b"]")


def _columns() -> dict[str, list[Any]]:
    return {name: [] for name in (*CODED, "id", "accuracy", "question", "clip")}


def _records(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The fields of each record, and its JSON as the page gets it: as written where browsers read that too."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.strip()
            if not text:
                continue
            where = f"{path}: row {number}"
            try:
                fields = from_json(text, allow_inf_nan=False)
            except ValueError:  # no JSON at all, or what only Python reads: NaN, half a surrogate pair
                fields = to_fields(text, where)
                text = to_json(fields)
            if not isinstance(fields, dict) or fields.get("id") is None:
                raise ReportError(f"{where}: no `id`; write one that tells the question apart")
            try:
                fields["verdict"] = verdict(fields)
            except (KeyError, TypeError) as error:
                raise ReportError(f"{where}: no record of an audit or evaluation ({error!r})") from None
            yield fields, text


def _add(columns: dict[str, list[Any]], fields: dict[str, Any], source: Source, which: int, codes: _Codes) -> None:
    scores = to_mapping(fields.get("scores"))
    consistency = to_mapping(scores.get("consistency"))
    model = str(fields.get("model") or "")
    coded = {
        "run": source.labels.get(model, model),
        "benchmark": str(fields.get("benchmark") or ""),
        "task": str(fields.get("task") or ""),
        "verdict": str(fields["verdict"]),
        "state": str(fields.get("state") or ""),
        "judge": str(consistency.get("judge") or ""),
    }
    for column, value in coded.items():
        columns[column].append(codes.of(column, value))
    columns["id"].append(str(fields["id"]))
    columns["accuracy"].append(to_number(to_mapping(scores.get("accuracy")).get("value")))
    columns["question"].append(" ".join(str(fields.get("question") or "")[: 2 * BEGINNING].split())[:BEGINNING])
    clip = fields.get("video")
    columns["clip"].append(codes.clips.setdefault((str(clip), which), len(codes.clips)) if clip else -1)
