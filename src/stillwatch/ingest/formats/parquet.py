"""Parquet in the names of our own columns, with text columns that are fingerprinted and dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest.conversation import NO_TEXT, NO_TOOLS, read_tools
from stillwatch.ingest.draft import (
    ROW_COLUMNS,
    Draft,
    Places,
    Refusal,
    column,
    moments_column,
    read_each,
    reasoning_column,
    text_batch,
)
from stillwatch.ingest.formats.canonical import TEXT, read_text, unknown_columns
from stillwatch.ingest.tablerows import is_scalar, legible, records_of, require_distinct
from stillwatch.model.columns import EXCHANGE_SCHEMA
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REQUIRED = ("exchange_id", "ts", "account_id")
_GIVEN = tuple(name for name in ROW_COLUMNS if name != "extra")
_KNOWN = frozenset(EXCHANGE_SCHEMA.names) | frozenset(TEXT)
_READ = frozenset((*TEXT, "extra"))
_TIMESTAMP = EXCHANGE_SCHEMA.field("ts").type


class Parquet:
    """Reads canonical Parquet."""

    name = "parquet"
    title = "canonical Parquet"
    account_sources = "account_id"

    def batches(self, path: Path, rows: int) -> Iterator[pa.RecordBatch]:
        """See `TableFormat`."""
        try:
            with pq.ParquetFile(path) as file:
                _require(path, file.schema_arrow)
                for batch in file.iter_batches(batch_size=rows):
                    yield _conformed(path, batch)
        except (pa.ArrowException, OSError):
            raise InputError(
                str(path),
                "its Parquet data are damaged or cut off",
                "copy the file again when it is complete",
            ) from None

    def draft_batch(self, batch: pa.RecordBatch, first: int) -> Draft:
        """See `TableFormat`."""
        rows = batch.num_rows
        batch, illegible = legible(batch)
        columns = {name: batch.column(name) for name in batch.schema.names if name in _GIVEN}
        columns["ts"] = _moments(batch.column("ts"))
        records, unread = _records(batch)
        conversations, refused = read_each(records, read_text, NO_TEXT)
        kits, refused_kits = read_each([record.get("tools") for record in records], read_tools, NO_TOOLS)
        columns.setdefault("turn", column("turn", [conversation.turn for conversation in conversations]))
        columns.setdefault("tool_names", column("tool_names", [kit.names for kit in kits]))
        extras = [unknown_columns(*pair) for pair in zip(records, conversations, strict=True)]
        columns["extra"] = column("extra", [_json(extra) for extra in extras])
        return Draft(
            places=Places(np.arange(first, first + rows, dtype=np.int64), np.zeros(rows, np.int64)),
            columns=columns,
            text=text_batch(conversations, [kit.definitions for kit in kits]),
            reasoning=reasoning_column([conversation.reasoning for conversation in conversations]),
            refused=refused_kits | refused | unread | illegible,
        )


def _require(path: Path, schema: pa.Schema) -> None:
    missing = [name for name in _REQUIRED if name not in schema.names]
    if missing:
        raise InputError(
            str(path), f"it lacks the columns {', '.join(missing)}", "name the columns as in docs/formats.md"
        )
    require_distinct(str(path), schema)


def _conformed(path: Path, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give the columns that we know our types."""
    arrays = []
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        wanted = EXCHANGE_SCHEMA.field(name).type if name in _GIVEN else values.type
        try:
            arrays.append(values if values.type == wanted else values.cast(wanted))
        except pa.ArrowException:
            raise InputError(
                str(path),
                f"column {name} holds {values.type} that does not fit {wanted}",
                "convert the column",
            ) from None
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _moments(values: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(values.type):
        zoned = values if values.type.tz else values.cast(pa.timestamp(values.type.unit, "UTC"))
        return zoned.cast(_TIMESTAMP, safe=False)
    return moments_column(values.to_pylist() if is_scalar(values.type) else [None] * len(values))


def _records(batch: pa.RecordBatch) -> tuple[list[dict[str, Any]], dict[int, Refusal]]:
    """Return text and unknown columns as Python values, one dictionary a row, and the rows that have none."""
    names = [name for name in batch.schema.names if name in _READ or name not in _KNOWN]
    records, refused = records_of(batch.select(names), _READ)
    return [{name: _decoded(name, value) for name, value in record.items()} for record in records], refused


def _decoded(name: str, value: Any) -> Any:
    if name == "extra" and isinstance(value, str):
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            return None
    return value


def _json(extra: dict[str, Any]) -> str | None:
    return msgspec.json.encode(extra, order="sorted").decode() if extra else None
