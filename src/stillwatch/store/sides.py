"""The two tables beside the logs: accounts and enforcement, merged and replaced as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.model.columns import ACCOUNT_SCHEMA, ENFORCEMENT_SCHEMA
from stillwatch.model.errors import StoreError
from stillwatch.store.layout import SIDE_TABLES, STAGING, side_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stillwatch.store.disk import Disk

SIDE_SCHEMAS = {"account": ACCOUNT_SCHEMA, "enforcement": ENFORCEMENT_SCHEMA}
_FILLED = b"stillwatch.filled"


_KEYS = {"account": ("account_id",), "enforcement": ("account_id", "ts", "kind")}


def side_coverage(root: Path) -> dict[str, dict[str, float]]:
    """Return for each side table the share of rows with a value by column; an absent table is empty.

    Raises:
        StoreError: A side table is damaged.
    """
    return {table: _shares(side_file(root, table)) for table in SIDE_TABLES}


def _shares(path: Path) -> dict[str, float]:
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(pq.read_schema(path).metadata[_FILLED], type=dict[str, float])
    except (OSError, pa.ArrowException, KeyError, TypeError, msgspec.MsgspecError):
        raise StoreError(f"{path}: damaged; remove this file and give the table again.") from None


def put_side(root: Path, table: str, rows: pa.Table, disk: Disk, memory_limit: int) -> None:
    """Merge `rows` into the side `table` of the store at `root`; the file is replaced as a whole.

    There is one row for each account, or for each account, time and kind of enforcement; a column takes the
    last value that is not null. So the same rows given twice change nothing.

    Raises:
        ValueError: A column is unknown, of another type, or a required value is missing.
    """
    schema = SIDE_SCHEMAS[table]
    given = _conform(rows, schema)
    path = side_file(root, table)
    known = pq.read_table(path, schema=schema) if path.exists() else schema.empty_table()
    arrived = pa.concat_tables([known, given]).combine_chunks()
    merged = _last_values(arrived, _KEYS[table], memory_limit, root / STAGING / "spill")
    unfinished = root / STAGING / path.name
    pq.write_table(_with_shares(merged), unfinished, compression="lz4")
    disk.sync(unfinished)
    disk.move(unfinished, path)


def _with_shares(table: pa.Table) -> pa.Table:
    """Return `table` with the shares of filled values among its metadata, so that both change together."""
    columns = zip(table.column_names, table.columns, strict=True)
    rows = max(table.num_rows, 1)
    shares = {name: (table.num_rows - column.null_count) / rows for name, column in columns}
    return table.replace_schema_metadata(
        (table.schema.metadata or {}) | {_FILLED: msgspec.json.encode(shares)}
    )


def _conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    unknown = sorted(set(rows.column_names) - set(schema.names))
    if unknown:
        raise ValueError(f"columns that the store does not know: {', '.join(unknown)}")
    return pa.table([_column(rows, field) for field in schema], schema=schema)


def _column(rows: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in rows.column_names:
        column = pa.nulls(rows.num_rows, field.type)
    else:
        try:
            column = rows[field.name].cast(field.type)
        except pa.ArrowException:
            found = rows.schema.field(field.name).type
            raise ValueError(f"column {field.name}: {found} does not fit {field.type}") from None
    if not field.nullable and column.null_count:
        raise ValueError(f"column {field.name}: a required value is missing")
    return column


def _last_values(rows: pa.Table, key: Sequence[str], memory_limit: int, spill: Path) -> pa.Table:
    """Return one row for each `key`, ordered by it; a column takes its last value that is not null."""
    schema = rows.schema
    numbered = rows.append_column("arrival", pa.array(np.arange(rows.num_rows, dtype=np.int64)))
    # arg_max passes over rows where the value is null
    values = [name if name in key else f"arg_max({name}, arrival) AS {name}" for name in schema.names]
    by = ", ".join(key)
    query = f"SELECT {', '.join(values)} FROM numbered GROUP BY {by} ORDER BY {by}"  # noqa: S608 - our own names
    config = {"memory_limit": f"{memory_limit}B", "temp_directory": str(spill)}
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("numbered", numbered)
        return connection.sql(query).to_arrow_table().cast(schema)
