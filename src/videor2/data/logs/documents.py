"""One JSON document, read element by element in bounded memory.

Python's own decoder does the parsing: every harness here writes with Python, whose `NaN` and `Infinity` are
no JSON, and strict streaming parsers stop at the first of them.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from videor2.data.logs.lines import open_text
from videor2.errors import InputError

_BLANK = re.compile(r"[ \t\r\n]*")
_CHUNK = 2**18
_NEAR_END = 16
"""Characters before the end of what is read within which an error may be due to what is not read yet."""


class Member(NamedTuple):
    """A piece of a document."""

    key: str | None
    """Of the entry; None for elements of the outermost array."""
    value: Any
    listed: bool
    """Whether it is an element of an array, not an entry itself."""


def members(path: Path, limit: int) -> Iterator[Member]:
    """Elements of the outermost array, or entries of the outermost object; of an entry that is an array, its elements.

    Raises InputError where the rest cannot be read, after what could.
    """
    with open_text(path) as file:
        scanner = _Scanner(file, limit)
        count = 0
        try:
            for member in _outermost(scanner):
                count += 1
                yield member
        except (ValueError, RecursionError) as error:
            why = "is cut off" if scanner.ended else f"is not JSON ({error})"
            raise InputError(f"{path}: the document {why} after {count} records; write it again") from None


class _Scanner:
    """A window on a text that moves on value by value."""

    def __init__(self, file: IO[str], limit: int) -> None:
        self.file = file
        self.limit = limit
        self.text = ""
        self.at = 0
        self.ended = False
        """Whether all of the text has been read."""
        self._decode = json.JSONDecoder(strict=False).raw_decode

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            start = _BLANK.match(self.text, self.at)
            self.at = start.end() if start else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more():
                return ""

    def take(self, *expected: str) -> str:
        """The next character, which must be one of these."""
        char = self.peek()
        if char not in expected or not char:
            raise json.JSONDecodeError(f"expected {' or '.join(expected)}", self.text, self.at)
        self.at += 1
        return char

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self.text, self.at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self.text) - _NEAR_END
                if not cut or not self._more():
                    raise
                continue
            if end == len(self.text) and self._more():  # a number may go on
                continue
            self.at = end
            return value

    def _more(self) -> bool:
        """Read on; as much again as is waiting, so that a long value is not parsed over and over."""
        waiting = self.text[self.at :]
        if len(waiting) > self.limit:
            raise json.JSONDecodeError(f"a record of more than {self.limit >> 20} MiB", "", 0)
        chunk = self.file.read(max(_CHUNK, len(waiting)))
        self.text, self.at = waiting + chunk, 0
        self.ended = not chunk
        return bool(chunk)


def _outermost(scanner: _Scanner) -> Iterator[Member]:
    if scanner.take("[", "{") == "[":
        for element in _elements(scanner):
            yield Member(None, element, True)
        return
    if scanner.peek() == "}":
        return
    while True:
        key = scanner.value()
        scanner.take(":")
        if scanner.peek() == "[":
            scanner.take("[")
            for element in _elements(scanner):
                yield Member(key, element, True)
        else:
            yield Member(key, scanner.value(), False)
        if scanner.take(",", "}") == "}":
            return


def _elements(scanner: _Scanner) -> Iterator[Any]:
    if scanner.peek() == "]":
        scanner.take("]")
        return
    while True:
        yield scanner.value()
        if scanner.take(",", "]") == "]":
            return
