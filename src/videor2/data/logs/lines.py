"""Files of lines: JSON Lines, and the debug logs that GRPO trainers append to. Read in bounded memory."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from videor2.data.logs.logged import Raw
from videor2.data.logs.values import BadRow

LINE_LIMIT = 64 * 2**20
"""Bytes of a line beyond which it is no row."""
_PIECE = 2**20

ROLLOUT = re.compile(r"-{5,} (\S+) Accuracy reward: (\S+) -{5,}\s*")
"""The line that opens a rollout in the debug log of Video-R1 and its descendants."""


def encoding_of(path: Path) -> str:
    """`utf-8-sig`, or the UTF-16 or UTF-32 that the first bytes show, with or without a byte order mark."""
    with path.open("rb") as file:
        start = file.read(4)
    found = json.detect_encoding(start)
    return "utf-8-sig" if found == "utf-8" or not start.strip(b"\0") else found


def open_text(path: Path) -> IO[str]:
    """Open a text file; bytes that are not UTF-8 come as lone surrogates, so that only their row is bad."""
    encoding = encoding_of(path)
    errors = "surrogateescape" if encoding == "utf-8-sig" else "replace"
    return path.open(encoding=encoding, errors=errors, newline="")


def json_lines(path: Path, limit: int) -> Iterator[tuple[int, Raw]]:
    """The lines that are not blank, as bytes of UTF-8, with their numbers."""
    if encoding_of(path) != "utf-8-sig":
        with open_text(path) as file:
            yield from _numbered(_recoded(file, limit), limit)
        return
    with path.open("rb") as binary:
        if binary.read(3) != b"\xef\xbb\xbf":
            binary.seek(0)
        yield from _numbered(_bounded(binary, limit), limit)


def _numbered(found: Iterator[bytes | None], limit: int) -> Iterator[tuple[int, Raw]]:
    for number, line in enumerate(found, 1):
        if line is None:
            yield number, too_long(limit)
        elif not line.isspace():
            yield number, line


def too_long(limit: int) -> BadRow:
    """The reason for a line that is no row."""
    return BadRow(f"a line of more than {limit >> 20} MiB; is it one JSON document? then rename it to .json")


def _bounded(file: IO[bytes], limit: int) -> Iterator[bytes | None]:
    """Lines; None for one over the limit, of which no more than the limit is ever held."""
    piece_size = min(_PIECE, limit + 1)
    while piece := file.readline(piece_size):
        if piece.endswith(b"\n") or len(piece) < piece_size:
            yield piece
            continue
        pieces: list[bytes] = [piece]
        held = len(piece)
        while not piece.endswith(b"\n") and (piece := file.readline(_PIECE)):
            held += len(piece)
            if held <= limit:
                pieces.append(piece)
            else:
                pieces.clear()
        yield b"".join(pieces) if held <= limit else None


def _recoded(file: IO[str], limit: int) -> Iterator[bytes | None]:
    while line := file.readline(limit):
        long = len(line) == limit and not line.endswith("\n")
        while line and not line.endswith("\n") and long:
            line = file.readline(limit)
        yield None if long else line.encode()


def rollouts(path: Path, limit: int) -> Iterator[tuple[int, Raw]]:
    """The rollouts of a debug log, each from its opening line to the next one's."""
    opened: tuple[int, dict[str, Any]] | None = None
    held: list[str] = []
    size = 0
    with open_text(path) as file:
        number = 0
        while line := file.readline(limit):
            number += 1
            match = ROLLOUT.fullmatch(line) if line.startswith("-----") else None
            if match is None:
                size += len(line)
                if opened and size <= limit:
                    held.append(line)
                continue
            if opened:
                yield _rollout(*opened, held, size, limit)
            opened, held, size = (number, {"time": match[1], "reward": match[2]}), [], 0
    if opened:
        yield _rollout(*opened, held, size, limit)


def _rollout(number: int, head: dict[str, Any], held: list[str], size: int, limit: int) -> tuple[int, Raw]:
    return number, too_long(limit) if size > limit else head | {"text": "".join(held)}
