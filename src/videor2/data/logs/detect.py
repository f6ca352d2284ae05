"""Find logs, and find out what they are: by their content first, and then by their names."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from videor2.data.logs import archives, documents, lines, rows, tempcompass
from videor2.data.logs.log import CONTAINERS, ENTRIES, NESTED, SCHEMAS, Log, parse
from videor2.data.logs.logged import Record, Schema, Source
from videor2.data.logs.values import BadRow
from videor2.errors import InputError

logger = logging.getLogger(__name__)

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".xlsx", ".parquet", ".eval", ".txt", ".log")
_COPIES = ("_score.xlsx", "_score.tsv", "_score.csv", "_score.json", "_result.xlsx", "_result.tsv")
"""What VLMEvalKit's scorers write: the log once more, with verdicts."""
_SNIFFED_ROWS = 100
_SNIFFED_BYTES = 2**20


class NotALog(InputError):
    """A file without responses of a model: a mistake if it was named, nothing if it only lay in a folder."""


def open_log(
    path: Path | str,
    *,
    format: str | None = None,
    mapping: Mapping[str, str] | None = None,
    limit: int = lines.LINE_LIMIT,
) -> Log:
    """Find out what a file is, by its content first and then its name; `format` and `mapping` say so instead.

    `mapping` is for plain rows: our field to theirs, as in {"question": "q", "response": "model.output"}. No line
    or record of more than `limit` bytes is read. Raises InputError: one line that names the file, what was looked
    for and found, and the fix.
    """
    path = Path(path)
    mapping = dict(mapping or {})
    if format is not None and format not in SCHEMAS:
        raise InputError(f"{path}: no format `{format}`; there are: {', '.join(SCHEMAS)}")
    if mapping and format not in (None, "rows"):
        raise InputError(f"{path}: --map is for plain rows, not for {format}")
    container = _container(path)
    choose = _chooser(format, mapping)
    header: dict[str, Any] = archives.header(path) if container == "archive" else {}
    place, schema, seen = _first_fit(path, container, choose, header, limit)
    if mapping and seen is not None:
        rows.check_mapping(path, mapping, seen)
    if schema is None:
        raise _not_a_log(path, seen, format)
    source = schema.source(path, header)
    return Log(path, schema.name, replace(source, mapping=mapping) if mapping else source, container, place, limit)


def open_rows(path: Path, known: Sequence[str]) -> Log:
    """A file of rows of any shape, such as annotations; of a document, where the rows have one of these fields.

    Raises InputError where there are none.
    """
    container = _container(path)
    place: str | None = None
    if container == "document":
        rows_at = (
            p for p, record in _candidates(path, container, {}, lines.LINE_LIMIT) if not record.keys().isdisjoint(known)
        )
        try:
            place = next(rows_at)
        except StopIteration:
            raise InputError(f"{path}: no rows with any of: {', '.join(known)}") from None
    return Log(path, rows.SCHEMA.name, Source(path, path.stem), container, place)


def find_logs(paths: Sequence[Path | str]) -> list[Path]:
    """Files as they are named, and of folders, with those below them, every log, in order of their names.

    Files in a folder that are no logs are passed over. Raises InputError for a missing path and for a folder
    without logs.
    """
    logs: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = [file for file in _files(path) if _is_log(file)]
            if not inside:
                looked = ", ".join(SUFFIXES)
                raise InputError(f"{path}: a folder without logs (looked for {looked} with responses of a model)")
            logs.update(dict.fromkeys(inside))
        elif path.exists():
            logs[path] = None
        else:
            raise InputError(f"{path}: no such file or folder")
    return list(logs)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        if {"records.jsonl", "run.json"} <= set(names):  # a run of ours, whose other files say the same again
            folders[:] = []
            yield Path(parent, "records.jsonl")
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES) and not name.lower().endswith(_COPIES) and not name.startswith("."):
                yield Path(parent, name)


def _is_log(path: Path) -> bool:
    try:
        open_log(path)
    except NotALog as error:
        logger.info("passed over: %s", error)
        return False
    except InputError:  # a log, but a broken one: whoever reads it says so
        return True
    return True


def _container(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        start = file.read(_SNIFFED_BYTES)
    if not start.strip():
        raise InputError(f"{path}: the file is empty; was the run interrupted before its first row?")
    return _binary(path, start) or _text(path, start)


def _binary(path: Path, start: bytes) -> str | None:
    suffix = path.suffix.lower()
    if start.startswith(b"PK\x03\x04"):
        return "excel" if suffix in (".xlsx", ".xlsm") else "archive"
    if start.startswith(b"PAR1") or suffix == ".parquet":
        return "parquet"
    if start.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")):
        raise InputError(f"{path}: a compressed file; unpack it first")
    if suffix in (".xlsx", ".eval"):
        raise InputError(f"{path}: not a readable {suffix} file; was it cut off or renamed?")
    return None


def _text(path: Path, start: bytes) -> str:
    suffix = path.suffix.lower()
    text = start.decode(lines.encoding_of(path), errors="replace").lstrip("\ufeff \t\r\n")
    if text.startswith("["):
        return "document"
    if text.startswith("{"):
        return _lines_or_document(text, suffix, whole=len(start) < _SNIFFED_BYTES)
    if any(lines.ROLLOUT.fullmatch(line) for line in text.splitlines() if line.startswith("-----")):
        return "rollouts"
    if suffix in (".csv", ".tsv"):
        return "delimited"
    if suffix in (".jsonl", ".ndjson"):
        return "lines"
    raise NotALog(f"{path}: neither JSON, a table nor a debug log; found: {text[:40]!r}")


def _lines_or_document(text: str, suffix: str, *, whole: bool) -> str:
    """Whether an object that begins a file is its first line or the whole of it."""
    first, newline, rest = text.partition("\n")
    try:
        record = json.loads(first)
    except (ValueError, RecursionError):
        one_line = not newline and not whole
        return "lines" if suffix in (".jsonl", ".ndjson") and (one_line or newline) else "document"
    if rest.lstrip().startswith("{") or any(schema.fits(record) for schema in SCHEMAS.values()):
        return "lines"
    holds_rows = any(isinstance(value, list) and value and isinstance(value[0], dict) for value in record.values())
    by_id = suffix == ".json" and any(isinstance(value, dict) for value in record.values())
    return "document" if holds_rows or by_id else "lines"


def _chooser(format: str | None, mapping: Mapping[str, str]) -> Callable[[Record], Schema | None]:
    tried = [SCHEMAS[format]] if format else list(SCHEMAS.values())

    def choose(record: Record) -> Schema | None:
        if mapping:
            return rows.SCHEMA if any(rows.has(record, name) for name in mapping.values()) else None
        return next((schema for schema in tried if schema.fits(record)), None)

    return choose


def _first_fit(
    path: Path, container: str, choose: Callable[[Record], Schema | None], header: dict[str, Any], limit: int
) -> tuple[str | None, Schema | None, Record | None]:
    """Where the rows are, their schema, and the row that shows it; else the first row there is."""
    seen: Record | None = None
    for place, record in islice(_candidates(path, container, header, limit), _SNIFFED_ROWS):
        schema = choose(record)
        if schema:
            return place, schema, record
        seen = seen or record
    return None, None, seen


def _candidates(path: Path, container: str, header: dict[str, Any], limit: int) -> Iterator[tuple[str | None, Record]]:
    """Rows to know the schema by, and where they are. Entries of a document go to the header on the way."""
    if container != "document":
        for _, raw in CONTAINERS[container](path, limit):
            try:
                record = parse(raw) if isinstance(raw, bytes) else raw
            except BadRow:
                continue
            if isinstance(record, dict):
                yield None, record
        return
    for key, value, listed in documents.members(path, limit):
        if not isinstance(value, dict):
            continue
        if listed:
            yield key, value
        elif key is not None:
            header[key] = value
            yield ENTRIES, value
            yield from ((NESTED, item) for item in tempcompass.flatten(key, value))


def _not_a_log(path: Path, seen: Record | None, format: str | None) -> NotALog:
    if seen is None:
        return NotALog(f"{path}: no rows (looked for JSON objects or table rows); is it another kind of file?")
    if format is not None:
        return NotALog(
            f"{path}: not a log of {format}, whose rows have {SCHEMAS[format].has}; found: {rows.found(seen)}"
        )
    if any(name in seen for name in rows.NAMES["question"]):
        return NotALog(
            f"{path}: questions without a response of a model (found: {rows.found(seen)}); give it as --annotations, "
            "or name the response with --map response=FIELD"
        )
    return NotALog(
        f"{path}: no log that is known (found: {rows.found(seen)}); name its fields with "
        "--map question=FIELD --map response=FIELD, or its format with --format"
    )
