"""Tables: CSV, TSV, Excel and Parquet, row by row, each row an object by column."""

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from videor2.data.logs.lines import open_text
from videor2.data.logs.logged import Raw
from videor2.data.logs.values import BadRow
from videor2.errors import InputError

_BATCH_ROWS = 256


def delimited(path: Path, limit: int) -> Iterator[tuple[int, Raw]]:
    """Rows of a CSV or TSV file, by the line that they begin on. Empty cells are None."""
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    with open_text(path) as file:
        first = file.readline(limit)
        tabs = path.suffix.lower() == ".tsv" or first.count("\t") > first.count(",")
        reader = csv.reader(chain([first], file), delimiter="\t" if tabs else ",")
        try:
            header = next(reader, [])
            begin = reader.line_num + 1
            for cells in reader:
                if len(cells) > len(header):
                    yield begin, BadRow(f"{len(cells)} cells for {len(header)} columns; is a quote missing?")
                elif any(cells):
                    padded = cells + [""] * (len(header) - len(cells))
                    yield begin, {name: cell or None for name, cell in zip(header, padded, strict=True)}
                begin = reader.line_num + 1
        except csv.Error as error:
            raise InputError(f"{path}: line {reader.line_num}: {error}; the rest is not read") from None


def excel(path: Path, limit: int) -> Iterator[tuple[int, Raw]]:
    """Rows of the first sheet below its header."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # writers' hints about the extent are often wrong
        rows = sheet.iter_rows(values_only=True)
        header = [str(name) if name is not None else "" for name in next(rows, ())]
        for number, cells in enumerate(rows, 1):
            if any(cell is not None for cell in cells):
                yield number, dict(zip(header, cells, strict=False))
        book.close()
    except (BadZipFile, InvalidFileException, KeyError, IndexError, SyntaxError, EOFError) as error:
        raise InputError(f"{path}: not a readable Excel file ({error}); is it cut off? save it again") from None


def parquet(path: Path, limit: int) -> Iterator[tuple[int, Raw]]:
    """Rows of a Parquet file, in batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH_ROWS):
                rows: list[dict[str, Any]] = batch.to_pylist()
                for record in rows:
                    number += 1
                    yield number, record
    except (pa.ArrowException, OSError) as error:
        why = str(error).splitlines()[0].rstrip(". ")
        raise InputError(f"{path}: unreadable after {number} rows ({why}); is it cut off? copy it again") from None
