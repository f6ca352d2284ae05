"""Annotation files as they are published (JSON, JSON Lines, parquet) to rows that name themselves in errors."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from videor2.answers import normalise_options
from videor2.errors import InputError

SUFFIXES = (".json", ".jsonl", ".parquet")
VIDEO_SUFFIXES = (".mp4", ".MP4", ".mkv", ".webm", ".avi", ".mov")

Unpack = Callable[[Any], Iterable[Mapping[str, Any]]]
"""From a whole JSON document to its rows, where it is no plain list."""


class AnnotationError(InputError):
    """A row of an annotation file that cannot become a question; the message names file, row, field and fix."""


@dataclass(slots=True)
class Folder:
    """A benchmark's folder: finds the files that its annotations name."""

    path: Path
    _names: dict[Path, frozenset[str]] = field(default_factory=dict)

    def find(self, *candidates: str) -> str:
        """Path of the first candidate that exists, also under another video suffix; else of the first, missing."""
        for candidate in candidates:
            path = self.path / candidate
            for suffix in (path.suffix, *VIDEO_SUFFIXES):
                if self._has(path.with_suffix(suffix)):
                    return str(path.with_suffix(suffix))
        return str(self.path / candidates[0])

    def file(self, relative: str) -> str | None:
        """Path of a file, None where it is missing."""
        path = self.path / relative
        return str(path) if self._has(path) else None

    def _has(self, path: Path) -> bool:
        if path.parent not in self._names:
            self._names[path.parent] = (
                frozenset(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else frozenset()
            )
        return path.name in self._names[path.parent]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an annotation file, as published."""

    file: Path
    number: int
    """From 1: the line of a JSON Lines file, else the place in the file."""
    fields: Mapping[str, Any]
    folder: Folder
    task: str = ""

    def get(self, name: str, default: Any = None) -> Any:
        """The field's value as published, `default` where there is none."""
        value = self.fields.get(name)
        return default if value is None else value

    def need(self, *names: str) -> Any:
        """The first of these fields that the row has. Raises AnnotationError where it has none."""
        for name in names:
            if self.fields.get(name) is not None:
                return self.fields[name]
        wanted = " or ".join(f"`{name}`" for name in names)
        raise self.error(
            f"no field {wanted}; it has {', '.join(self.fields) or 'none'}. Rename the field, or check "
            "that this is the benchmark's own annotation file"
        )

    def text(self, *names: str) -> str:
        """A field that holds a text, not empty."""
        value = self.need(*names)
        if not isinstance(value, str | int | float) or not str(value).strip():
            raise self.error(f"`{names[0]}` must be a text, not {value!r:.60}")
        return str(value).strip()

    def seconds(self, name: str) -> float | None:
        """A field that holds seconds, if the row has it."""
        value = self.get(name)
        if value is None:
            return None
        try:
            return float(value)
        except (TypeError, ValueError):
            raise self.error(f"`{name}` must be seconds, not {value!r:.60}") from None

    def options(self, value: Any, name: str, *, at_least: int = 2) -> tuple[str, ...]:
        """Bare texts of options from a list or a mapping of letters, published with letters or without."""
        if not isinstance(value, Mapping) and (isinstance(value, str) or not isinstance(value, Iterable)):
            raise self.error(f"`{name}` must be a list of options, not {value!r:.60}")
        try:
            options = normalise_options(value if isinstance(value, Mapping) else [str(text) for text in value])
        except ValueError as error:
            raise self.error(f"`{name}`: {error}") from None
        if len(options) < at_least:
            raise self.error(f"`{name}` has {len(options)} options, not at least {at_least}")
        if not any(option.strip() for option in options):
            raise self.error(f"`{name}`: all {len(options)} options are empty")
        return options

    def letter(self, answer: Any, options: Sequence[str], name: str = "answer") -> str:
        """The answer's letter, published as a letter. Raises AnnotationError where no option has it."""
        letter = str(answer).strip().strip("().").upper()
        if len(letter) != 1 or letter not in ascii_uppercase[: len(options)]:
            raise self.outside(answer, options, name)
        return letter

    def letter_of_text(self, answer: Any, options: Sequence[str], name: str = "answer") -> tuple[str, dict[str, Any]]:
        """The answer's letter, published as the option's text; options of the same text are right too.

        Gives the letter and what `Sample.meta` keeps of it: `also_right`, the further letters, if there are any.
        """
        letters = [ascii_uppercase[i] for i, option in enumerate(options) if option == str(answer).strip()]
        if not letters:
            raise self.outside(answer, options, name)
        return letters[0], {"also_right": letters[1:]} if letters[1:] else {}

    def letter_at(self, index: Any, options: Sequence[str], name: str) -> str:
        """The answer's letter, published as a place from 0."""
        if not str(index).isdigit() or int(index) >= len(options):
            raise self.outside(index, options, name)
        return ascii_uppercase[int(index)]

    def outside(self, answer: Any, options: Sequence[str], name: str) -> AnnotationError:
        """The error of an answer that is none of the options."""
        return self.error(f"`{name}` {answer!r:.60} is none of the {len(options)} options; correct the annotation")

    def keep(self, *names: str) -> dict[str, Any]:
        """These fields as they are, for `Sample.meta`; absent ones are left out."""
        return {name: self.fields[name] for name in names if self.fields.get(name) is not None}

    def error(self, what: str) -> AnnotationError:
        """An error that names this row."""
        return AnnotationError(f"{self.file}: row {self.number}: {what}")


def read_rows(path: Path, folder: Folder, *, task: str = "", unpack: Unpack | None = None) -> Iterator[Row]:
    """The rows of an annotation file, in order. Raises InputError where the file cannot be read."""
    try:
        for number, fields in _numbered(path, unpack):
            if not isinstance(fields, Mapping):
                raise InputError(f"{path}: row {number}: a row is an object with named fields, not {fields!r:.40}")
            yield Row(path, number, fields, folder, task)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not {path.suffix[1:].upper()} ({error}); download the file again") from None


def plain_rows(document: Any) -> Iterable[Mapping[str, Any]]:
    """Rows of a JSON document that is a list, or an object that holds one list of rows."""
    if isinstance(document, Mapping):
        lists = [value for value in document.values() if isinstance(value, list) and value]
        if len(lists) != 1:
            raise ValueError(f"no list of rows; its keys are {', '.join(list(document)[:6])}")
        document = lists[0]
    if not isinstance(document, list):
        raise ValueError(f"no list of rows but {type(document).__name__}")
    return document


def _numbered(path: Path, unpack: Unpack | None) -> Iterator[tuple[int, Any]]:
    if path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as lines:
            yield from ((n, json.loads(line)) for n, line in enumerate(lines, start=1) if line.strip())
    elif path.suffix == ".parquet":
        yield from enumerate(_parquet(path), start=1)
    else:
        document = json.loads(path.read_text(encoding="utf-8"))
        try:
            yield from enumerate((unpack or plain_rows)(document), start=1)
        except (ValueError, AttributeError, TypeError) as error:
            raise InputError(f"{path}: {error}; check that this is the benchmark's annotation file") from None


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import ArrowInvalid, parquet

    try:
        file = parquet.ParquetFile(path)
    except ArrowInvalid as error:
        raise InputError(f"{path}: not parquet ({error}); download the file again") from None
    # Pictures that some hubs keep beside a question (Video-MMMU) are no part of it.
    names = [f.name for f in file.schema_arrow if not f.name.startswith("image")]
    for batch in file.iter_batches(columns=names):
        yield from batch.to_pylist()
