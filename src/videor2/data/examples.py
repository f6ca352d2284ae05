"""The training file format: JSON Lines, each row a `Sample` and, for fine-tuning, the response to learn.

Video and subtitle paths in a file are relative to the file itself, so a dataset can be moved as a folder.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from videor2.errors import InputError
from videor2.sample import Sample


class DataError(InputError):
    """A row that cannot be used; the message names the file, the row and the fix."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sample and the response to learn, if there is one."""

    sample: Sample
    response: str | None = None


def read_examples(path: Path | str) -> list[Example]:
    """All rows of a file, with paths made absolute; raises DataError at the first row that is wrong."""
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; write one with `videor2 data synth`") from None
    examples = [parse_example(path, row, line) for row, line in enumerate(lines, start=1) if line.strip()]
    if not examples:
        raise DataError(f"{path}: the file has no rows")
    return examples


def write_examples(path: Path | str, examples: Iterable[Example]) -> int:
    """Write rows, with paths relative to the file where they lie below its folder; gives their number."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for example in examples:
            row = example.sample.model_dump(mode="json", exclude_defaults=True)
            for field in ("video", "subtitles"):
                if row.get(field):
                    row[field] = _relative(Path(row[field]), path.parent)
            if example.response is not None:
                row["response"] = example.response
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def parse_example(path: Path, row: int, line: str) -> Example:
    """One row of a file, with paths made absolute; raises DataError."""
    try:
        fields: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: row {row}: not JSON ({error.msg} at column {error.colno})") from None
    if not isinstance(fields, dict):
        raise DataError(f"{path}: row {row}: a row is an object with at least `id` and `question`")
    response = fields.pop("response", None)
    if response is not None and not isinstance(response, str):
        raise DataError(f"{path}: row {row}: `response` is text, not {type(response).__name__}")
    for field in ("video", "subtitles"):
        if isinstance(fields.get(field), str):
            fields[field] = str((path.parent / fields[field]).absolute())
    try:
        return Example(Sample.model_validate(fields), response)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "row"
        raise DataError(f"{path}: row {row}: `{where}`: {first['msg']}") from None


def _relative(target: Path, folder: Path) -> str:
    target, folder = target.absolute(), folder.absolute()
    return target.relative_to(folder).as_posix() if target.is_relative_to(folder) else str(target)
