"""The embedded engine: DuckDB in this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from stillwatch.store.engine import BATCH_ROWS, in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


class DuckBackend(Backend):
    """Ibis' DuckDB backend, without calls that DuckDB 2 deprecates and sqlglot 30 no longer understands."""

    def get_schema(self, table_name: str, **_: Any) -> ibis.Schema:
        """Return the columns of the table `table_name`."""
        return self._get_schema_using_query(f'"{table_name}"')

    def _get_schema_using_query(self, query: str) -> ibis.Schema:
        rows = self.con.sql(f"DESCRIBE {query}").fetchall()
        parse = self.compiler.type_mapper.from_string
        return ibis.schema({name: parse(kind, nullable=null == "YES") for name, kind, null, *_ in rows})

    def to_pyarrow_batches(
        self, expr: Any, /, *, params: Any = None, limit: Any = None, chunk_size: int = 1_000_000, **_: Any
    ) -> pa.RecordBatchReader:
        """Return the rows of `expr` as a stream; finish it before the next query on the same reader."""
        schema = expr.as_table().schema().to_pyarrow()
        relation = self._to_duckdb_relation(expr, params=params, limit=limit)
        return relation.to_arrow_reader(chunk_size).cast(schema)

    def map_batches(
        self, table: Any, function: Callable[[pa.RecordBatch], pa.RecordBatch], schema: pa.Schema
    ) -> pa.Table:
        """Apply `function` to the rows of `table` as they stream in (`store.engine.map_batches`)."""
        with self.to_pyarrow_batches(table, chunk_size=BATCH_ROWS) as batches:
            return pa.Table.from_batches(in_threads(batches, function), schema)

    def execute(self, expr: Any, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
        """Return a scalar as Python has it, anything else as pandas has it (which may round hashes)."""
        result = self.to_pyarrow(expr, params=params, limit=limit)
        return result.as_py() if isinstance(result, pa.Scalar) else result.to_pandas()

    def _drop_cached_table(self, name: str) -> None:
        try:
            self.con.execute(f'DROP TABLE IF EXISTS "{name}"')
        except duckdb.ConnectionException:
            return  # the reader was closed before the expression was dropped


class DuckSession:
    """An in-memory DuckDB that reads Parquet in place and spills to `place`."""

    def __init__(self, place: Path, memory_limit: int, threads: int | None = None) -> None:
        """Connect.

        Args:
            place: Directory for what does not fit into memory.
            memory_limit: Bytes.
            threads: Threads; by default one for each core.
        """
        self._place = place
        self.backend = DuckBackend().connect(
            threads=threads or os.cpu_count() or 1,
            memory_limit=f"{memory_limit}B",
            temp_directory=str(place),
            preserve_insertion_order=False,
            autoinstall_known_extensions=False,
            autoload_known_extensions=False,
        )
        self.backend.con.execute("SET TimeZone = 'UTC'")
        self.backend.con.execute("SET enable_progress_bar = false")  # the command line has its own

    def parquet(self, paths: Sequence[Path], schema: pa.Schema, name: str) -> Any:
        """Return the rows of all `paths`, which have `schema`, as an Ibis table called `name`."""
        del schema  # in the files
        files = [str(path) for path in paths]
        return self.backend.read_parquet(files, table_name=name, hive_partitioning=False)

    def empty(self, schema: pa.Schema, name: str) -> Any:
        """Return a table called `name` with `schema` and no rows."""
        path = self._place / f"{name}.parquet"
        pq.write_table(schema.empty_table(), path)
        return self.parquet([path], schema, name)

    def close(self) -> None:
        """Disconnect and give the memory back."""
        self.backend.disconnect()
