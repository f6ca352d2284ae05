"""Inspect's `.eval` files: a zip with a header and one JSON file for each sample."""

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from videor2.data.logs.logged import Raw
from videor2.data.logs.values import BadRow
from videor2.errors import InputError

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_ZSTD = 93


def samples(path: Path, limit: int) -> Iterator[tuple[int, Raw]]:
    """The samples of an `.eval` file. Of one that was cut off, those that are whole, and then InputError."""
    number = 0
    try:
        with ZipFile(path) as archive:
            for info in archive.infolist():
                if not _is_sample(info.filename):
                    continue
                number += 1
                if info.file_size > limit:
                    yield number, BadRow(f"{info.filename}: more than {limit >> 20} MiB")
                    continue
                yield number, _parsed(archive.read(info), info.filename)
    except BadZipFile:
        for name, data in _salvaged(path):
            if _is_sample(name):
                number += 1
                yield number, _parsed(data, name)
        raise InputError(
            f"{path}: the archive is cut off; {number} whole samples were read, copy it again for the rest"
        ) from None
    except (NotImplementedError, zlib.error) as error:
        raise _unreadable(path, error) from None


def header(path: Path) -> dict[str, Any]:
    """The header of an `.eval` file, or what its journal says of a run that did not finish."""
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            name = next((n for n in ("header.json", "_journal/start.json") if n in names), None)
            found: Any = json.loads(archive.read(name)) if name else {}
    except BadZipFile:
        found = next((_parsed(data, name) for name, data in _salvaged(path) if name == "_journal/start.json"), {})
    except (NotImplementedError, zlib.error) as error:
        raise _unreadable(path, error) from None
    return found if isinstance(found, dict) else {}


def _is_sample(name: str) -> bool:
    return name.startswith("samples/") and name.endswith(".json")


def _parsed(data: bytes, name: str) -> dict[str, Any] | BadRow:
    try:
        sample = json.loads(data)
    except (ValueError, RecursionError) as error:
        return BadRow(f"{name}: not JSON ({error})")
    return sample if isinstance(sample, dict) else BadRow(f"{name}: not an object")


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: its compression cannot be read here ({error}; newer logs use zstd); "
        "convert it first: inspect log convert FILE --to json --output-dir DIR"
    )


def _salvaged(path: Path) -> Iterator[tuple[str, bytes]]:
    """Members of a zip whose directory, which is at its end, is lost: by the header before each."""
    with path.open("rb") as file:
        while len(head := file.read(_LOCAL.size)) == _LOCAL.size:
            signature, _, flags, method, _, _, _, packed, _, name_size, extra_size = _LOCAL.unpack(head)
            if signature != b"PK\x03\x04":
                return
            name = file.read(name_size).decode(errors="replace")
            file.seek(extra_size, 1)
            if method == _ZSTD:
                raise _unreadable(path, NotImplementedError("zstd"))
            data = _member(file, packed, method, sized=not flags & 8)
            if data is None:
                return
            yield name, data


def _member(file: BinaryIO, packed: int, method: int, *, sized: bool) -> bytes | None:
    if method == ZIP_STORED and sized:
        data = file.read(packed)
        return data if len(data) == packed else None
    if method != ZIP_DEFLATED:
        return None
    unpack = zlib.decompressobj(-15)
    pieces = []
    while not unpack.eof and (chunk := file.read(2**16)):
        try:
            pieces.append(unpack.decompress(chunk))
        except zlib.error:
            return None
    if not unpack.eof:
        return None
    file.seek(-len(unpack.unused_data), 1)
    if not sized:  # the sizes follow the data, mostly with a signature before them
        file.seek(12 if file.read(4) == b"PK\x07\x08" else 8, 1)
    return b"".join(pieces)
