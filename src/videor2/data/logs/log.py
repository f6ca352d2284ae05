"""A log: a container that rows are cut out of, and the schema of the rows in it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videor2.data.logs import (
    archives,
    debug_log,
    documents,
    inspect_log,
    lines,
    lmms_eval,
    records,
    rows,
    tables,
    tempcompass,
    trl,
    video_r1,
    vlmevalkit,
)
from videor2.data.logs.logged import Logged, Raw, Schema, Source
from videor2.data.logs.values import BadRow

SCHEMAS: dict[str, Schema] = {
    module.SCHEMA.name: module.SCHEMA
    for module in (debug_log, inspect_log, lmms_eval, tempcompass, video_r1, trl, vlmevalkit, records, rows)
}
"""In the order in which they are tried: the more a schema asks for, the earlier."""

CONTAINERS: dict[str, Callable[[Path, int], Iterator[tuple[int, Raw]]]] = {
    "lines": lines.json_lines,
    "rollouts": lines.rollouts,
    "delimited": tables.delimited,
    "excel": tables.excel,
    "parquet": tables.parquet,
    "archive": archives.samples,
}
"""All but JSON documents, whose rows are one of several members."""

ENTRIES = "*"
"""The rows are the entries of the outermost object, by id."""
NESTED = "**"
"""The rows are in arrays in its entries, as in TempCompass's results."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log and how to read it. `rows` is cheap and streams; `read` does the work, and may run in other processes."""

    path: Path
    format: str
    source: Source
    container: str
    place: str | None = None
    """Where in a JSON document the rows are: the entry whose array they are, `ENTRIES`, `NESTED`, or None for the
    outermost array."""
    limit: int = lines.LINE_LIMIT

    def rows(self) -> Iterator[tuple[int, Raw]]:
        """Rows as they are cut out of the file, each with its number.

        A row that cannot be cut out is a BadRow. Raises InputError where the rest of the file is unreadable, after
        the rows that are not.
        """
        if self.container != "document":
            return CONTAINERS[self.container](self.path, self.limit)
        return self._members()

    def read(self, number: int, raw: Raw) -> list[Logged]:
        """The responses of a row, mostly one. Raises BadRow."""
        if isinstance(raw, BadRow):
            raise raw
        record = parse(raw) if isinstance(raw, bytes) else raw
        schema = SCHEMAS[self.format]
        try:
            return schema.read(record, number, self.source)
        except BadRow as error:
            other = None if schema.fits(record) else next((s.name for s in SCHEMAS.values() if s.fits(record)), None)
            if other and not self.source.mapping:
                raise BadRow(f"a row of {other} in a log of {self.format}, whose rows have {schema.has}") from error
            raise

    def _members(self) -> Iterator[tuple[int, Raw]]:
        for number, item in enumerate(document_rows(self.path, self.place, self.limit), 1):
            yield number, item if isinstance(item, dict) else BadRow("not an object")


def document_rows(path: Path, place: str | None, limit: int) -> Iterator[Any]:
    """The rows at that place of a document. Entries are given their key as `id` where they have none."""
    for key, value, listed in documents.members(path, limit):
        if place == NESTED and not listed:
            yield from tempcompass.flatten(str(key), value)
        elif place == ENTRIES and not listed:
            yield {"id": key, **value} if isinstance(value, dict) else value
        elif listed and key == place:
            yield value


def parse(line: bytes) -> dict[str, Any]:
    """The object on a line. Raises BadRow."""
    try:
        record = json.loads(line.rstrip(b"\r\n"))
    except UnicodeDecodeError as error:
        raise BadRow(f"not UTF-8 (byte {error.start + 1} is {line[error.start]:#04x}); save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadRow(f"not JSON ({error.msg} at column {error.colno}); is the line cut off?") from None
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise BadRow(f"not JSON that can be read ({error})") from None
    if not isinstance(record, dict):
        raise BadRow(f"not an object but a {type(record).__name__}")
    return record
