"""Rows of Parquet files: their writers check neither text nor times, so each row may hold what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from stillwatch.ingest.draft import READ_ERRORS, Refusal, read_each
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection


def require_distinct(name: str, schema: pa.Schema) -> None:
    """Check that a table names no two columns alike.

    Raises:
        InputError: It does.
    """
    if len(set(schema.names)) < len(schema.names):
        raise InputError(name, "two of its columns have the same name", "give each column a name of its own")


def legible(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[int, Refusal]]:
    """Return `batch` with its rows blanked whose text is not UTF-8, and why each of these is refused.

    Rows are looked at one by one only where the batch as a whole is not sound. A dictionary is unpacked
    before, since one bad word in it would spoil every row.
    """
    plain = pa.RecordBatch.from_arrays([_unpacked(each) for each in batch.columns], names=batch.schema.names)
    if _sound(plain):
        return plain, {}
    refused = {
        row: Refusal("text is not valid UTF-8", "write the table as UTF-8")
        for row in range(plain.num_rows)
        if not _sound(plain.take(pa.array([row])))
    }
    kept = pa.array([None if row in refused else row for row in range(plain.num_rows)], pa.int64())
    return plain.take(kept), refused


def records_of(
    batch: pa.RecordBatch, wanted: Collection[str]
) -> tuple[list[dict[str, Any]], dict[int, Refusal]]:
    """Return the rows of `batch` as Python values, and why a row is refused that cannot be told in them.

    Args:
        batch: Rows whose text is legible.
        wanted: Columns that are read whatever they hold; of the others only those of numbers, truth values
            and strings are, since nothing else of an unknown column is kept.
    """
    names = [field.name for field in batch.schema if field.name in wanted or is_scalar(field.type)]
    chosen = batch.select(names)
    try:
        return (chosen.to_pylist() if names else [{}] * batch.num_rows), {}
    except (*READ_ERRORS, pa.ArrowException):
        return read_each(range(batch.num_rows), lambda row: _record(chosen, row), {})


def _record(batch: pa.RecordBatch, row: int) -> dict[str, Any]:
    record: dict[str, Any] = batch.slice(row, 1).to_pylist()[0]
    return record


def _unpacked(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _sound(batch: pa.RecordBatch) -> bool:
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def is_scalar(kind: pa.DataType) -> bool:
    """Say whether values of `kind` are numbers, truth values or strings."""
    return any(
        test(kind)
        for test in (
            pa.types.is_boolean,
            pa.types.is_integer,
            pa.types.is_floating,
            pa.types.is_string,
            pa.types.is_large_string,
        )
    )
