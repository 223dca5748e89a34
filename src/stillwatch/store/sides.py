"""The two tables beside the logs: accounts and enforcement, merged and replaced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.model.columns import ACCOUNT_SCHEMA, ENFORCEMENT_SCHEMA
from stillwatch.store.disk import Disk
from stillwatch.store.layout import SIDE_TABLES, STAGING, side_file

SIDE_SCHEMAS = {"account": ACCOUNT_SCHEMA, "enforcement": ENFORCEMENT_SCHEMA}
_FILLED = b"stillwatch.filled"


def put_accounts(root: Path, accounts: pa.Table, disk: Disk, memory_limit: int) -> None:
    """Merge `accounts` into the store at `root`, by `account_id`."""
    _put(root, "account", ("account_id",), accounts, disk, memory_limit)


def put_enforcement(root: Path, enforcement: pa.Table, disk: Disk, memory_limit: int) -> None:
    """Merge `enforcement` into the store at `root`, by account, time and kind."""
    _put(root, "enforcement", ("account_id", "ts", "kind"), enforcement, disk, memory_limit)


def side_coverage(root: Path) -> dict[str, dict[str, float]]:
    """Return for each side table the share of rows with a value by column; an absent table is empty."""
    shares: dict[str, dict[str, float]] = {}
    for table in SIDE_TABLES:
        path = side_file(root, table)
        metadata = pq.read_schema(path).metadata if path.exists() else {_FILLED: b"{}"}
        shares[table] = msgspec.json.decode(metadata[_FILLED], type=dict[str, float])
    return shares


def _put(root: Path, table: str, by: Sequence[str], rows: pa.Table, disk: Disk, memory_limit: int) -> None:
    schema = SIDE_SCHEMAS[table]
    given = _conform(rows, schema)
    path = side_file(root, table)
    known = pq.read_table(path).select(schema.names).cast(schema) if path.exists() else schema.empty_table()
    merged = _merge(known, given, by, schema, memory_limit, root / STAGING / "spill")
    count = max(merged.num_rows, 1)
    shares = {
        name: (merged.num_rows - column.null_count) / count
        for name, column in zip(merged.column_names, merged.columns, strict=True)
    }
    metadata = (schema.metadata or {}) | {_FILLED: msgspec.json.encode(shares)}
    unfinished = root / STAGING / path.name
    pq.write_table(merged.replace_schema_metadata(metadata), unfinished, compression="lz4")
    disk.sync(unfinished)
    disk.move(unfinished, path)


def _conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    unknown = sorted(set(rows.column_names) - set(schema.names))
    if unknown:
        raise ValueError(f"columns that the store does not know: {', '.join(unknown)}")
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    for field, column in zip(schema, columns, strict=True):
        if not field.nullable and column.null_count:
            raise ValueError(f"column {field.name}: a required value is missing")
    return pa.table(columns, schema=schema)


def _merge(
    known: pa.Table, given: pa.Table, by: Sequence[str], schema: pa.Schema, memory_limit: int, spill: Path
) -> pa.Table:
    """Return one row for each key `by`; a column takes the last value that is not null, in order of arrival."""
    rows = pa.concat_tables([known, given]).combine_chunks()
    rows = rows.append_column("arrival", pa.array(range(rows.num_rows), pa.int64()))
    key = ", ".join(by)
    values = ", ".join(
        name if name in by else f"arg_max({name}, arrival) AS {name}" for name in schema.names
    )
    config = {"memory_limit": f"{memory_limit}B", "temp_directory": str(spill)}
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("side_rows", rows)
        query = f"SELECT {values} FROM side_rows GROUP BY {key} ORDER BY {key}"  # noqa: S608 - names of our schema
        return connection.sql(query).to_arrow_table().cast(schema)
