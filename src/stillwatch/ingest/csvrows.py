"""Rows of CSV files, in which one bad row costs no other."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from stillwatch.ingest.draft import Refusal
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BROKEN = Refusal(
    "a quotation is not closed, is not clean CSV, or a cell is longer than 131,072 characters",
    "export the table again",
)
_TOO_MANY = Refusal("the row has more cells than the header", "quote cells that hold the separator")

Cells = dict[str, Any]


def csv_rows(name: str, data: bytes, first_column: str) -> Iterator[tuple[int, Cells | Refusal]]:
    """Yield the rows of a CSV file with the number of their first line.

    Args:
        name: The file, for errors.
        data: Its bytes: UTF-8 with commas and a header.
        first_column: Column that the header must have.

    Raises:
        InputError: The data are not UTF-8, or the header is not one.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise InputError(name, "it is not valid UTF-8", "save the table as UTF-8") from None
    rows = (row for row in _rows(list(io.StringIO(text, newline=""))) if row[1])
    header = _header(name, next(rows, (1, []))[1], first_column)
    for number, cells in rows:
        if isinstance(cells, Refusal):
            yield number, cells
        elif len(cells) > len(header):
            yield number, _TOO_MANY
        else:
            yield number, dict(zip(header, cells, strict=False))


def _header(name: str, cells: list[str] | Refusal, first_column: str) -> list[str]:
    names = [] if isinstance(cells, Refusal) else [cell.strip() for cell in cells]
    if first_column not in names:
        remedy = "name the columns in the first line, with commas between them"
        raise InputError(name, f"its header has no column {first_column}", remedy)
    if len(set(names)) < len(names):
        raise InputError(name, "two of its columns have the same name", "give each column a name of its own")
    return names


def _rows(lines: list[str]) -> Iterator[tuple[int, list[str] | Refusal]]:
    """Yield the cells of each row; after a row that is none go on with the line below its first one.

    So a quotation that is never closed costs one row and not all that follow. The longest cell that `csv`
    allows bounds what is read again.
    """
    begun = 0
    while begun < len(lines):
        offset = begun
        reader = csv.reader((lines[at] for at in range(offset, len(lines))), strict=True)
        try:
            for cells in reader:
                yield begun + 1, cells
                begun = offset + reader.line_num
        except csv.Error:
            yield begun + 1, _BROKEN
            begun += 1
